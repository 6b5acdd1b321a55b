//! What a refusal means, where a quirk knows.

use super::{Effect, Explanation, Quirk};
use crate::error::{Error, LoginReason};
use crate::protocol_error::ProtocolError;

/// Everything that servers said in an error and its causes, in small letters.
pub(super) fn said(error: &Error) -> Vec<String> {
    let mut said = Vec::new();
    collect(error, &mut said);
    said
}

/// The explanation of a quirk that knows one of these texts.
pub(super) fn of<'a>(quirk: &'a Quirk, said: &[String]) -> Option<&'a Explanation> {
    quirk.effects.iter().find_map(|effect| match effect {
        Effect::Explain(explanation) => {
            let known = explanation.text.to_lowercase();
            said.iter()
                .any(|text| text.contains(&known))
                .then_some(explanation)
        }
        _ => None,
    })
}

fn collect(error: &Error, said: &mut Vec<String>) {
    let mut say = |error: &ProtocolError| {
        said.push(error.code.to_lowercase());
        said.extend(error.description.as_ref().map(|text| text.to_lowercase()));
    };
    match error {
        Error::TokenEndpoint { error, .. }
        | Error::RevocationEndpoint { error, .. }
        | Error::AuthorizationResponse(error)
        | Error::Denied(error) => say(error),
        Error::RegistrationRefused { error, excerpt, .. } => {
            if let Some(error) = error {
                say(error);
            }
            said.push(excerpt.to_lowercase());
        }
        Error::UnreadableResponse { excerpt, .. } => said.push(excerpt.to_lowercase()),
        Error::RefreshFailed(cause) => collect(cause, said),
        Error::LoginRequired { reason, cause, .. } => {
            if let LoginReason::RefreshRefused(error)
            | LoginReason::RefreshInterrupted(error)
            | LoginReason::RegistrationGone(error)
            | LoginReason::ClientRefused(error) = reason
            {
                say(error);
            }
            if let Some(cause) = cause {
                collect(cause, said);
            }
        }
        Error::TokenRejectedByResource { challenges, .. } => {
            said.push(TOKEN_REJECTED.to_owned());
            said.push(challenges.shown().to_lowercase());
        }
        Error::LoginTimedOut { .. } => said.push(TIMED_OUT.to_owned()),
        _ => {}
    }
}

/// What an explanation names that is about a login which nobody completed: what a server says in the browser alone.
const TIMED_OUT: &str = "login timed out";
/// What an explanation names that is about a token which the MCP server does not take.
const TOKEN_REJECTED: &str = "token rejected";
