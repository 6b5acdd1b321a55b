//! The claims of an identity token (OpenID Connect Core §3.1.3.7, §12.2).

use std::time::SystemTime;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::flow::EnterpriseManaged;
use crate::jwt::{claims, expiry, has_expired};

/// What the identity token is an answer to.
#[derive(Clone, Copy)]
pub(super) enum Answers<'a> {
    /// A sign-on that was begun with this nonce.
    SignOn(&'a SecretString),
    /// The renewal of the identity that this token told of, if it is kept.
    Renewal(Option<&'a SecretString>),
}

/// Judges an identity token. It came from the token endpoint itself, so TLS vouches for who made it.
/// Returns how the person is known.
pub(super) fn check(
    enterprise: &EnterpriseManaged,
    token: &SecretString,
    answers: Answers<'_>,
    now: SystemTime,
) -> Result<Option<String>, Error> {
    let wrong = |why| Error::InvalidIdToken {
        issuer: enterprise.issuer.clone(),
        why,
    };
    let told = claims(token).ok_or_else(|| wrong("it is no signed JWT"))?;
    if text(&told, "iss") != Some(enterprise.issuer.as_str()) {
        return Err(wrong("`iss` is another issuer"));
    }
    check_audience(&told, &enterprise.client.client_id).map_err(wrong)?;
    if expiry(token).is_none() {
        return Err(wrong("it has no `exp`"));
    }
    if has_expired(token, now) {
        return Err(wrong("it has expired"));
    }
    match answers {
        Answers::SignOn(nonce) if text(&told, "nonce") != Some(nonce.expose_secret()) => {
            Err(wrong("`nonce` is not the one that was sent"))
        }
        Answers::Renewal(Some(before)) if is_another_person(&told, before) => {
            Err(wrong("`sub` is another person than before"))
        }
        _ => Ok(["email", "preferred_username", "sub"]
            .into_iter()
            .find_map(|name| text(&told, name))
            .map(|label| doorkey_http::clean_text(label, 200))),
    }
}

/// It is for us; others may read it too only if it names us as who asked.
fn check_audience(told: &Map<String, Value>, client_id: &str) -> Result<(), &'static str> {
    let asked_by = text(told, "azp");
    if asked_by.is_some_and(|azp| azp != client_id) {
        return Err("`azp` is another client");
    }
    match told.get("aud") {
        Some(Value::String(audience)) if audience == client_id => Ok(()),
        Some(Value::Array(all)) if all.iter().any(|audience| audience == client_id) => {
            match all.len() == 1 || asked_by.is_some() {
                true => Ok(()),
                false => Err("`aud` names others too, and no `azp` says who asked"),
            }
        }
        _ => Err("`aud` is another client"),
    }
}

fn is_another_person(told: &Map<String, Value>, before: &SecretString) -> bool {
    let known = claims(before);
    let known = known.as_ref().and_then(|claims| text(claims, "sub"));
    known.is_some() && known != text(told, "sub")
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}
