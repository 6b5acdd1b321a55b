//! Why an attempt failed, in a form that can be shown, and whether another may succeed.

use std::error::Error as StdError;
use std::io;

use deadpool_postgres::PoolError;

use super::STORE;
use crate::{Defect, Error};

/// What went wrong. Its text holds no secret: of what the server says, only code and message, for the details quote rows.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    /// The server refused.
    #[error("the server says: {message} (SQLSTATE {code})")]
    Server { code: String, message: String },
    /// The connection could not be made, or broke.
    #[error("the server cannot be reached")]
    Connection(#[source] tokio_postgres::Error),
    /// The server said something that the protocol does not allow, or another type than asked for.
    #[error("the server's answer cannot be read")]
    Answer(#[source] tokio_postgres::Error),
    /// The server did not answer in time, or no connection was free in time.
    #[error("it took longer than the limit")]
    TimedOut,
    /// There are no connections any more.
    #[error("the connections are closed")]
    Closed,
    /// What the host asked for cannot be done. The text says what to change.
    #[error("{0}")]
    Options(&'static str),
    /// The schema is one of a newer version of this crate.
    #[error("its schema has version {found}, this version knows {known}; update doorkey")]
    NewerSchema { found: i32, known: i32 },
    /// The schema is missing or too old, and the options forbid to mend that.
    #[error(
        "its schema has version {found}, this version needs {known}; apply the migrations (docs/postgres.md) or let this crate do so"
    )]
    OlderSchema { found: i32, known: i32 },
    /// The store is sealed, and the host has no key.
    #[error("its records are sealed; give the key that they are sealed with")]
    KeyMissing,
    /// The host has a key, and the records are in the clear.
    #[error("its records are not sealed; leave out the key, or move them to a new schema that is")]
    NotSealed,
    /// The store is sealed with another key.
    #[error("its records are sealed with another key")]
    WrongKey(#[source] Defect),
    /// A row holds what none of ours does.
    #[error("a row is damaged: {0}")]
    Row(&'static str),
}

impl Cause {
    /// Whether another attempt may succeed without anything being changed by hand.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::TimedOut => true,
            Self::Server { code, .. } => is_transient_code(code),
            Self::Connection(error) => !is_refusal(error),
            _ => false,
        }
    }

    /// Whether the server says that there is no such table or schema.
    pub(super) fn is_missing_table(&self) -> bool {
        matches!(self, Self::Server { code, .. } if matches!(code.as_str(), "42P01" | "3F000"))
    }

    /// Whether the server says that the role lacks a right.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Server { code, .. } if code == "42501")
    }

    /// Whether somebody else made the same table or schema at the same moment.
    pub(super) fn is_made_twice(&self) -> bool {
        let twice = ["23505", "42P06", "42P07", "42710"];
        matches!(self, Self::Server { code, .. } if twice.contains(&code.as_str()))
    }

    /// The error of the whole operation: `action` is what was tried, as a verb.
    pub(super) fn during(self, action: &'static str) -> Error {
        Error::Backend {
            store: STORE,
            action,
            transient: self.is_transient(),
            source: Box::new(self),
        }
    }
}

impl From<tokio_postgres::Error> for Cause {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(said) = error.as_db_error() {
            return Self::Server {
                code: shown(said.code().code(), CODE_LIMIT),
                message: shown(said.message(), MESSAGE_LIMIT),
            };
        }
        if error.is_closed() || io_error(&error).is_some() || is_about_connecting(&error) {
            Self::Connection(error)
        } else {
            Self::Answer(error)
        }
    }
}

impl From<PoolError> for Cause {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(_) => Self::TimedOut,
            _ => Self::Closed,
        }
    }
}

/// Text of a server made fit for a terminal and a line of a log: without control characters, and without what changes the direction
/// of text or cannot be seen.
fn shown(text: &str, limit: usize) -> String {
    let is_unseen = |c: char| matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let seen = text.chars().filter(|c| !is_unseen(*c));
    seen.map(|c| if c.is_control() { ' ' } else { c })
        .take(limit)
        .collect()
}

/// Classes 08 (connection) and 53 (too many connections, no memory, no space), and what a restart, a failover, a cancelled
/// statement or a conflict between transactions answers.
fn is_transient_code(code: &str) -> bool {
    let codes = [
        "25006", "40001", "40003", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "57P05",
    ];
    code.starts_with("08") || code.starts_with("53") || codes.contains(&code)
}

/// Whether TLS was refused for what the other side is: trying again changes nothing.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    if error.is_closed() {
        return false;
    }
    match io_error(error) {
        Some(error) => error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .is_some(),
        // The server has no TLS, or wants a way to sign in that is not to be had.
        None => !is_timeout(error),
    }
}

/// The error of the operating system in the chain, if there is one.
fn io_error(error: &tokio_postgres::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        source = error.source();
    }
    None
}

/// The library keeps the kinds of its errors to itself, but not their texts.
fn is_about_connecting(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    ["connect", "TLS", "timeout", "authentication"]
        .iter()
        .any(|word| text.contains(word))
}

fn is_timeout(error: &tokio_postgres::Error) -> bool {
    error.to_string().contains("timeout")
}

/// Characters of a server's code that are kept: as many as a code has.
const CODE_LIMIT: usize = 5;
/// Characters of a server's message that are kept.
const MESSAGE_LIMIT: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: &str) -> Cause {
        Cause::Server {
            code: code.to_owned(),
            message: "m".to_owned(),
        }
    }

    #[test]
    fn what_the_server_says_for_the_moment_is_transient_and_nothing_else_is() {
        for code in [
            "08006", "08P01", "25006", "40001", "40P01", "53300", "57P01", "57P03",
        ] {
            assert!(server(code).is_transient(), "{code}");
        }
        for code in ["28P01", "3D000", "42501", "42P01", "23505", "XX000"] {
            assert!(!server(code).is_transient(), "{code}");
        }
        assert!(Cause::TimedOut.is_transient());
        for cause in [Cause::KeyMissing, Cause::NotSealed, Cause::Closed] {
            assert!(!cause.is_transient(), "{cause}");
        }
    }

    #[test]
    fn what_a_server_says_cannot_steer_a_terminal() {
        let said = "a\u{1b}[2J\u{9b}2J\r\nb\u{202e}c\u{2028}\u{feff}é";
        assert_eq!(shown(said, 300), "a [2J 2J  bcé");
        assert_eq!(shown("57P01\u{1b}", CODE_LIMIT), "57P01");
    }

    #[test]
    fn a_failed_operation_says_what_was_tried_and_why_it_failed() {
        let error = server("57P01").during("save");
        assert!(error.is_transient() && !error.needs_login());
        assert_eq!(error.to_string(), "the postgres store cannot save");
        assert_eq!(
            error.source().unwrap().to_string(),
            "the server says: m (SQLSTATE 57P01)"
        );
    }
}
