//! Dynamic client registration (RFC 7591): what is asked, what came back, and when an earlier one
//! can be used again.

pub(crate) mod kept;
pub(crate) mod manage;

use std::time::SystemTime;

use doorkey_discovery::{AuthorizationServerMetadata, MAX_URL_BYTES, Scopes, endpoint_of_server};
use doorkey_http::{Body, HttpClient, Leg, RedactedUrl, check_endpoint};
use doorkey_store::{ClientAuthMethod, Registration, RegistrationKind};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use url::Url;

use crate::answer::Answer;
use crate::clock::unix_seconds;
use crate::error::Error;
use crate::flow::DEVICE_CODE;
use crate::member::{MAX_SCOPE_BYTES, identifier, secret};
use crate::protocol_error::ProtocolError;
use crate::shared::Shared;

/// What a client asks to be registered as.
#[derive(Clone, Debug)]
pub(crate) struct RegistrationRequest<'a> {
    pub(crate) client_name: &'a str,
    /// Where a browser comes back to; without it the client is for device authorization (DEV-09).
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) method: ClientAuthMethod,
    /// Every scope the client may come to ask for; some servers refuse all others later.
    pub(crate) scopes: Scopes,
}

impl RegistrationRequest<'_> {
    /// The client metadata document (RFC 7591 §2; REG-13 to REG-16).
    fn document(&self) -> Value {
        let mut document = json!({
            "client_name": self.client_name,
            "grant_types": [self.grant_type(), "refresh_token"],
            "token_endpoint_auth_method": self.method.as_str(),
            "application_type": self.redirect_uri.map_or("native", application_type),
            // Left out, it would be `code` (RFC 7591 §2), which a client without redirects has no use for.
            "response_types": self.redirect_uri.map_or(&[][..], |_| &["code"]),
        });
        if let Some(redirect_uri) = self.redirect_uri {
            document["redirect_uris"] = json!([redirect_uri]);
        }
        if let (Some(object), false) = (document.as_object_mut(), self.scopes.is_empty()) {
            object.insert(String::from("scope"), json!(self.scopes.to_string()));
        }
        document
    }

    fn grant_type(&self) -> &'static str {
        match self.redirect_uri {
            Some(_) => "authorization_code",
            None => DEVICE_CODE,
        }
    }
}

/// Registers at the server's registration endpoint.
///
/// A server that objects to the metadata is asked once more without `scope`, the one member that
/// is not needed.
///
/// # Errors
/// [`Error::RegistrationRefused`] with the server's reason (REG-20).
pub(crate) async fn register(
    http: &HttpClient,
    server: &AuthorizationServerMetadata,
    endpoint: &Url,
    mut request: RegistrationRequest<'_>,
    now: SystemTime,
) -> Result<Registration, Error> {
    let asked = request.scopes.clone();
    let outcome = match post(http, server, endpoint, &request, now).await {
        Err(Error::RegistrationRefused {
            error: Some(error), ..
        }) if !asked.is_empty() && objects_to_metadata(&error) => {
            request.scopes = Scopes::default();
            post(http, server, endpoint, &request, now).await
        }
        outcome => outcome,
    };
    let mut registration = outcome?;
    registration
        .extra
        .insert(String::from(ASKED_SCOPE), Value::String(asked.to_string()));
    Ok(registration)
}

async fn post(
    http: &HttpClient,
    server: &AuthorizationServerMetadata,
    endpoint: &Url,
    request: &RegistrationRequest<'_>,
    now: SystemTime,
) -> Result<Registration, Error> {
    check_endpoint(endpoint).map_err(|source| Error::Endpoint {
        leg: Leg::Registration,
        url: RedactedUrl::from(endpoint),
        source: Shared::new(source),
    })?;
    let mut post = Request::new(Body::from(request.document().to_string()));
    *post.method_mut() = Method::POST;
    *post.uri_mut() = crate::form::uri(endpoint)?;
    let json = HeaderValue::from_static("application/json");
    post.headers_mut().insert(ACCEPT, json.clone());
    post.headers_mut().insert(CONTENT_TYPE, json);
    let response = http.send_collected(Leg::Registration, post).await?;
    let answer = Answer::new(
        Leg::Registration,
        RedactedUrl::from(endpoint),
        response,
        now,
    );
    read(&answer, request, server, now)
}

