//! The token endpoint (RFC 6749 §4.1.3, §5, §6; RFC 7636 §4.6; RFC 8707 §2.2).

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::{
    authorize,
    builder::{Document, RefreshTokens},
    client::{Client, ClientAuthMethod},
    server::{Core, Refusal, form, uncached},
    vault::{Grant, Unusable},
};
use crate::{
    Leg, random,
    reply::{self, Reply},
    request::{Parameters, Received},
};

/// How a request authenticated its client, and with what.
struct Presented {
    method: ClientAuthMethod,
    id: String,
    secret: Option<String>,
}

/// Tokens about to be issued.
struct Issue<'a> {
    /// What was authorized; a refresh token keeps all of it.
    grant: Grant,
    /// The scopes of the access token.
    scopes: Vec<String>,
    /// Whether the client registered the refresh grant.
    refreshable: bool,
    /// Whether `resource` was sent at authorization.
    resource_sent: bool,
    /// The refresh token that is being used.
    spent: Option<&'a str>,
}

pub(super) fn answer(core: &Core, request: &Received) -> Reply {
    core.count(|c| c.token_requests += 1);
    match try_token(core, request) {
        Ok(answer) => uncached(reply::json(StatusCode::OK, &answer)),
        Err(refusal) => core.refuse(Leg::Token, &refusal),
    }
}

fn try_token(core: &Core, request: &Received) -> Result<Value, Refusal> {
    let parameters = form(request)?;
    let client = authenticate(core, request, &parameters)?;
    let grant_type = required(&parameters, "grant_type")?;
    if !matches!(grant_type, "authorization_code" | "refresh_token") {
        let why = "the grant types are authorization_code and refresh_token";
        return Err(Refusal::new("unsupported_grant_type", why));
    }
    if grant_type == "refresh_token" {
        core.count(|c| c.refresh_requests += 1);
    }
    if !client.may_use(grant_type) {
        let why = "the client did not register this grant";
        return Err(Refusal::new("unauthorized_client", why));
    }
    if grant_type == "authorization_code" {
        exchange_code(core, &client, &parameters)
    } else {
        refresh(core, &client, &parameters)
    }
}

fn exchange_code(core: &Core, client: &Client, parameters: &Parameters) -> Result<Value, Refusal> {
    let code = required(parameters, "code")?;
    let redirect_uri = required(parameters, "redirect_uri")?;
    let verifier = required(parameters, "code_verifier")?;
    let now = core.clock.now();
    // Whatever is wrong with the rest of the request, the code is spent.
    let bound = core.vault().take_code(code, &client.id, now);
    let bound = bound.map_err(|why| unusable("code", why))?;
    if bound.redirect_uri != redirect_uri {
        let why = "redirect_uri is not the one of the authorization request";
        return Err(Refusal::new("invalid_grant", why));
    }
    check_verifier(verifier, &bound.challenge)?;
    check_resource(core, parameters, &bound.grant.audience, bound.resource_sent)?;
    let answer = issue(
        core,
        Issue {
            refreshable: client.may_use("refresh_token"),
            scopes: bound.grant.scopes.clone(),
            grant: bound.grant,
            resource_sent: bound.resource_sent,
            spent: None,
        },
    )?;
    core.count(|c| c.code_exchanges += 1);
    Ok(answer)
}

fn refresh(core: &Core, client: &Client, parameters: &Parameters) -> Result<Value, Refusal> {
    let token = required(parameters, "refresh_token")?;
    let known = core.vault().refresh_token(token, &client.id);
    let known = known.map_err(|why| refresh_refused(core, why))?;
    check_resource(core, parameters, &known.grant.audience, known.resource_sent)?;
    let scopes = match parameters.first("scope") {
        None => known.grant.scopes.clone(),
        Some(scope) => narrowed(scope, &known.grant.scopes)?,
    };
    let answer = issue(
        core,
        Issue {
            refreshable: client.may_use("refresh_token"),
            scopes,
            grant: known.grant,
            resource_sent: known.resource_sent,
            spent: Some(token),
        },
    )?;
    core.count(|c| c.refreshes += 1);
    Ok(answer)
}

fn refresh_refused(core: &Core, why: Unusable) -> Refusal {
    if why == Unusable::Reused {
        core.count(|c| c.reuses += 1);
    }
    unusable("refresh token", why)
}

/// `resource` exactly once and the one that was authorized; not at all if it was not sent
/// at authorization.
fn check_resource(
    core: &Core,
    parameters: &Parameters,
    audience: &str,
    sent_before: bool,
) -> Result<(), Refusal> {
    let refuse = |why| Err(Refusal::new("invalid_target", why));
    match authorize::resource(core, parameters.all("resource"))? {
        None if sent_before => refuse("resource is missing, it was authorized with one"),
        None => Ok(()),
        Some(_) if !sent_before => refuse("it was authorized without resource"),
        Some(resource) if resource != audience => {
            refuse("resource is not the one that was authorized")
        }
        Some(_) => Ok(()),
    }
}

