//! Why a person has to sign in, kept with the grant so that every later process says the same until
//! somebody does (REF-07, CH-05).

use doorkey_store::{Grant, Proof};
use serde_json::{Map, Value, json};

use crate::error::LoginReason;
use crate::protocol_error::ProtocolError;

/// Keeps the reason with the grant. One that a corrected configuration mends is not kept.
pub(super) fn record(grant: &mut Grant, reason: &LoginReason) {
    let Some(name) = name(reason) else {
        return;
    };
    let mut kept = json!({ "reason": name });
    let mut told = reason.to_string();
    if let Some(error) = reason.refusal() {
        kept["code"] = json!(error.code);
        if let Some(description) = &error.description {
            kept["description"] = json!(description);
            told = format!("{told}: {description}");
        }
    }
    grant.last_error = Some(told);
    grant.extra.insert(String::from(LOGIN_REASON), kept);
}

/// Whether the reason is one to keep: no change of the configuration undoes it.
pub(super) fn is_kept(reason: &LoginReason) -> bool {
    name(reason).is_some()
}

/// Forgets the reason: what was just issued is untried.
pub(super) fn forget(grant: &mut Grant) {
    grant.last_error = None;
    grant.extra.remove(LOGIN_REASON);
}

/// The reason that was kept. What the resource had against the token is void once it takes it.
pub(super) fn login_reason(grant: &Grant) -> Option<LoginReason> {
    let kept = grant.extra.get(LOGIN_REASON)?.as_object()?;
    let reason = match kept.get("reason")?.as_str()? {
        REFRESH_REFUSED => LoginReason::RefreshRefused(error(kept)?),
        REFRESH_INTERRUPTED => LoginReason::RefreshInterrupted(error(kept)?),
        REGISTRATION_GONE => LoginReason::RegistrationGone(error(kept)?),
        _ if grant.proof != Proof::Rejected => return None,
        REFRESH_TOKEN_MISSING => LoginReason::RefreshTokenMissing,
        ISSUER_CHANGED => LoginReason::IssuerChanged,
        RESOURCE_CHANGED => LoginReason::ResourceChanged,
        _ => return None,
    };
    Some(reason)
}

/// What a reason to keep is called in the record.
fn name(reason: &LoginReason) -> Option<&'static str> {
    match reason {
        LoginReason::RefreshRefused(_) => Some(REFRESH_REFUSED),
        LoginReason::RefreshInterrupted(_) => Some(REFRESH_INTERRUPTED),
        LoginReason::RegistrationGone(_) => Some(REGISTRATION_GONE),
        LoginReason::RefreshTokenMissing => Some(REFRESH_TOKEN_MISSING),
        LoginReason::IssuerChanged => Some(ISSUER_CHANGED),
        LoginReason::ResourceChanged => Some(RESOURCE_CHANGED),
        LoginReason::NoGrant
        | LoginReason::ClientChanged
        | LoginReason::ClientRefused(_)
        | LoginReason::FlowChanged
        | LoginReason::BindingChanged
        | LoginReason::DpopKeyLost
        | LoginReason::SignOn(_)
        | LoginReason::TokenRejected => None,
    }
}

fn error(kept: &Map<String, Value>) -> Option<ProtocolError> {
    let code = kept.get("code")?.as_str()?;
    let description = kept.get("description").and_then(Value::as_str);
    Some(ProtocolError::new(code, description, None))
}

/// The member of a stored grant with the reason.
const LOGIN_REASON: &str = "doorkey_login_reason";
const REFRESH_REFUSED: &str = "refresh_refused";
const REFRESH_INTERRUPTED: &str = "refresh_interrupted";
const REGISTRATION_GONE: &str = "registration_gone";
const REFRESH_TOKEN_MISSING: &str = "refresh_token_missing";
const ISSUER_CHANGED: &str = "issuer_changed";
const RESOURCE_CHANGED: &str = "resource_changed";
