//! Managing a dynamic registration at its own address (RFC 7592): is it there, extend it, delete it.

use std::time::SystemTime;

use bytes::Bytes;
use doorkey_discovery::AuthorizationServerMetadata;
use doorkey_http::{Body, HttpClient, Leg, RedactedUrl, check_endpoint};
use doorkey_store::Registration;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::{RegistrationRequest, read, refused};
use crate::answer::Answer;
use crate::error::Error;
use crate::member::secret;
use crate::revoke::refusal;
use crate::shared::Shared;

/// Where a registration is managed, and with what.
struct Place<'a> {
    url: Url,
    token: &'a SecretString,
}

/// Whether the server says that it can be managed.
pub(crate) fn is_manageable(registration: &Registration) -> bool {
    registration.registration_client_uri.is_some()
        && registration.registration_access_token.is_some()
}

/// What an authorization server says of a client.
pub(crate) enum Known {
    /// It is there; the token that manages it may have been replaced by this one (RFC 7592 §3).
    There(Option<SecretString>),
    Gone,
    /// The server does not say.
    Unsaid,
}

/// Whether the authorization server still knows the client (RFC 7592 §2.1).
///
/// # Errors
/// What kept the question from being answered.
pub(crate) async fn known(
    http: &HttpClient,
    registration: &Registration,
    now: SystemTime,
) -> Result<Known, Error> {
    let Some(place) = Place::of(registration)? else {
        return Ok(Known::Unsaid);
    };
    let request = place.request(Method::GET, Body::empty())?;
    let response = http.send_collected(Leg::Registration, request).await?;
    Ok(match response.status() {
        status if status.is_success() => {
            let url = RedactedUrl::from(&place.url);
            let answer = Answer::new(Leg::Registration, url, response, now);
            // Whatever else it says, the client is there.
            let token = answer
                .object()
                .and_then(|mut object| secret(&answer, &mut object, "registration_access_token"));
            Known::There(token.ok().flatten())
        }
        // A client that is gone takes its access token with it.
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND | StatusCode::GONE => Known::Gone,
        _ => Known::Unsaid,
    })
}

/// Registers a further redirect URI for a client that is there (RFC 7592 §2.2), so that a login from
/// another port makes no new client. What the server returns wins.
///
/// # Errors
/// [`Error::RegistrationRefused`], [`Error::UnreadableResponse`], [`Error::Http`]: the registration is
/// as it was.
pub(crate) async fn extend(
    http: &HttpClient,
    server: &AuthorizationServerMetadata,
    registration: &Registration,
    request: &RegistrationRequest<'_>,
    now: SystemTime,
) -> Result<Option<Registration>, Error> {
    let Some(place) = Place::of(registration)? else {
        return Ok(None);
    };
    // It has the client's secret in it.
    let body = Zeroizing::new(whole(registration, request).to_string().into_bytes());
    let body = Body::from(Bytes::from_owner(body));
    let put = place.request(Method::PUT, body)?;
    let response = http.send_collected(Leg::Registration, put).await?;
    let url = RedactedUrl::from(&place.url);
    let mut secrets = vec![place.token.clone()];
    secrets.extend(registration.client_secret.clone());
    let answer = Answer::new(Leg::Registration, url, response, now).to(&secrets);
    let mut updated = read(&answer, request, server, now)?;
    if updated.client_id != registration.client_id {
        return Err(refused(&answer));
    }
    // What an answer may leave out because it has not changed.
    let kept = registration;
    updated.client_secret = updated.client_secret.or_else(|| kept.client_secret.clone());
    updated.client_secret_expires_at = updated
        .client_secret_expires_at
        .or(kept.client_secret_expires_at);
    updated.registration_access_token = updated
        .registration_access_token
        .or_else(|| kept.registration_access_token.clone());
    updated.registration_client_uri = updated
        .registration_client_uri
        .or_else(|| kept.registration_client_uri.clone());
    updated.registered_at = kept.registered_at;
    updated.extra = kept.extra.clone();
    Ok(Some(updated))
}

/// All metadata of the client, as an update has to carry it: what is left out would be removed.
fn whole(registration: &Registration, request: &RegistrationRequest<'_>) -> Value {
    let mut document = request.document();
    let mut uris: Vec<&str> = request.redirect_uri.into_iter().collect();
    let others = registration.redirect_uris.iter().map(String::as_str);
    uris.extend(others.filter(|uri| Some(*uri) != request.redirect_uri));
    uris.truncate(MOST_REDIRECT_URIS);
    document["redirect_uris"] = json!(uris);
    document["client_id"] = json!(registration.client_id);
    document["token_endpoint_auth_method"] =
        json!(registration.token_endpoint_auth_method.as_str());
    if !registration.grant_types.is_empty() {
        document["grant_types"] = json!(registration.grant_types);
    }
    if let Some(secret) = &registration.client_secret {
        document["client_secret"] = json!(secret.expose_secret());
    }
    document
}

/// Deletes a registration where the server offers it. `Ok(false)`: it does not.
pub(crate) async fn delete(
    http: &HttpClient,
    registration: &Registration,
    now: SystemTime,
) -> Result<bool, Error> {
    let Some(place) = Place::of(registration)? else {
        return Ok(false);
    };
    let request = place.request(Method::DELETE, Body::empty())?;
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
    let answer = refusal(http, Leg::Registration, &place.url, response, now)
        .await
        .to(std::slice::from_ref(place.token));
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

impl<'a> Place<'a> {
    fn of(registration: &'a Registration) -> Result<Option<Self>, Error> {
        let (Some(uri), Some(token)) = (
            &registration.registration_client_uri,
            &registration.registration_access_token,
        ) else {
            return Ok(None);
        };
        let url = Url::parse(uri)
            .map_err(|cause| Error::invalid_url("registration_client_uri", cause))?;
        check_endpoint(&url).map_err(|source| Error::Endpoint {
            leg: Leg::Registration,
            url: RedactedUrl::from(&url),
            source: Shared::new(source),
        })?;
        Ok(Some(Self { url, token }))
    }

    fn request(&self, method: Method, body: Body) -> Result<Request<Body>, Error> {
        let mut request = Request::new(body);
        let json = HeaderValue::from_static("application/json");
        let headers = request.headers_mut();
        headers.insert(ACCEPT, json.clone());
        headers.insert(AUTHORIZATION, management_credential(self.token)?);
        if method == Method::PUT {
            headers.insert(CONTENT_TYPE, json);
        }
        *request.method_mut() = method;
        *request.uri_mut() = crate::form::uri(&self.url)?;
        Ok(request)
    }
}

fn management_credential(token: &SecretString) -> Result<HeaderValue, Error> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| Error::IllegalToken)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The newest are kept: a person uses a few ports, and some servers bound the list.
const MOST_REDIRECT_URIS: usize = 8;
