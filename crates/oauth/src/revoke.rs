//! Revoking a token (RFC 7009) and deleting a dynamic registration (RFC 7592 §2.3).

use std::time::SystemTime;

use bytes::Bytes;
use doorkey_http::{Body, HttpClient, Leg, RedactedUrl, check_endpoint};
use doorkey_store::Registration;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::client::Client;
use crate::error::Error;
use crate::exchange::Tools;
use crate::form::Form;
use crate::shared::Shared;

/// Revokes one token; `hint` is `refresh_token` or `access_token` (REV-02).
///
/// Success is 200, also for a token the server does not know and whatever the body
/// (RFC 7009 §2.2); a server that cannot revoke this kind of token (`unsupported_token_type`) has
/// done all it can (REV-03).
pub(crate) async fn revoke(
    tools: Tools<'_>,
    endpoint: &Url,
    client: &Client,
    (token, hint): (&SecretString, &str),
) -> Result<(), Error> {
    let form = Form::revocation(token, hint);
    let mut secrets = form.secrets(client);
    let credential = client.credential(client.method, tools.clock, tools.random)?;
    secrets.extend(credential.secret().cloned());
    let request = form.request(endpoint, Leg::Revocation, client, credential)?;
    let (http, now) = (tools.http, tools.clock.now());
    let response = http.send(Leg::Revocation, request).await?;
    if response.status().is_success() {
        return Ok(());
    }
    let answer = refusal(http, Leg::Revocation, endpoint, response, now)
        .await
        .to(&secrets);
    match answer.protocol_error(&answer.object()?) {
        Some(error) if error.is("unsupported_token_type") => Ok(()),
        Some(error) => Err(Error::RevocationEndpoint {
            url: answer.url.clone(),
            status: answer.status,
            error,
            retry_after: answer.retry_after,
        }),
        None => Err(answer.unreadable("there is no `error` in it")),
    }
}

/// Deletes a registration where the server offers it. `Ok(false)`: it does not.
pub(crate) async fn delete_registration(
    http: &HttpClient,
    registration: &Registration,
    now: SystemTime,
) -> Result<bool, Error> {
    let (Some(uri), Some(token)) = (
        &registration.registration_client_uri,
        &registration.registration_access_token,
    ) else {
        return Ok(false);
    };
    let url =
        Url::parse(uri).map_err(|cause| Error::invalid_url("registration_client_uri", cause))?;
    check_endpoint(&url).map_err(|source| Error::Endpoint {
        leg: Leg::Registration,
        url: RedactedUrl::from(&url),
        source: Shared::new(source),
    })?;
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::DELETE;
    *request.uri_mut() = crate::form::uri(&url)?;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(AUTHORIZATION, management_credential(token)?);
    let response = http.send(Leg::Registration, request).await?;
    // 401 and 404: the registration, or its management, is gone already (RFC 7592 §2.3).
    let gone = [
        StatusCode::UNAUTHORIZED,
        StatusCode::NOT_FOUND,
        StatusCode::GONE,
    ];
    if response.status().is_success() || gone.contains(&response.status()) {
        return Ok(true);
    }
    let answer = refusal(http, Leg::Registration, &url, response, now)
        .await
        .to(std::slice::from_ref(token));
    let error = answer
        .object()
        .ok()
        .and_then(|object| answer.protocol_error(&object));
    Err(Error::DeregistrationRefused {
        url: answer.url.clone(),
        status: answer.status,
        excerpt: match error {
            Some(_) => String::new(),
            None => answer.excerpt(),
        },
        error,
    })
}

/// A refusal with its words. What cannot be read is left out: the status says enough.
async fn refusal(
    http: &HttpClient,
    leg: Leg,
    url: &Url,
    response: Response<Body>,
    now: SystemTime,
) -> Answer {
    let (parts, body) = response.into_parts();
    let limit = http.profile().limits.body(leg);
    let body = body.collect_limited(limit).await.unwrap_or_else(|error| {
        tracing::debug!(%error, %leg, "the body of a refusal could not be read");
        Bytes::new()
    });
    let response = Response::from_parts(parts, body);
    Answer::new(leg, RedactedUrl::from(url), response, now)
}

fn management_credential(token: &SecretString) -> Result<HeaderValue, Error> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| Error::IllegalToken)?;
    value.set_sensitive(true);
    Ok(value)
}
