//! What an answer of the MCP server says that is no MCP message and no challenge.

use std::time::Duration;

use doorkey_http::{Recorded, RedactedUrl, Trouble};
use http::StatusCode;
use http::header::{LOCATION, RETRY_AFTER};
use url::Url;

use super::fault::Fault;
use super::seen::{self, Secrets};
use super::table::{first, network as net};
use super::way::of_trouble;

/// A fault, and what it is about.
pub(super) struct Judged {
    pub(super) fault: &'static Fault,
    pub(super) value: String,
}

impl Judged {
    pub(super) fn new(fault: &'static Fault, value: impl Into<String>) -> Self {
        Self {
            fault,
            value: value.into(),
        }
    }
}

/// What is wrong with an exchange with the MCP server; `None` where the answer is one to be read.
pub(super) fn judge(recorded: &Recorded, secrets: &Secrets) -> Option<Judged> {
    if let Some(trouble) = seen::trouble(recorded) {
        let why = seen::first_cause(recorded).unwrap_or_default();
        return Some(Judged::new(of_resource(trouble), why));
    }
    let status = seen::status(recorded)?;
    let excerpt = || seen::excerpt(recorded, secrets, 200).unwrap_or_else(|| "no body".to_owned());
    Some(match status {
        StatusCode::UNAUTHORIZED => return None,
        StatusCode::FORBIDDEN if seen::is_page(recorded) || is_mitigated(recorded) => {
            Judged::new(&first::BOT_WALL, excerpt())
        }
        StatusCode::FORBIDDEN => Judged::new(&first::FORBIDDEN, excerpt()),
        StatusCode::NOT_FOUND | StatusCode::GONE if !is_rpc(recorded) => {
            Judged::new(&first::NOT_FOUND, excerpt())
        }
        StatusCode::METHOD_NOT_ALLOWED => Judged::new(&first::METHOD_REFUSED, excerpt()),
        StatusCode::TOO_MANY_REQUESTS => Judged::new(&first::TOO_MANY_REQUESTS, wait(recorded)),
        status if status.is_redirection() => Judged::new(&first::REDIRECTED, target(recorded)),
        status if status.is_server_error() => Judged::new(&first::SERVER_ERROR, excerpt()),
        _ if seen::is_page(recorded) => Judged::new(&first::WEB_PAGE, excerpt()),
        status if status.is_success() || is_rpc(recorded) => return None,
        _ => Judged::new(&first::REQUEST_REFUSED, excerpt()),
    })
}

/// Why the MCP server gave no answer.
pub(super) fn of_resource(trouble: Trouble) -> &'static Fault {
    match trouble {
        Trouble::NobodyListens | Trouble::NoConnection => &net::CONNECTION_REFUSED,
        Trouble::ConnectTimeout => &net::CONNECTION_TIMEOUT,
        Trouble::Silence => &first::ANSWER_TOO_SLOW,
        Trouble::TooLarge => &first::ANSWER_TOO_LARGE,
        Trouble::Redirect => &first::REDIRECTED,
        other => of_trouble(other).unwrap_or(&first::ANSWER_BROKEN),
    }
}

/// Whether something that guards many sites says that it answered in place of the server. That an answer came through
/// one of those says nothing: all do.
fn is_mitigated(recorded: &Recorded) -> bool {
    let marks = ["cf-mitigated", "x-amzn-waf-action"];
    seen::headers(recorded)
        .is_some_and(|headers| marks.iter().any(|mark| headers.contains_key(*mark)))
}

/// Whether the body is a message of JSON-RPC: then the MCP server itself answered.
pub(super) fn is_rpc(recorded: &Recorded) -> bool {
    let value = serde_json::from_slice::<serde_json::Value>(seen::body(recorded));
    value.is_ok_and(|value| value.get("jsonrpc").is_some())
}

/// `, and asks to wait 30 s`, where it does.
fn wait(recorded: &Recorded) -> String {
    let seconds = seen::header(recorded, &RETRY_AFTER)
        .and_then(|text| text.trim().parse().ok())
        .map(|seconds: u32| Duration::from_secs(seconds.into()));
    seconds.map_or_else(String::new, |wait| {
        format!(", and asks to wait {} s", wait.as_secs())
    })
}

fn target(recorded: &Recorded) -> String {
    let location = seen::header(recorded, &LOCATION).unwrap_or_default();
    match recorded.url.join(&location) {
        Ok(target) => RedactedUrl::from(&target as &Url).to_string(),
        Err(_) => "nowhere".to_owned(),
    }
}
