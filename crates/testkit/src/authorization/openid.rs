//! The OpenID provider: its keys and its ID tokens (OpenID Connect Core §2, §12.2).

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{options::Document, server::Core, vault::Grant};
use crate::{
    Error, SigningAlgorithm, SigningKey, clock,
    jws::Jws,
    reply::{self, Reply},
    request::Received,
};

/// The keys that ID tokens and ID-JAGs are signed with (RFC 7517 §5).
pub(super) fn keys(core: &Core, request: &Received) -> Reply {
    if request.method != Method::GET {
        return reply::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let keys: Vec<Value> = core.config.openid.iter().map(published).collect();
    reply::json(StatusCode::OK, &json!({ "keys": keys }))
}

fn published(key: &SigningKey) -> Value {
    let mut jwk = key.public_key().jwk();
    jwk["alg"] = json!(key.algorithm().as_str());
    jwk["kid"] = json!(key.public_key().thumbprint());
    jwk["use"] = json!("sig");
    jwk
}

/// The ID token that goes with a grant, if the server is a provider and `openid` was granted.
pub(super) fn id_token(
    core: &Core,
    grant: &Grant,
    nonce: Option<&str>,
) -> Result<Option<String>, Error> {
    let asked = grant.scopes.iter().any(|scope| scope == "openid");
    let Some(key) = core.config.openid.as_ref().filter(|_| asked) else {
        return Ok(None);
    };
    let now = core.clock.now();
    let lifetime = core.settings().id_token_lifetime;
    let mut claims = json!({
        "iss": grant.issuer,
        "sub": grant.subject,
        "aud": grant.client_id,
        "exp": clock::seconds(now + lifetime.unwrap_or(LIFETIME)),
        "iat": clock::seconds(now),
        "auth_time": clock::seconds(grant.approved_at),
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = json!(nonce);
    }
    core.settings().apply(Document::IdToken, &mut claims);
    let token = key.sign(&header(key, "JWT"), &claims)?;
    core.count(|c| c.id_tokens += 1);
    Ok(Some(token))
}

/// The header of what the provider signs.
pub(super) fn header(key: &SigningKey, typ: &str) -> Value {
    json!({ "typ": typ, "kid": key.public_key().thumbprint() })
}

/// The subject of an ID token that was issued to this client and has not expired.
pub(super) fn subject_of(
    core: &Core,
    issuer: &str,
    client_id: &str,
    id_token: &str,
) -> Result<String, &'static str> {
    let key = core
        .config
        .openid
        .as_ref()
        .ok_or("nobody signs them here")?;
    let token = Jws::parse(id_token)?;
    if token.header["typ"] != "JWT" {
        return Err("it is another kind of JWT");
    }
    let algorithm: [SigningAlgorithm; 1] = [key.algorithm()];
    token.verify(key.public_key(), &algorithm)?;
    if token.text("iss") != Some(issuer) {
        return Err("its iss is not this server");
    }
    if token.text("aud") != Some(client_id) {
        return Err("it was issued to another client");
    }
    token.check_times(core.clock.now(), None)?;
    token.text("sub").map(str::to_owned).ok_or("it has no sub")
}

/// How long an ID token lives unless a test says otherwise.
const LIFETIME: Duration = Duration::from_secs(3600);
