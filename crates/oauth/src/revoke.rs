//! Revoking a token (RFC 7009).

use std::time::SystemTime;

use bytes::Bytes;
use doorkey_http::{Body, HttpClient, Leg, RedactedUrl};
use http::Response;
use secrecy::SecretString;
use url::Url;

use crate::answer::Answer;
use crate::client::Client;
use crate::error::Error;
use crate::exchange::Tools;
use crate::form::Form;

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

/// A refusal with its words. What cannot be read is left out: the status says enough.
pub(crate) async fn refusal(
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