/// Reads the client information response; what the server returned wins (RFC 7591 §3.2.1, REG-17).
fn read(
    answer: &Answer,
    request: &RegistrationRequest<'_>,
    server: &AuthorizationServerMetadata,
    now: SystemTime,
) -> Result<Registration, Error> {
    if !answer.status.is_success() {
        return Err(refused(answer));
    }
    let mut object = answer.object()?;
    let Some(client_id) = identifier(answer, &mut object, "client_id")? else {
        return Err(match answer.protocol_error(&object) {
            Some(_) => refused(answer),
            None => answer.unreadable("there is no `client_id` in it"),
        });
    };
    let mut registration = Registration::new(client_id, RegistrationKind::Dynamic);
    // First what depends on there being a secret.
    registration.token_endpoint_auth_method = method(&object, request, server, answer)?;
    registration.client_secret =
        identifier(answer, &mut object, "client_secret")?.map(SecretString::from);
    registration.client_secret_expires_at = object
        .get("client_secret_expires_at")
        .and_then(Value::as_u64)
        .filter(|seconds| *seconds != 0);
    registration.redirect_uris = redirect_uris(&object, request);
    registration.grant_types = list(&object, "grant_types")
        .unwrap_or_else(|| vec![request.grant_type().to_owned(), "refresh_token".to_owned()]);
    registration.scope = text(&object, "scope").filter(|scope| scope.len() <= MAX_SCOPE_BYTES);
    registration.registration_access_token =
        secret(answer, &mut object, "registration_access_token")?;
    registration.registration_client_uri = management(answer, &object);
    registration.registered_at = unix_seconds(now);
    Ok(registration)
}

/// Where the browser may be sent back to, as registered: nothing that may not be used anyway, and no endless list.
fn redirect_uris(object: &Map<String, Value>, request: &RegistrationRequest<'_>) -> Vec<String> {
    let Some(mut uris) = list(object, "redirect_uris") else {
        let asked = request.redirect_uri.map(str::to_owned);
        return asked.into_iter().collect();
    };
    uris.retain(|uri| uri.len() <= MAX_URL_BYTES && check_redirect_uri(uri).is_ok());
    uris
}

/// Where the registration is managed (RFC 7592 §3). It is no reason to refuse a client that it cannot be used.
fn management(answer: &Answer, object: &Map<String, Value>) -> Option<String> {
    let uri = text(object, "registration_client_uri")?;
    // The token that manages the client goes to whom it came from and to nobody else.
    let is_own = |url: &Url| {
        Url::parse(answer.url.as_str()).is_ok_and(|asked| asked.origin() == url.origin())
    };
    match endpoint_of_server(&uri) {
        Ok(url) if is_own(&url) => Some(uri),
        Ok(url) => {
            tracing::warn!(
                url = %answer.url, place = %RedactedUrl::of_target(&url),
                "the `registration_client_uri` of the answer is on another origin; the client cannot be managed"
            );
            None
        }
        Err(rule) => {
            tracing::warn!(
                url = %answer.url, %rule,
                "the `registration_client_uri` of the answer cannot be used; the client cannot be managed"
            );
            None
        }
    }
}

fn refused(answer: &Answer) -> Error {
    let error = answer
        .object()
        .ok()
        .and_then(|object| answer.protocol_error(&object));
    Error::RegistrationRefused {
        url: answer.url.clone(),
        status: answer.status,
        retry_after: answer.retry_after,
        excerpt: if error.is_some() || answer.status.is_success() {
            String::new()
        } else {
            answer.excerpt()
        },
        error: error.map(Box::new),
    }
}

/// The agreed authentication method (REG-17, REG-18).
fn method(
    object: &Map<String, Value>,
    request: &RegistrationRequest<'_>,
    server: &AuthorizationServerMetadata,
    answer: &Answer,
) -> Result<ClientAuthMethod, Error> {
    if let Some(name) = text(object, "token_endpoint_auth_method") {
        return ClientAuthMethod::from_name(&name)
            .filter(|method| *method != ClientAuthMethod::PrivateKeyJwt)
            .ok_or_else(|| {
                answer.unreadable("its `token_endpoint_auth_method` is not one that was asked for")
            });
    }
    let listed = server.token_endpoint_auth_methods();
    let has_secret = text(object, "client_secret").is_some();
    Ok(
        if listed.contains(&request.method.as_str())
            && (has_secret || request.method == ClientAuthMethod::None)
        {
            request.method
        } else if has_secret {
            ClientAuthMethod::Basic
        } else {
            ClientAuthMethod::None
        },
    )
}

/// The authentication method to ask for: a native client prefers none (REG-16).
pub(crate) fn preferred_method(server: &AuthorizationServerMetadata) -> ClientAuthMethod {
    let listed = server.token_endpoint_auth_methods();
    [
        ClientAuthMethod::None,
        ClientAuthMethod::Basic,
        ClientAuthMethod::Post,
    ]
    .into_iter()
    .find(|method| listed.contains(&method.as_str()))
    // A server that lists only what we cannot do often takes public clients all the same.
    .unwrap_or(ClientAuthMethod::None)
}

