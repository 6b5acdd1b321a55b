//! The opening of a session with the token at hand, the list of tools, and the clocks.

use std::time::{Duration, SystemTime};

use doorkey_http::{Outcome, Recorded};
use doorkey_oauth::{Challenges, Error as OAuthError, TokenSource};
use doorkey_rmcp::rmcp::model::{ClientCapabilities, ClientConfig, Implementation};
use doorkey_rmcp::{AuthorizedClient, ClientOptions, ConnectError, ConnectOptions};
use doorkey_store::Store;
use http::StatusCode;
use http::header::DATE;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::answer;
use super::asking::Asked;
use super::diagnosis::Evidence;
use super::engine::{Doctor, Patient, told};
use super::fault::{Fault, Step};
use super::refresh::Sent;
use super::seen;
use super::table::{first, session as table};
use crate::connection::Connection;
use crate::error::Error;
use crate::host::{Host, Session};

impl Doctor<'_> {
    pub(super) async fn session(&mut self, patient: &Patient, asked: &Asked, sent: Sent) {
        self.notes.begin(Step::Initialize);
        let mark = self.recorder.len();
        let session = with_token(patient, &sent, self.host);
        let server = &patient.server;
        let options = ClientOptions::default().with_standalone_stream(false);
        let client = AuthorizedClient::new(session.http.clone(), session.tokens.clone(), options);
        let (events, faults) = (client.events(), client.events());
        let mut options = ConnectOptions::default();
        options.protocol = server.protocol;
        options.startup_limit = server.startup_timeout;
        let implementation = Implementation::new("doorkey", env!("CARGO_PKG_VERSION"));
        let handler = ClientConfig::new(ClientCapabilities::default(), implementation);
        let connected = doorkey_rmcp::connect(client, &server.url, options, handler).await;
        let connected = match connected {
            Ok(connected) => connected,
            Err(source) => {
                let error = Error::Connect {
                    server: server.name.clone(),
                    source: Box::new(source),
                };
                self.session_failed(&error, asked, &sent, mark, patient);
                return;
            }
        };
        let connection = Connection::new(session, connected, events, faults);
        self.notes
            .ok(format!("MCP {}{}", connection.wire(), with(&sent)));
        self.notes.begin(Step::Tools);
        let mark = self.recorder.len();
        let tools = connection.list_tools().await;
        connection.close(CLOSE).await;
        match tools {
            Ok(tools) if tools.len() == 1 => self.notes.ok("one tool"),
            Ok(tools) => self.notes.ok(format!("{} tools", tools.len())),
            Err(error) => self.session_failed(&error, asked, &sent, mark, patient),
        }
    }

    fn session_failed(
        &mut self,
        error: &Error,
        asked: &Asked,
        sent: &Sent,
        mark: usize,
        patient: &Patient,
    ) {
        let exchanges = self.since(mark);
        let bad = |it: &&Recorded| seen::status(it).is_none_or(|status| !status.is_success());
        let exchange = exchanges.iter().find(bad).or(exchanges.last());
        let is_tools = self.notes.is_at(Step::Tools);
        let (fault, value) = of_session(error, asked, sent, exchange, is_tools, patient);
        let value = match value.is_empty() {
            true => exchange
                .and_then(|it| answer::judge(it, &self.notes.secrets))
                .map_or_else(String::new, |judged| judged.value),
            false => value,
        };
        let evidence = exchange.map(|it| self.notes.evidence(it));
        self.notes.fail(fault, evidence, &[("value", value)]);
    }

    /// Compares the clock here with those of the servers that named theirs.
    pub(super) fn clock(&mut self) {
        self.notes.begin(Step::Clock);
        let all = self.since(0);
        let differences = all.iter().filter_map(|it| Some((it, difference(it)?)));
        let Some((exchange, (difference, is_behind))) =
            differences.max_by_key(|(_, (difference, _))| *difference)
        else {
            self.notes.done(
                super::diagnosis::Status::Skipped,
                "no server named its time",
            );
            return;
        };
        if difference < TOLERATED {
            self.notes.ok("the clocks agree");
            return;
        }
        let side = if is_behind { "behind" } else { "ahead" };
        let value = format!("{} s: this machine is {side}", difference.as_secs());
        let evidence = Evidence {
            excerpt: seen::header(exchange, &DATE).map(|date| format!("Date: {date}")),
            ..self.notes.evidence(exchange)
        };
        self.notes.find(
            &table::CLOCK_WRONG,
            Some(evidence),
            &[("value", value.clone())],
        );
        self.notes.ok(value);
    }
}

/// The same session with a token that is neither replaced nor judged when the server rejects it: what it said is what is
/// to be known. Where the server wants none, no stored login is touched either.
fn with_token(patient: &Patient, sent: &Sent, host: &Host) -> Session {
    let session = &patient.session;
    let tokens = match sent {
        Sent::Token(token) => session.tokens.holding(token.clone()),
        Sent::Configured => session.tokens.clone(),
        Sent::Nothing => {
            let Some(config) = host.authorization_config(&patient.server).ok() else {
                return session.clone();
            };
            TokenSource::builder(config, session.http.clone(), Store::memory()).build()
        }
    };
    Session {
        tokens,
        ..session.clone()
    }
}

