//! What came of each request for a document, and what each kind of failure means: the status table
//! of discovery.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use url::Url;

use crate::discover::MAX_REQUESTS;
use crate::document::DocumentError;
use crate::text::Quoted;
use crate::{Issuer, UrlError};

/// One place that was tried and did not give the document.
#[derive(Debug)]
pub struct Attempt {
    place: String,
    failure: Failure,
}

/// Why a place did not give the document.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The server answered with another status than 200.
    Status {
        /// The status.
        status: StatusCode,
        /// How long it asked to wait before the next request (RFC 9110 §10.2.3).
        retry_after: Option<Duration>,
    },
    /// It answered 200 with something that cannot be used.
    Document(DocumentError),
    /// There was no answer, or none that may be used.
    Http(doorkey_http::Error),
    /// The issuer has no place to look at.
    Issuer(UrlError),
    /// The URL does not fit into a request.
    Request(http::Error),
    /// It was not asked: enough requests were made ([`MAX_REQUESTS`](crate::MAX_REQUESTS)), or enough servers tried.
    NotAsked,
}

/// What a failure means for the places that remain. No RFC says; this is the one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// The document is not here: look elsewhere, and if it is nowhere, it does not exist.
    Absent,
    /// As absent; but it says more than a plain 404, so it is reported before one.
    Refused,
    /// Remember it and look elsewhere; if the document is nowhere, nobody knows whether it exists.
    Trouble,
    /// A document of another issuer: as trouble, and the reason reported in the end.
    Mismatch,
    /// The document is here and bad: stop.
    Permanent,
}

impl Failure {
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Status { status, .. } => class_of_status(*status),
            Self::Document(error) => class_of_document(error),
            Self::Http(_) | Self::Request(_) | Self::NotAsked => Class::Trouble,
            Self::Issuer(_) => Class::Absent,
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use doorkey_http::Error as Http;
        match self {
            Self::Status { status, .. } => status.is_server_error() || throttle(*status).is_some(),
            Self::Document(DocumentError::TooLong) => true,
            Self::Http(error) => {
                error.is_transient() || error.is_tls() || matches!(error, Http::BodyTooLarge { .. })
            }
            Self::Document(_) | Self::Issuer(_) | Self::Request(_) | Self::NotAsked => false,
        }
    }

    /// How long the server asked to wait, where waiting may help.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } if self.is_transient() => *retry_after,
            _ => None,
        }
    }

    /// Whether both say the same, with the same cause.
    fn is_like(&self, other: &Self) -> bool {
        let first_cause = |failure: &Self| failure.first_cause().map(ToString::to_string);
        self.to_string() == other.to_string() && first_cause(self) == first_cause(other)
    }

    /// Where the failure began, below what its own text says.
    fn first_cause(&self) -> Option<&(dyn StdError + 'static)> {
        let below = match self {
            // The error's own text names the URL again.
            Self::Http(error) => error.source(),
            _ => self.detail(),
        };
        below.map(root_cause)
    }

    fn detail(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Status { .. } | Self::NotAsked => None,
            Self::Document(error) => error.source(),
            Self::Http(error) => Some(error),
            Self::Issuer(error) => error.source(),
            Self::Request(error) => Some(error),
        }
    }
}

fn class_of_status(status: StatusCode) -> Class {
    match status.as_u16() {
        _ if throttle(status).is_some() => Class::Trouble,
        401 | 403 => Class::Refused,
        200..=299 | 400..=499 => Class::Absent,
        _ => Class::Trouble,
    }
}

fn class_of_document(error: &DocumentError) -> Class {
    match error {
        DocumentError::NotJsonObject { .. } => Class::Absent,
        DocumentError::TooLong => Class::Trouble,
        DocumentError::IssuerMismatch { .. } => Class::Mismatch,
        // A JSON object without `resource` answers some other question: an error page in JSON.
        DocumentError::Missing { member: "resource" }
        | DocumentError::WrongType {
            member: "resource", ..
        } => Class::Trouble,
        _ => Class::Permanent,
    }
}

/// What the statuses mean that put a request off, and say nothing of the document.
fn throttle(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::REQUEST_TIMEOUT => Some("the request came too slowly"),
        StatusCode::TOO_EARLY => Some("too early"),
        StatusCode::TOO_MANY_REQUESTS => Some("too many requests"),
        _ => None,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status, .. } => {
                write!(f, "HTTP {}", status.as_u16())?;
                if let Some(meaning) = throttle(*status) {
                    write!(f, ", {meaning}")?;
                }
                match self.retry_after() {
                    Some(wait) => write!(f, ", asked to wait {} s", wait.as_secs()),
                    None => Ok(()),
                }
            }
            Self::Document(error) => error.fmt(f),
            Self::Http(error) => f.write_str(short(error)),
            Self::Issuer(error) => error.fmt(f),
            Self::Request(_) => f.write_str("it does not fit into a request"),
            Self::NotAsked => write!(
                f,
                "not asked, as discovery ends after {MAX_REQUESTS} requests; \
                 the operator has to list fewer servers, or the first of them has to answer"
            ),
        }
    }
}

