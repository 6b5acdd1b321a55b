//! Logs on standard error, for those who ask.

use std::fmt;
use std::io;

use doorkey::Environment;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{DefaultFields, Format, FormatEvent, Full, Writer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::output::{Output, clean};

/// Starts logging where `--verbose` or `DOORKEY_LOG` asks for it. No secret is ever logged.
pub(crate) fn start(verbose: u8, environment: &Environment, output: &Output) {
    let wanted = match (verbose, environment.text("DOORKEY_LOG")) {
        (0, Ok(None)) => return,
        (0, Ok(Some(filter))) => filter.to_owned(),
        (1, _) => REQUESTS.to_owned(),
        (2, _) => DETAILS.to_owned(),
        (0, Err(error)) => {
            output.warn(&error.to_string());
            return;
        }
        _ => "trace".to_owned(),
    };
    let filter = match wanted.parse::<Targets>() {
        Ok(filter) => filter,
        Err(error) => {
            output.warn(&format!("DOORKEY_LOG: {error}"));
            return;
        }
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(output.manner().colors.stderr)
        .with_writer(io::stderr)
        .event_format(Lines::default());
    let started = tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .try_init();
    if let Err(error) = started {
        output.warn(&format!("no log: {error}"));
    }
}

/// A request on one line for people, and everything else as it is usual.
#[derive(Default)]
struct Lines {
    others: Format<Full>,
}

impl<S> FormatEvent<S, DefaultFields> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, DefaultFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().target() != REQUEST {
            return self.others.format_event(context, writer, event);
        }
        let mut request = Request::default();
        event.record(&mut request);
        writeln!(writer, "{request}")
    }
}

/// What an event of the request log says, see `doorkey_http`.
#[derive(Default)]
struct Request {
    leg: String,
    method: String,
    url: String,
    grant: Option<String>,
    status: Option<u64>,
    elapsed_ms: u64,
    bytes: u64,
    error: Option<String>,
}

impl Visit for Request {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let value = clean(value);
        match field.name() {
            "leg" => self.leg = value,
            "method" => self.method = value,
            "url" => self.url = value,
            "grant" => self.grant = Some(value),
            "error" => self.error = Some(value),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "status" => self.status = Some(value),
            "elapsed_ms" => self.elapsed_ms = value,
            "bytes" => self.bytes = value,
            _ => {}
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({}", self.method, self.url, self.leg)?;
        if let Some(grant) = &self.grant {
            write!(f, ": {grant}")?;
        }
        f.write_str(") → ")?;
        if let Some(status) = self.status {
            write!(f, "{status}, {} bytes, ", self.bytes)?;
        }
        write!(f, "{} ms", self.elapsed_ms)?;
        match &self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

/// With `-v`: a line for each request, and what happened to logins.
const REQUESTS: &str = "info,doorkey=debug,doorkey_http::request=debug";
/// With `-vv`: headers with masked secrets, and all that doorkey's crates do; not what libraries below them do.
const DETAILS: &str = "info,doorkey=trace,doorkey_http=trace,doorkey_discovery=trace,doorkey_store=trace,\
                       doorkey_oauth=trace,doorkey_rmcp=trace,rmcp=debug";
const REQUEST: &str = "doorkey_http::request";

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_filter_names_targets_with_levels() {
        let filter: Targets = "doorkey_oauth=info,doorkey_store=warn"
            .parse()
            .expect("as docs/operators.md has it");
        assert!(filter.would_enable("doorkey_oauth::refresh", &Level::INFO));
        assert!(!filter.would_enable("doorkey_oauth::refresh", &Level::DEBUG));
        assert!(!filter.would_enable("doorkey_store", &Level::INFO));
        assert!(!filter.would_enable("hyper", &Level::ERROR));
        for ours in [REQUESTS, DETAILS, "trace"] {
            let filter: Targets = ours.parse().expect("a filter");
            assert!(filter.would_enable(REQUEST, &Level::DEBUG), "{ours}");
        }
        for wrong in ["doorkey_oauth=loud", "doorkey=info=warn"] {
            assert!(wrong.parse::<Targets>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_request_is_one_line_with_what_became_of_it() {
        let mut request = Request {
            leg: "token".to_owned(),
            method: "POST".to_owned(),
            url: "https://as.example/token".to_owned(),
            grant: Some("refresh_token".to_owned()),
            status: Some(200),
            elapsed_ms: 31,
            bytes: 612,
            error: None,
        };
        assert_eq!(
            request.to_string(),
            "POST https://as.example/token (token: refresh_token) → 200, 612 bytes, 31 ms"
        );
        request.status = None;
        request.grant = None;
        request.error = Some("no route to host".to_owned());
        assert_eq!(
            request.to_string(),
            "POST https://as.example/token (token) → 31 ms: no route to host"
        );
    }
}