/// Whether an earlier registration serves a login with this redirect URI and these scopes:
/// covering the redirect URI (REG-22), not worn out, and not known to be refused such scopes.
///
/// Scopes beyond those it was registered with are no hindrance: most servers do not mind.
pub(crate) fn is_reusable(
    registration: &Registration,
    redirect_uri: Option<&str>,
    scopes: &Scopes,
    now: SystemTime,
) -> bool {
    let refused = scopes_in(registration, REFUSED_SCOPE);
    registration.kind == RegistrationKind::Dynamic
        && !is_worn_out(registration, now)
        && refused.is_none_or(|refused| !scopes.is_superset(&refused))
        && serves(registration, redirect_uri)
}

/// Whether it is registered for this redirect URI, or without one for device authorization.
fn serves(registration: &Registration, redirect_uri: Option<&str>) -> bool {
    let Some(redirect_uri) = redirect_uri else {
        return registration
            .grant_types
            .iter()
            .any(|grant| grant == DEVICE_CODE);
    };
    registration
        .redirect_uris
        .iter()
        .any(|registered| covers_redirect(registered, redirect_uri))
}

/// Whether its secret has expired (REG-19) or it is under suspicion: no login uses it again.
pub(crate) fn is_worn_out(registration: &Registration, now: SystemTime) -> bool {
    registration.extra.contains_key(SUSPECT)
        || registration
            .client_secret_expires_at
            .is_some_and(|end| end <= unix_seconds(now))
}

/// Marks a registration that a person may have been refused with, where only the browser saw it:
/// the next login registers anew.
pub(crate) fn suspect(registration: &mut Registration) {
    registration
        .extra
        .insert(String::from(SUSPECT), Value::Bool(true));
}

/// Notes that a login for these scopes was refused with `invalid_scope`. `false`: the client was
/// registered for all of them, so another registration would be refused as well.
pub(crate) fn refuse_scopes(registration: &mut Registration, scopes: &Scopes) -> bool {
    let asked = scopes_in(registration, ASKED_SCOPE);
    if asked.is_none_or(|asked| asked.is_superset(scopes)) {
        return false;
    }
    let refused = Value::String(scopes.to_string());
    registration
        .extra
        .insert(String::from(REFUSED_SCOPE), refused);
    true
}

fn scopes_in(registration: &Registration, member: &str) -> Option<Scopes> {
    let text = registration.extra.get(member)?.as_str()?;
    Some(Scopes::parse(text))
}

/// Whether `used` is the registered redirect URI: the same string, or the same loopback URI where
/// the registered one names no port (RFC 8252 §7.3).
fn covers_redirect(registered: &str, used: &str) -> bool {
    if registered == used {
        return true;
    }
    let (Ok(registered), Ok(mut used)) = (Url::parse(registered), Url::parse(used)) else {
        return false;
    };
    registered.port().is_none()
        && is_loopback(&registered)
        && used.set_port(None).is_ok()
        && registered == used
}

/// Whether a redirect URI may be used at all: http on loopback, or https (AZ-15).
pub(crate) fn check_redirect_uri(redirect_uri: &str) -> Result<(), Error> {
    let fine = Url::parse(redirect_uri).is_ok_and(|url| {
        url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && (url.scheme() == "https" || is_loopback(&url))
    });
    fine.then_some(())
        .ok_or_else(|| Error::RedirectUri(doorkey_http::clean_text(redirect_uri, 200)))
}

fn application_type(redirect_uri: &str) -> &'static str {
    match Url::parse(redirect_uri) {
        Ok(url) if url.scheme() == "https" && !is_local(&url) => "web",
        _ => "native",
    }
}

/// Whether a redirect URI leads to this machine by http.
pub(crate) fn is_loopback_uri(redirect_uri: &str) -> bool {
    Url::parse(redirect_uri).is_ok_and(|url| is_loopback(&url))
}

fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http" && check_endpoint(url).is_ok()
}

/// Whether an https URL leads to this machine.
fn is_local(url: &Url) -> bool {
    let mut plain = url.clone();
    plain.set_scheme("http").is_ok() && check_endpoint(&plain).is_ok()
}

fn objects_to_metadata(error: &ProtocolError) -> bool {
    error.is("invalid_client_metadata") || error.is("invalid_scope")
}

fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    object
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn list(object: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let values = object.get(name)?.as_array()?;
    let texts: Vec<String> = values
        .iter()
        .take(MOST_ENTRIES)
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect();
    (!texts.is_empty()).then_some(texts)
}

/// Entries of a list that are read.
const MOST_ENTRIES: usize = 64;
/// The member of a stored registration with the scopes it was made for.
const ASKED_SCOPE: &str = "doorkey_asked_scope";
/// The member of a stored registration with scopes that the server refused its client.
const REFUSED_SCOPE: &str = "doorkey_refused_scope";
/// The member of a stored registration that a login with it ran out of time.
const SUSPECT: &str = "doorkey_suspect";

#[cfg(test)]
mod tests;