/// The answer to a sound request (RFC 6749 §5.1).
fn issue(core: &Core, issue: Issue<'_>) -> Result<Value, Refusal> {
    let lifetime = core.config.access_token_lifetime;
    let access_token = random::opaque("at-")?;
    let refresh_token = random::opaque("rt-")?;
    let mut answer = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
    });
    if !issue.scopes.is_empty() {
        answer["scope"] = json!(issue.scopes.join(" "));
    }
    let expires_at = core.clock.now() + lifetime;
    let access = Grant {
        scopes: issue.scopes,
        ..issue.grant.clone()
    };
    let replaces = issue.spent.is_none() || core.config.rotate;
    let mut vault = core.vault();
    if replaces && issue.refreshable && wants_refresh(core, &issue.grant) {
        if let Some(spent) = issue.spent {
            let spent = vault.spend(spent);
            spent.map_err(|why| refresh_refused(core, why))?;
        }
        answer["refresh_token"] = json!(refresh_token);
        vault.keep_refresh(refresh_token, issue.grant, issue.resource_sent);
    }
    vault.keep_access(access_token, access, expires_at);
    drop(vault);
    core.settings().apply(Document::Token, &mut answer);
    Ok(answer)
}

fn wants_refresh(core: &Core, grant: &Grant) -> bool {
    match core.config.refresh_tokens {
        RefreshTokens::Always => true,
        RefreshTokens::WithOfflineAccess => {
            grant.scopes.iter().any(|scope| scope == "offline_access")
        }
        RefreshTokens::Never => false,
    }
}

/// The client, by exactly the method it is registered with (RFC 6749 §2.3).
pub(super) fn authenticate(
    core: &Core,
    request: &Received,
    parameters: &Parameters,
) -> Result<Client, Refusal> {
    let presented = presented(request, parameters)?;
    let client = core.client(&presented.id)?;
    let refuse = |why: &str| Err(Refusal::new("invalid_client", why));
    if presented.method != client.method {
        return refuse(&format!(
            "the client authenticates by {}, not by {}",
            client.method.as_str(),
            presented.method.as_str()
        ));
    }
    if presented.secret != client.secret {
        return refuse("the client secret is wrong");
    }
    if client
        .secret_expires_at
        .is_some_and(|at| at <= core.clock.now())
    {
        return refuse("the client secret has expired");
    }
    Ok(client)
}

fn presented(request: &Received, parameters: &Parameters) -> Result<Presented, Refusal> {
    let invalid = |why: &str| Refusal::new("invalid_request", why);
    let in_body = parameters.first("client_id");
    let secret = parameters.first("client_secret");
    if parameters.first("client_assertion").is_some() {
        let why = "client assertions are not supported";
        return Err(Refusal::new("invalid_client", why));
    }
    if request.headers.contains_key(header::AUTHORIZATION) {
        if in_body.is_some() || secret.is_some() {
            return Err(invalid("the client is named by header and by body"));
        }
        let (id, secret) = basic(request)
            .ok_or_else(|| Refusal::new("invalid_client", "Authorization is not sound Basic"))?;
        return Ok(Presented {
            method: ClientAuthMethod::Basic,
            id,
            secret: Some(secret),
        });
    }
    let id = in_body.ok_or_else(|| invalid("client_id is missing"))?;
    Ok(Presented {
        method: secret.map_or(ClientAuthMethod::None, |_| ClientAuthMethod::Post),
        id: id.to_owned(),
        secret: secret.map(str::to_owned),
    })
}

/// Id and secret of a Basic header, each form-decoded (RFC 6749 §2.3.1).
fn basic(request: &Received) -> Option<(String, String)> {
    let (scheme, encoded) = request.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?))
}

/// The text that form-encodes to `encoded`; `None` if it was not form-encoded.
fn form_decoded(encoded: &str) -> Option<String> {
    let query = format!("v={encoded}");
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    match (pairs.next(), pairs.next()) {
        (Some((_, value)), None) => Some(value.into_owned()),
        _ => None,
    }
}

/// The scopes of a refresh request, which cannot exceed the granted ones (RFC 6749 §6).
fn narrowed(scope: &str, granted: &[String]) -> Result<Vec<String>, Refusal> {
    let asked: Vec<String> = scope.split(' ').map(str::to_owned).collect();
    if asked.iter().all(|scope| granted.contains(scope)) {
        return Ok(asked);
    }
    let why = "a refresh cannot widen the granted scopes";
    Err(Refusal::new("invalid_scope", why))
}

/// RFC 7636 §4.1 and §4.6.
fn check_verifier(verifier: &str, challenge: &str) -> Result<(), Refusal> {
    let legal = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(legal) {
        let why = "code_verifier is not 43 to 128 unreserved characters";
        return Err(Refusal::new("invalid_request", why));
    }
    let hash = Sha256::digest(verifier.as_bytes());
    if URL_SAFE_NO_PAD.encode(hash) == challenge {
        Ok(())
    } else {
        let why = "code_verifier does not match the challenge";
        Err(Refusal::new("invalid_grant", why))
    }
}

fn required<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, Refusal> {
    parameters
        .first(name)
        .ok_or_else(|| Refusal::new("invalid_request", format!("{name} is missing")))
}

pub(super) fn unusable(what: &str, why: Unusable) -> Refusal {
    let description = match why {
        Unusable::Unknown => format!("nobody issued this {what}"),
        Unusable::Reused => format!("this {what} was used before, all that came of it is revoked"),
        Unusable::Expired => format!("this {what} has expired"),
        Unusable::Revoked => format!("this {what} was revoked"),
        Unusable::OtherClient => format!("this {what} belongs to another client"),
    };
    Refusal::new("invalid_grant", description)
}
