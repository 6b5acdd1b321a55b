//! How a leg ended, if not well: as the host sees it.

use doorkey::Target;
use doorkey_rmcp::{ConnectError, rmcp::service::ServiceError};

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
    pub(super) next: String,
}

impl Failure {
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
        let told = error.explain(Target::new(SERVER));
        let lines = told.lines().map(str::to_owned);
        Self {
            lines: lines.chain(told.also_tried.iter().cloned()).collect(),
            evidence: shown("the error", error),
            is_transient: error.is_transient(),
            needs_login: error.needs_login(),
            next: told.next.text,
        }
    }
}

/// What the host calls the server.
pub(super) const SERVER: &str = "it";
