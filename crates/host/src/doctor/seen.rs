//! One exchange as it may be shown: redacted, cleaned, bounded.

use doorkey_http::{Outcome, Recorded, RedactedUrl, SentSecrets, Trouble, clean_text};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use url::Url;

use super::diagnosis::Evidence;
use super::mask::masked;

/// What is known to be secret in this examination.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<SecretString>);

impl Secrets {
    pub(super) fn add(&mut self, secret: Option<&SecretString>) {
        self.0.extend(secret.cloned());
    }

    /// `text` with every known secret struck.
    pub(super) fn struck(&self, text: &str, sent: &SentSecrets) -> String {
        let all = self.0.iter().fold(sent.clone(), SentSecrets::and);
        all.strike(text)
    }

    /// `text` fit to be shown: secrets struck, control characters gone, `limit` characters at most.
    pub(super) fn cleaned(&self, text: &str, sent: &SentSecrets, limit: usize) -> String {
        clean_text(&masked(&self.struck(text, sent)), limit)
    }
}

/// A URL as it may be shown: without user, query and fragment, and without long parts of its path, which may be a key.
pub(super) fn shown(url: &Url) -> String {
    let text = RedactedUrl::from(url).to_string();
    let parts = text.split('/').enumerate().map(|(at, part)| {
        let is_known = at < 3 || part.len() <= PART || WELL_KNOWN.contains(&part);
        if is_known { part } else { "…" }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Longer than any word, shorter than any key.
const PART: usize = 16;
const WELL_KNOWN: [&str; 3] = [
    "oauth-protected-resource",
    "oauth-authorization-server",
    "openid-configuration",
];

/// The status of an answer.
pub(super) fn status(recorded: &Recorded) -> Option<StatusCode> {
    match &recorded.outcome {
        Outcome::Answered { status, .. } => Some(*status),
        _ => None,
    }
}

/// The headers of an answer.
pub(super) fn headers(recorded: &Recorded) -> Option<&HeaderMap> {
    match &recorded.outcome {
        Outcome::Answered { headers, .. } => Some(headers.as_ref()),
        _ => None,
    }
}

/// What was kept of the body of an answer.
pub(super) fn body(recorded: &Recorded) -> &[u8] {
    match &recorded.outcome {
        Outcome::Answered { body, .. } => body,
        _ => &[],
    }
}

/// Why there was no answer.
pub(super) fn trouble(recorded: &Recorded) -> Option<Trouble> {
    match &recorded.outcome {
        Outcome::Failed { trouble, .. } => Some(*trouble),
        _ => None,
    }
}

/// The first cause of a failure.
pub(super) fn first_cause(recorded: &Recorded) -> Option<&str> {
    match &recorded.outcome {
        Outcome::Failed { causes, .. } => causes.last().map(String::as_str),
        _ => None,
    }
}

pub(super) fn header(recorded: &Recorded, name: &HeaderName) -> Option<String> {
    let value = headers(recorded)?.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Whether the answer is a web page, by its type or by how it begins.
pub(super) fn is_page(recorded: &Recorded) -> bool {
    let html = header(recorded, &CONTENT_TYPE).is_some_and(|kind| kind.contains("html"));
    html || body(recorded).trim_ascii_start().starts_with(b"<")
}

/// The URL that answered, else the one that was asked.
pub(super) fn place(recorded: &Recorded) -> &Url {
    match &recorded.outcome {
        Outcome::Answered { url, .. } => url,
        _ => &recorded.url,
    }
}

pub(super) fn excerpt(recorded: &Recorded, secrets: &Secrets, limit: usize) -> Option<String> {
    let (text, sent) = match &recorded.outcome {
        Outcome::Answered { body, sent, .. } => {
            (String::from_utf8_lossy(body).into_owned(), sent.clone())
        }
        Outcome::Failed { causes, .. } => (causes.last()?.clone(), SentSecrets::default()),
        _ => return None,
    };
    let text = secrets.cleaned(&text, &sent, limit);
    (!text.is_empty()).then_some(text)
}

pub(super) fn evidence(recorded: &Recorded, secrets: &Secrets) -> Evidence {
    Evidence {
        leg: Some(recorded.leg.as_str().to_owned()),
        method: Some(recorded.method.to_string()),
        url: Some(shown(place(recorded))),
        status: status(recorded).map(|status| status.as_u16()),
        excerpt: excerpt(recorded, secrets, EXCERPT),
    }
}

/// How much of an answer a finding shows, in characters.
const EXCERPT: usize = 200;
