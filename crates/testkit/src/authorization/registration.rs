//! Dynamic client registration (RFC 7591).

use http::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::{
    client::{Client, ClientAuthMethod, grant_types, is_loopback, texts},
    grant_type::GrantType,
    options::Document,
    server::{Core, Refusal, uncached},
};
use crate::{
    Error, Leg, clock, random,
    reply::{self, Reply},
    request::Received,
};

pub(super) fn register(core: &Core, origin: &str, request: &Received) -> Reply {
    match try_register(core, origin, request) {
        Ok(answer) => uncached(reply::json(StatusCode::CREATED, &answer)),
        Err(refusal) => core.refuse(Leg::Registration, &refusal),
    }
}

fn try_register(core: &Core, origin: &str, request: &Received) -> Result<Value, Refusal> {
    if request.method != Method::POST {
        return Err(invalid("a registration is a POST"));
    }
    if let Some(expected) = &core.config.initial_access_token
        && bearer(request) != Some(expected)
    {
        let why = "the initial access token is missing or wrong";
        return Err(Refusal::new("invalid_token", why));
    }
    let asked = asked(request)?;
    let method = check_metadata(core, &asked)?;
    let mut client = new_client(core, &asked, method)?;
    let mut answer = registration_answer(core, origin, &asked, &client);
    client.registration = answer.clone();
    core.settings().apply(Document::Registration, &mut answer);
    core.clients().add(client);
    core.count(|c| c.registrations += 1);
    Ok(answer)
}

/// Refuses what RFC 7591 §2 does not allow; returns the authentication method to grant.
pub(super) fn check_metadata(core: &Core, asked: &Value) -> Result<ClientAuthMethod, Refusal> {
    let redirect_uris = texts(&asked["redirect_uris"]);
    let grants = grant_types(asked);
    let redirects = grants.iter().any(|g| g == "authorization_code");
    if redirects && redirect_uris.is_empty() {
        return Err(Refusal::new("invalid_redirect_uri", "there is none"));
    }
    let web = match asked.get("application_type").map(Value::as_str) {
        None | Some(Some("native")) => false,
        Some(Some("web")) => true,
        Some(_) => return Err(invalid("application_type is neither native nor web")),
    };
    for uri in &redirect_uris {
        check_redirect_uri(uri, web)?;
    }
    let registrable = |grant: &String| GrantType::is_registrable(core, grant);
    if grants.is_empty() || !grants.iter().all(registrable) {
        return Err(invalid("a grant type is not supported"));
    }
    // RFC 7591 §2: without the field it is `code`, whatever the grants are.
    let responses = asked
        .get("response_types")
        .map_or_else(|| vec!["code".to_owned()], texts);
    if responses != *response_types(redirects) {
        return Err(invalid("the response types do not go with the grants"));
    }
    let asked_for = match asked.get("token_endpoint_auth_method") {
        None => ClientAuthMethod::Basic,
        Some(name) => name
            .as_str()
            .and_then(ClientAuthMethod::parse)
            // Nobody can register a key here.
            .filter(|method| *method != ClientAuthMethod::PrivateKeyJwt)
            .ok_or_else(|| invalid("the authentication method is not supported"))?,
    };
    Ok(core.config.registration_method.unwrap_or(asked_for))
}

fn new_client(core: &Core, asked: &Value, method: ClientAuthMethod) -> Result<Client, Refusal> {
    let secret = new_secret(method)?;
    let now = core.clock.now();
    Ok(Client {
        id: random::opaque("client-")?,
        secret_expires_at: secret
            .as_ref()
            .and(core.config.secret_lifetime)
            .map(|lifetime| now + lifetime),
        secret,
        key: None,
        method,
        redirect_uris: texts(&asked["redirect_uris"]),
        grant_types: grant_types(asked),
        configuration_token: Some(random::opaque("configure-")?),
        registration: Value::Null,
    })
}

/// A secret for a client that authenticates with one.
pub(super) fn new_secret(method: ClientAuthMethod) -> Result<Option<String>, Error> {
    match method {
        ClientAuthMethod::None | ClientAuthMethod::PrivateKeyJwt => Ok(None),
        // The characters make Basic without form-encoding fail, as it should.
        _ => random::opaque("secret:%+ ").map(Some),
    }
}

/// The JSON object that a registration or an update is.
pub(super) fn asked(request: &Received) -> Result<Value, Refusal> {
    if !request.has_content_type("application/json") {
        return Err(invalid("the body is not application/json"));
    }
    serde_json::from_slice(&request.body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| invalid("the body is not a JSON object"))
}

/// RFC 7591 §3.2.1: what was registered, which need not be what was asked for.
pub(super) fn registration_answer(
    core: &Core,
    origin: &str,
    asked: &Value,
    client: &Client,
) -> Value {
    let mut answer = asked.clone();
    answer["client_id"] = json!(client.id);
    answer["client_id_issued_at"] = json!(clock::seconds(core.clock.now()));
    answer["redirect_uris"] = json!(client.redirect_uris);
    answer["grant_types"] = json!(client.grant_types);
    let redirects = client.may_use("authorization_code");
    answer["response_types"] = json!(response_types(redirects));
    answer["token_endpoint_auth_method"] = json!(client.method.as_str());
    if let Some(secret) = &client.secret {
        answer["client_secret"] = json!(secret);
        answer["client_secret_expires_at"] =
            json!(client.secret_expires_at.map_or(0, clock::seconds));
    }
    let place = format!("{}/register/{}", core.issuer(origin), client.id);
    answer["registration_client_uri"] = json!(place);
    answer["registration_access_token"] = json!(client.configuration_token);
    answer
}

/// RFC 7591 §2.1: what goes with the authorization code grant, or with none that redirects.
fn response_types(redirects: bool) -> &'static [&'static str] {
    if redirects { &["code"] } else { &[] }
}

/// RFC 8252 §7 and OpenID Connect Registration §2: https, or for native clients loopback http
/// or a scheme of their own with a dot in it; absolute, without fragment.
fn check_redirect_uri(uri: &str, web: bool) -> Result<(), Refusal> {
    let refuse = |why: &str| Err(Refusal::new("invalid_redirect_uri", why));
    let Ok(parsed) = Url::parse(uri) else {
        return refuse("it is not an absolute URI");
    };
    if parsed.fragment().is_some() {
        return refuse("it has a fragment");
    }
    match parsed.scheme() {
        "https" if !(web && is_loopback(&parsed)) => Ok(()),
        "http" if !web && is_loopback(&parsed) => Ok(()),
        scheme if !web && scheme.contains('.') => Ok(()),
        _ => refuse("its scheme and host do not go with the application type"),
    }
}

/// The token of the only `Authorization: Bearer` field.
pub(super) fn bearer(request: &Received) -> Option<&str> {
    let (scheme, token) = request.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

pub(super) fn invalid(why: &str) -> Refusal {
    Refusal::new("invalid_client_metadata", why)
}