fn with(sent: &Sent) -> &'static str {
    match sent {
        Sent::Nothing => ", without a token",
        Sent::Configured => ", with the configured token",
        Sent::Token(_) => ", with the token of the login",
    }
}

fn of_session(
    error: &Error,
    asked: &Asked,
    sent: &Sent,
    exchange: Option<&Recorded>,
    is_tools: bool,
    patient: &Patient,
) -> (&'static Fault, String) {
    use OAuthError as E;
    let otherwise = if is_tools {
        &table::TOOLS_FAILED
    } else {
        &table::SESSION_REFUSED
    };
    if let Error::Connect { source, .. } = error
        && let ConnectError::WireRefused { .. } = &**source
    {
        return (&table::VERSION_UNSUPPORTED, source.to_string());
    }
    match error.authorization() {
        Some(E::InsufficientScope {
            required,
            challenges,
        }) => {
            return (&table::SCOPE_MISSING, scopes(required, challenges));
        }
        Some(E::DpopProofRejected { challenges, .. }) => {
            return (&table::DPOP_REJECTED, said(challenges));
        }
        Some(
            rejected @ (E::BearerRejected { .. }
            | E::TokenRejectedByResource { .. }
            | E::LoginRequired { .. }),
        ) => {
            let challenges = rejected.challenges().cloned().unwrap_or_default();
            return of_rejection(&challenges, asked, sent, patient);
        }
        Some(other) if other.http().is_none() => return (otherwise, told(other)),
        _ => {}
    }
    if let Some(message) = error.protocol_error() {
        let message = doorkey_http::clean_text(&message.message, 200);
        return (otherwise, message);
    }
    if is_tools {
        return (&table::TOOLS_FAILED, told(error));
    }
    if let Some(http) = error.authorization().and_then(E::http) {
        return (answer::of_resource(http.trouble()), told(http));
    }
    match exchange.and_then(seen::status) {
        Some(StatusCode::FORBIDDEN) => (&table::FORBIDDEN_WITH_TOKEN, String::new()),
        Some(StatusCode::TOO_MANY_REQUESTS) => (&first::TOO_MANY_REQUESTS, String::new()),
        Some(status) if status.is_server_error() => {
            (&table::SESSION_BROKEN, format!("HTTP {}", status.as_u16()))
        }
        Some(status) if status.is_success() => (&table::VERSION_UNSUPPORTED, told(error)),
        _ => (&table::SESSION_REFUSED, told(error)),
    }
}

fn of_rejection(
    challenges: &Challenges,
    asked: &Asked,
    sent: &Sent,
    patient: &Patient,
) -> (&'static Fault, String) {
    let wants_proof = |challenges: &Challenges| {
        challenges.iter().any(|it| it.is_scheme("DPoP"))
            && !challenges.iter().any(|it| it.is_scheme("Bearer"))
    };
    match (sent, patient.server.bearer_key()) {
        (Sent::Configured, Some(key)) => (&table::BEARER_REJECTED, key.to_owned()),
        (Sent::Token(token), _)
            if token.token_type() == doorkey_oauth::TokenType::Bearer
                && (wants_proof(challenges)
                    || asked.challenges.as_ref().is_some_and(wants_proof)) =>
        {
            (&table::DPOP_WANTED, String::new())
        }
        _ => (&table::TOKEN_REJECTED, said(challenges)),
    }
}

/// `: invalid_token, wrong audience`, as far as the challenge says.
fn said(challenges: &Challenges) -> String {
    let challenge = challenges.iter().find(|it| it.error().is_some());
    let Some(challenge) = challenge else {
        return String::new();
    };
    let parts = [challenge.error(), challenge.error_description()];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    format!(": {}", doorkey_http::clean_text(&text, 200))
}

fn scopes(required: &doorkey_oauth::Scopes, challenges: &Challenges) -> String {
    let all = match required.is_empty() {
        true => challenges.scope().unwrap_or_default(),
        false => required.clone(),
    };
    let quoted: Vec<_> = all.iter().map(|scope| format!("{scope:?}")).collect();
    doorkey_http::clean_text(&quoted.join(", "), 300)
}

/// How far the server's clock is from the one here, and whether that one is behind.
fn difference(recorded: &Recorded) -> Option<(Duration, bool)> {
    let Outcome::Answered { .. } = &recorded.outcome else {
        return None;
    };
    let theirs = http_date(&seen::header(recorded, &DATE)?)?;
    // The answer was made somewhere between asking and getting it.
    let ours = recorded.started + recorded.took / 2;
    Some(match theirs.duration_since(ours) {
        Ok(ahead) => (ahead, true),
        Err(behind) => (behind.duration(), false),
    })
}

/// A date as HTTP writes it (RFC 9110 §5.6.7); the obsolete forms are passed over.
fn http_date(text: &str) -> Option<SystemTime> {
    let date = OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?;
    Some(date.into())
}

/// Less than this explains nothing.
const TOLERATED: Duration = Duration::from_secs(120);
const CLOSE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_is_read() {
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        assert_eq!(http_date("Sun, 09 Sep 2001 01:46:40 GMT"), Some(expected));
        for other in ["", "now", "Sunday, 09-Sep-01 01:46:40 GMT"] {
            assert_eq!(http_date(other), None, "{other}");
        }
    }
}