/// The error itself names the URL again, so lists and logs use this.
fn short(error: &doorkey_http::Error) -> &'static str {
    use doorkey_http::Error as Http;
    match error {
        _ if error.is_timeout() => "timed out",
        _ if error.is_tls() => "no secure connection",
        _ if error.is_connect() => "could not connect",
        Http::RedirectRefused { .. } => "redirects where it must not be followed",
        Http::AddressRefused { .. } | Http::Endpoint { .. } => "refused",
        Http::BodyTooLarge { .. } | Http::HeadersTooLarge { .. } => "the answer is too long",
        Http::Body { .. } => "the answer broke off",
        _ => "no valid answer",
    }
}

impl Attempt {
    pub(crate) fn at(url: &Url, failure: Failure) -> Self {
        Self {
            place: doorkey_http::RedactedUrl::from(url).to_string(),
            failure,
        }
    }

    pub(crate) fn without_place(issuer: &Issuer, error: UrlError) -> Self {
        Self {
            place: Quoted(issuer.as_str()).to_string(),
            failure: Failure::Issuer(error),
        }
    }

    /// A server that was listed and is not tried any more.
    pub(crate) fn not_made(issuer: &Issuer) -> Self {
        Self {
            place: Quoted(issuer.as_str()).to_string(),
            failure: Failure::NotAsked,
        }
    }

    /// The URL that was tried, as it may be shown: without userinfo and query. For an issuer that
    /// has no place to look at, the issuer between quotes.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The attempt with the first cause of its failure, in a list that `lead` leads.
    fn after(&self, lead: &Self) -> String {
        if self.failure.is_like(&lead.failure) {
            return format!("{}: likewise", self.place);
        }
        match self.failure.first_cause() {
            Some(cause) => format!("{self} ({cause})"),
            None => self.to_string(),
        }
    }

    /// Whether the failed request went to this place, not to one that it redirects to.
    fn is_place_of(&self, error: &doorkey_http::Error) -> bool {
        error.url().is_some_and(|url| url.as_str() == self.place)
    }

    /// What came of it.
    #[must_use]
    pub const fn failure(&self) -> &Failure {
        &self.failure
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.failure)
    }
}

/// Every place that was tried, in order. As an error it lists them all, the first grave one
/// leading, and goes on with that one's cause; what the cause says, the URL of a request that
/// failed included, the list leaves to it.
#[derive(Debug, Default)]
pub struct Attempts(Vec<Attempt>);

impl Attempts {
    /// The attempts in the order they were made.
    pub fn iter(&self) -> std::slice::Iter<'_, Attempt> {
        self.0.iter()
    }

    /// The attempt to report first: the first of the gravest class, so that the 404 of a last
    /// fallback never hides what went wrong before it.
    #[must_use]
    pub fn lead(&self) -> Option<&Attempt> {
        let gravest = self.gravest()?;
        self.iter()
            .find(|attempt| attempt.failure.class() == gravest)
    }

    /// The attempt to report first as a line of its own; its causes are those of this error. `None` where the
    /// first of them names the place and says what happened there.
    #[must_use]
    pub fn lead_in_words(&self) -> Option<String> {
        let lead = self.lead()?;
        match &lead.failure {
            Failure::Http(error) if lead.is_place_of(error) => None,
            Failure::Http(_) => Some(format!("{}: the request it led to failed", lead.place)),
            _ => Some(lead.to_string()),
        }
    }

    /// The other attempts in order, each as a line with the first cause of its failure; `likewise` where it
    /// failed as the one that leads.
    pub fn others_in_words(&self) -> impl Iterator<Item = String> {
        let lead = self.lead();
        self.iter().filter_map(move |attempt| {
            let lead = lead.filter(|lead| !std::ptr::eq(*lead, attempt))?;
            Some(attempt.after(lead))
        })
    }

    /// Whether trying again later may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.iter().any(|attempt| attempt.failure.is_transient())
    }

    /// The longest time that a server asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.iter()
            .filter_map(|attempt| attempt.failure.retry_after())
            .max()
    }

    pub(crate) fn gravest(&self) -> Option<Class> {
        self.iter().map(|attempt| attempt.failure.class()).max()
    }

    /// Whether the document was nowhere, and every answer says so for good.
    pub(crate) fn prove_absence(&self) -> bool {
        self.gravest() <= Some(Class::Refused)
    }

    pub(crate) fn push(&mut self, attempt: Attempt) {
        tracing::debug!(place = attempt.place, reason = %attempt.failure, "no metadata here");
        self.0.push(attempt);
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

impl<'a> IntoIterator for &'a Attempts {
    type Item = &'a Attempt;
    type IntoIter = std::slice::Iter<'a, Attempt>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing was tried");
        }
        match self.lead_in_words() {
            Some(lead) => f.write_str(&lead)?,
            // The source tells the rest, the URL included.
            None => f.write_str("the request failed")?,
        }
        for other in self.others_in_words() {
            write!(f, "; {other}")?;
        }
        Ok(())
    }
}

impl StdError for Attempts {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.lead().and_then(|attempt| attempt.failure.detail())
    }
}

/// The last error of the chain that starts with `error`.
fn root_cause<'a>(mut error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    for _ in 0..CHAIN_LIMIT {
        let Some(cause) = error.source() else { break };
        error = cause;
    }
    error
}

/// No honest chain of causes is longer.
const CHAIN_LIMIT: usize = 16;

#[cfg(test)]
mod tests;
