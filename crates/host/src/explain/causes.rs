//! The causes of an error in the order in which a person reads them, without wrapping that says nothing.

use std::error::Error as StdError;

use doorkey_discovery::Attempts;
use doorkey_rmcp::{ConnectError, TransportError};

use super::line;
use crate::error::Error;

/// What failed, then each cause.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) lines: Vec<String>,
    /// What was tried beside what the causes are about.
    pub(super) also_tried: Vec<String>,
}

/// Where an error happened.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) leg: Option<&'static str>,
    pub(super) url: Option<String>,
    pub(super) status: Option<u16>,
}

pub(super) fn of(error: &Error) -> Told {
    let mut told = Told::default();
    told.tell(error);
    told
}

impl Told {
    fn tell(&mut self, error: &Error) {
        match error {
            // The file can be used: it is the name that does not suit.
            Error::Config(config) if config.is_about_a_name() => {}
            _ => self.say(&error.to_string()),
        }
        if let Error::Rejected { source, .. } | Error::Unproven { source, .. } = error {
            self.tell(source);
        } else if let Some(authorization) = error.authorization() {
            // rmcp's own wrapping in between says nothing that a person can use.
            self.chain(Some(authorization));
        } else if let Some(answer) = error.protocol_error() {
            let (message, code) = (&answer.message, answer.code.0);
            self.say(&format!("the server answered: {message} ({code})"));
        } else if let Some(transport) = error.transport() {
            if let Error::Connect { source, .. } = error
                && transport.place().is_none()
            {
                // What rmcp says of an answer names no address.
                self.say(&source.to_string());
            }
            self.chain(Some(transport));
        } else {
            self.chain(error.source());
        }
    }

    fn chain(&mut self, first: Option<&(dyn StdError + 'static)>) {
        for cause in std::iter::successors(first, |&cause| cause.source()) {
            if let Some(attempts) = cause.downcast_ref::<Attempts>() {
                self.attempts(attempts);
            } else if !says_nothing(cause) {
                self.say(&cause.to_string());
            }
        }
    }

    /// The failure that leads; the others are told after the causes of that one.
    fn attempts(&mut self, attempts: &Attempts) {
        if let Some(lead) = attempts.lead_in_words() {
            self.say(&lead);
        }
        let others = attempts.others_in_words();
        self.also_tried.extend(others.map(|other| line(&other)));
    }

    /// Says it, unless it was said by the end of the line before.
    fn say(&mut self, text: &str) {
        let text = line(text);
        let is_said = |last: &String| last.ends_with(&text);
        if !self.lines.last().is_some_and(is_said) {
            self.lines.push(text);
        }
    }
}

/// Whether the cause below says all of it, and more.
fn says_nothing(error: &(dyn StdError + 'static)) -> bool {
    use doorkey_oauth::{Error as Authorization, InteractionError};
    matches!(
        error.downcast_ref(),
        Some(Authorization::Discovery(_) | Authorization::Interaction(_))
    ) || matches!(error.downcast_ref(), Some(InteractionError::Other(_)))
}

/// A failure of one of the libraries with its causes, each as one line, as people read them.
#[must_use]
pub fn causes(error: &(dyn StdError + 'static)) -> Vec<String> {
    let mut told = Told::default();
    told.chain(Some(error));
    told.lines
}

pub(super) fn place(error: &Error) -> Place {
    if let Error::Rejected { source, .. } | Error::Unproven { source, .. } = error {
        return place(source);
    }
    let transport = error.transport();
    let authorization = error.authorization();
    let http = match error {
        Error::Client { source, .. } => Some(source),
        _ => None,
    };
    let leg = transport
        .and_then(TransportError::leg)
        .or_else(|| authorization.and_then(doorkey_oauth::Error::leg))
        .or_else(|| http.and_then(doorkey_http::Error::leg));
    let url = transport
        .and_then(TransportError::place)
        .or_else(|| authorization.and_then(doorkey_oauth::Error::place))
        .or_else(|| of_host(error));
    let status = transport
        .and_then(TransportError::status)
        .or_else(|| authorization.and_then(doorkey_oauth::Error::status));
    let is_of_server = matches!(
        error,
        Error::Connect { .. }
            | Error::Request { .. }
            | Error::TimedOut { .. }
            | Error::EventTooLarge { .. }
            | Error::EndlessList { .. }
    );
    let leg = leg.or_else(|| is_of_server.then_some(doorkey_http::Leg::Resource));
    Place {
        leg: leg.map(doorkey_http::Leg::as_str),
        url: url.map(|url| line(&url)),
        status: status.map(|status| status.as_u16()),
    }
}

fn of_host(error: &Error) -> Option<String> {
    match error {
        Error::Connect { source, .. } => ConnectError::place(source).map(str::to_owned),
        Error::EventTooLarge { url, .. } | Error::EndlessList { url, .. } => Some(url.to_string()),
        Error::Client { source, .. } => source.url().map(ToString::to_string),
        _ => None,
    }
}
