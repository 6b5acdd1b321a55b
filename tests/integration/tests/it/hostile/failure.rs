//! How a leg ended, if not well: as the host sees it.

use std::error::Error as StdError;

use doorkey_rmcp::{
    ConnectError, authorization_error, rmcp::service::ServiceError, transport_error,
};

use crate::sentinel::{Evidence, shown};

/// How it ended, if not well.
#[derive(Debug)]
pub(super) struct Failure {
    /// What a person reads: the failure and its causes.
    pub(super) lines: Vec<String>,
    /// The same with everything that programmers see.
    pub(super) evidence: Vec<Evidence>,
    pub(super) is_transient: bool,
    pub(super) needs_login: bool,
    /// What is said to do next.
    pub(super) next: Option<String>,
}

impl Failure {
    fn of(error: &(dyn StdError + 'static)) -> Self {
        let authorization = authorization_error(error);
        let transport = transport_error(error);
        // rmcp's own wrapping says nothing that a person can use.
        let first: &(dyn StdError + 'static) = match (authorization, transport) {
            (Some(error), _) => error,
            (None, Some(error)) => error,
            (None, None) => error,
        };
        let causes = std::iter::successors(Some(first), |&error| error.source());
        let mut lines: Vec<_> = causes.map(ToString::to_string).collect();
        lines.dedup();
        let is_tls = authorization
            .and_then(doorkey_oauth::Error::http)
            .is_some_and(doorkey_http::Error::is_tls);
        let mut next = authorization
            .and_then(doorkey_oauth::Error::next_step)
            .map(|step| format!("{step:?}"));
        if next.is_none() && is_tls {
            next = Some("name the authority's certificate".to_owned());
        }
        Self {
            lines,
            evidence: shown("the error", error),
            is_transient: authorization.is_some_and(doorkey_oauth::Error::is_transient),
            needs_login: authorization.is_some_and(doorkey_oauth::Error::needs_login),
            next,
        }
    }

    pub(super) fn of_login(what: &'static str, error: doorkey_oauth::Error) -> Self {
        Self::of_host(&doorkey::Error::Authorization {
            what,
            server: SERVER.to_owned(),
            source: Box::new(error),
        })
    }

    pub(super) fn of_connect(error: ConnectError) -> Self {
        Self::of_host(&doorkey::Error::Connect {
            server: SERVER.to_owned(),
            source: Box::new(error),
        })
    }

    pub(super) fn of_request(what: &'static str, error: ServiceError) -> Self {
        Self::of_host(&doorkey::Error::Request {
            what,
            server: SERVER.to_owned(),
            source: Box::new(error),
        })
    }

    /// As the host sees it.
    pub(super) fn of_host(error: &doorkey::Error) -> Self {
        let mut failure = Self::of(error);
        let first = error.to_string();
        if failure.lines.first() != Some(&first) {
            failure.lines.insert(0, first);
        }
        let is_transient = error.is_transient();
        let retry = is_transient.then(|| "try again".to_owned());
        Self {
            is_transient,
            needs_login: error.needs_login(),
            next: failure.next.or_else(|| error.remedy()).or(retry),
            ..failure
        }
    }
}

/// What the host calls the server.
pub(super) const SERVER: &str = "it";
