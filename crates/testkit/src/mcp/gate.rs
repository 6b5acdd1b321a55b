//! Who gets in: bearer tokens (RFC 6750), tokens bound to a key (RFC 9449 §7), scopes.

use std::sync::Arc;

use http::header;

use super::{
    builder::Protect,
    challenge::{self, Rejected, Scheme, invalid_request, unauthorized},
    handler::Handler,
    rpc::{Kind, Message},
};
use crate::{
    Dpop, TokenFacts, authorization,
    dpop::{Flaw, Rules},
    reply::Reply,
    request::Received,
};

/// The facts of the caller's token, `None` if it needs none and has none, or the refusal.
///
/// `message` is `None` for GET, DELETE and bodies that are no message.
pub(super) fn admit(
    handler: &Handler,
    request: &Received,
    message: Option<&Message>,
) -> Result<Option<TokenFacts>, Box<Reply>> {
    if !request.query_parameters().all("access_token").is_empty() {
        return Err(invalid_request(handler, "a token has no business in a URL"));
    }
    let Some(core) = handler.state().authorization.clone() else {
        return Ok(None);
    };
    let given = request.headers.get_all(header::AUTHORIZATION);
    let needed = needs_token(handler, request, message);
    match given.iter().count() {
        0 if needed => return Err(unauthorized(handler, None)),
        0 => return Ok(None),
        1 => {}
        _ => {
            return Err(invalid_request(
                handler,
                "there is more than one Authorization field",
            ));
        }
    }
    let facts =
        check_token(handler, request, &core).map_err(|r| unauthorized(handler, Some(&r)))?;
    if needed {
        check_scopes(handler, &facts, message)?;
    }
    Ok(Some(facts))
}

fn needs_token(handler: &Handler, request: &Received, message: Option<&Message>) -> bool {
    let is_post = request.method == http::Method::POST;
    match handler.config.protect {
        Protect::Everything => true,
        Protect::FromToolsList => {
            let free = |message: &Message| match &message.kind {
                Kind::Request { method, .. } => FREE.contains(&method.as_str()),
                Kind::Notification { .. } | Kind::Response => true,
            };
            is_post && !message.is_some_and(free)
        }
        Protect::ToolCallsOnly => message.and_then(Message::method) == Some("tools/call"),
    }
}

fn check_token(
    handler: &Handler,
    request: &Received,
    core: &Arc<authorization::Core>,
) -> Result<TokenFacts, Rejected> {
    let dpop = handler.state().dpop;
    let (scheme, token) = presented(request, dpop)?;
    let refuse = |why: &str| Err(Rejected::token(scheme, why));
    let Some(facts) = core.inspect(token) else {
        return refuse("the token was not issued by this server's authorization server");
    };
    if handler.state().reject_tokens {
        return refuse("no token is accepted at the moment");
    }
    if !facts.active {
        return refuse("the token has expired or was revoked");
    }
    if facts.audience != handler.audience() {
        return refuse("the token is for another resource");
    }
    match (scheme, &facts.thumbprint) {
        (Scheme::Bearer, Some(_)) => refuse("the token is bound to a key and no bearer token"),
        (Scheme::Bearer, None) if dpop == Dpop::Required => {
            refuse("only tokens that are bound to a key are accepted")
        }
        (Scheme::Bearer, None) => Ok(facts),
        (Scheme::Dpop, None) => refuse("the token is bound to no key"),
        (Scheme::Dpop, Some(bound_to)) => {
            if check_proof(handler, request, token)? != *bound_to {
                return refuse("the token is bound to another key than the proof's");
            }
            handler.state().dpop_proofs += 1;
            Ok(facts)
        }
    }
}

/// Whether the request presents a token by the scheme `DPoP`.
pub(super) fn is_dpop(handler: &Handler, request: &Received) -> bool {
    let dpop = handler.state().dpop;
    matches!(presented(request, dpop), Ok((Scheme::Dpop, _)))
}

/// The scheme and the token of the only `Authorization` field.
fn presented(request: &Received, dpop: Dpop) -> Result<(Scheme, &str), Rejected> {
    let value = request.header(header::AUTHORIZATION.as_str());
    let (scheme, token) = value.and_then(|v| v.split_once(' ')).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok((Scheme::Bearer, token));
    }
    if scheme.eq_ignore_ascii_case("dpop") && dpop.is_checked() {
        return Ok((Scheme::Dpop, token));
    }
    let why = "the Authorization field is no token of a scheme that is accepted";
    Err(Rejected::token(Scheme::Bearer, why))
}

/// The thumbprint of the key that proved itself (RFC 9449 §7.1).
fn check_proof(handler: &Handler, request: &Received, token: &str) -> Result<String, Rejected> {
    let rules = Rules {
        algorithms: &handler.config.dpop_algorithms,
        now: handler.clock.now(),
        nonces: handler.state().dpop_nonces,
        access_token: Some(token),
    };
    let refuse = |error, why, nonce| Rejected {
        scheme: Scheme::Dpop,
        error,
        why,
        nonce,
    };
    match handler.proofs.check(request, &rules) {
        Ok(Some(thumbprint)) => Ok(thumbprint),
        Ok(None) => {
            let why = "there is no DPoP proof".to_owned();
            Err(refuse("invalid_dpop_proof", why, None))
        }
        Err(Flaw::Invalid(why)) => {
            let why = format!("DPoP proof: {why}");
            Err(refuse("invalid_dpop_proof", why, None))
        }
        Err(Flaw::Nonce(nonce)) => {
            handler.state().nonce_challenges += 1;
            let why = "the DPoP proof has not the current nonce".to_owned();
            Err(refuse("use_dpop_nonce", why, Some(nonce)))
        }
    }
}

fn check_scopes(
    handler: &Handler,
    facts: &TokenFacts,
    message: Option<&Message>,
) -> Result<(), Box<Reply>> {
    let mut needed = handler.state().required_scopes.clone();
    if let Some(message) = message
        && message.method() == Some("tools/call")
        && let Some(tool) = message.params["name"].as_str()
    {
        needed.extend(handler.config.tool_scopes.get(tool).cloned());
    }
    needed.retain(|scope| !facts.scopes.contains(scope));
    if needed.is_empty() {
        return Ok(());
    }
    Err(challenge::forbidden(handler, facts, &needed.join(" ")))
}

/// What needs no token under [`Protect::FromToolsList`].
const FREE: [&str; 3] = ["initialize", "server/discover", "ping"];
