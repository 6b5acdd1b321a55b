//! What a caller who does not get in is told (RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1).

use http::{StatusCode, header};

use super::{builder::Prm, handler::Handler};
use crate::{
    Dpop, SigningAlgorithm, TokenFacts,
    dpop::NONCE_FIELD,
    reply::{self, Reply},
};

/// How a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Bearer,
    Dpop,
}

/// Why a token that was sent is not accepted.
#[derive(Debug)]
pub(super) struct Rejected {
    pub(super) scheme: Scheme,
    pub(super) error: &'static str,
    pub(super) why: String,
    /// The nonce that the next proof needs.
    pub(super) nonce: Option<String>,
}

impl Rejected {
    /// `invalid_token`.
    pub(super) fn token(scheme: Scheme, why: impl Into<String>) -> Self {
        Self {
            scheme,
            error: "invalid_token",
            why: why.into(),
            nonce: None,
        }
    }
}

/// 401; `rejected` is given if a token was sent (RFC 6750 §3.1).
pub(super) fn unauthorized(handler: &Handler, rejected: Option<&Rejected>) -> Box<Reply> {
    let why = rejected.map_or("there is no token", |r| r.why.as_str());
    handler.note_refusal(format!("401: {why}"));
    let mut reply = reply::empty(StatusCode::UNAUTHORIZED);
    for line in lines(handler, rejected) {
        reply::append(&mut reply, header::WWW_AUTHENTICATE, &line);
    }
    if let Some(nonce) = rejected.and_then(|r| r.nonce.as_deref()) {
        reply::append(&mut reply, NONCE_FIELD, nonce);
    }
    Box::new(reply)
}

/// 403 `insufficient_scope`, by the scheme of the token that was sent.
pub(super) fn forbidden(handler: &Handler, facts: &TokenFacts, missing: &str) -> Box<Reply> {
    handler.note_refusal(format!("403: insufficient scope, {missing} is missing"));
    let scheme = match facts.thumbprint {
        Some(_) => "DPoP",
        None => "Bearer",
    };
    let mut challenge = format!("{scheme} scope=\"{missing}\"");
    append_metadata(handler, &mut challenge);
    challenge.push_str(", error=\"insufficient_scope\"");
    let mut reply = reply::empty(StatusCode::FORBIDDEN);
    reply::append(&mut reply, header::WWW_AUTHENTICATE, &challenge);
    Box::new(reply)
}

/// 400 for a request that presents a token in a wrong way.
pub(super) fn invalid_request(handler: &Handler, why: &str) -> Box<Reply> {
    handler.note_refusal(format!("400: {why}"));
    let mut reply = reply::empty(StatusCode::BAD_REQUEST);
    let challenge = format!("Bearer error=\"invalid_request\", error_description=\"{why}\"");
    reply::append(&mut reply, header::WWW_AUTHENTICATE, &challenge);
    Box::new(reply)
}

fn lines(handler: &Handler, rejected: Option<&Rejected>) -> Vec<String> {
    // A script says nothing about nonces, which are for the proof alone.
    let about_nonce = rejected.filter(|r| r.nonce.is_some());
    if let Some(rejected) = about_nonce {
        return vec![line(handler, Scheme::Dpop, Some(rejected))];
    }
    if let Some(lines) = &handler.config.challenges {
        let scope = handler.state().required_scopes.join(" ");
        let url = handler.metadata_url().unwrap_or_default();
        let fill = |line: &String| {
            line.replace("{resource_metadata}", &url)
                .replace("{scope}", &scope)
        };
        return lines.iter().map(fill).collect();
    }
    let dpop = handler.state().dpop;
    let schemes: &[Scheme] = match dpop {
        Dpop::Off | Dpop::Ignored => &[Scheme::Bearer],
        Dpop::Supported => &[Scheme::Dpop, Scheme::Bearer],
        Dpop::Required => &[Scheme::Dpop],
    };
    // The error stands with the scheme that was used, or else with the first.
    let at_fault = rejected
        .map(|r| r.scheme)
        .filter(|scheme| schemes.contains(scheme))
        .or(schemes.first().copied());
    schemes
        .iter()
        .map(|scheme| {
            line(
                handler,
                *scheme,
                rejected.filter(|_| at_fault == Some(*scheme)),
            )
        })
        .collect()
}

fn line(handler: &Handler, scheme: Scheme, rejected: Option<&Rejected>) -> String {
    let mut challenge = match scheme {
        Scheme::Bearer => "Bearer realm=\"mcp\"".to_owned(),
        Scheme::Dpop => {
            let algorithms = SigningAlgorithm::names(&handler.config.dpop_algorithms);
            format!("DPoP realm=\"mcp\", algs=\"{}\"", algorithms.join(" "))
        }
    };
    if let Some(Rejected { error, why, .. }) = rejected {
        challenge.push_str(&format!(", error=\"{error}\", error_description=\"{why}\""));
    }
    append_metadata(handler, &mut challenge);
    let scope = handler.state().required_scopes.join(" ");
    if handler.config.scope_in_challenge && !scope.is_empty() {
        challenge.push_str(&format!(", scope=\"{scope}\""));
    }
    challenge
}

fn append_metadata(handler: &Handler, challenge: &mut String) {
    if matches!(handler.config.prm, Prm::Challenge | Prm::Custom(_))
        && let Some(url) = handler.metadata_url()
    {
        challenge.push_str(&format!(", resource_metadata=\"{url}\""));
    }
}
