//! An answer that cannot be used: which request it came to, its status, and what is wrong with it.

use std::{
    error::Error as StdError,
    fmt,
    mem::{Discriminant, discriminant},
    sync::Arc,
    time::Duration,
};

use doorkey_http::{Body, Exchange, Leg};
use http::{
    HeaderMap, Method, Response, StatusCode,
    header::{DATE, RETRY_AFTER},
};
use rmcp::transport::streamable_http_client::StreamableHttpError;

use crate::{error::clean, reply::Failure};

/// The MCP server answered a request, and not with anything that can be used.
///
/// Its text names leg, method, URL and status; its source, where there is one, is what the server said or what is wrong
/// with the answer.
#[derive(Clone, Debug)]
pub struct AnswerError {
    place: Place,
    detail: Option<Detail>,
    failure: Discriminant<Failure>,
}

impl AnswerError {
    /// What the request was for: the MCP server.
    #[must_use]
    pub const fn leg(&self) -> Leg {
        Leg::Resource
    }

    /// The address that answered, without secrets.
    #[must_use]
    pub fn url(&self) -> &str {
        self.place.url.as_str()
    }

    /// The status of the answer, which may be a good one.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.place.status
    }

    /// How long the server asks to wait before the next attempt.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.place.retry_after
    }

    /// Whether this is what rmcp calls `failure`.
    fn is_behind(&self, failure: &Failure) -> bool {
        self.failure == discriminant(failure)
            // What ended the worker ended the message that it was about.
            || matches!(failure, StreamableHttpError::TransportChannelClosed)
    }
}

impl fmt::Display for AnswerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place {
            method,
            url,
            status,
            ..
        } = &self.place;
        let (leg, url) = (self.leg(), url.as_str());
        write!(formatter, "{leg} request {method} {url}: {status}")?;
        if status.is_success() {
            formatter.write_str(", but the answer cannot be used")?;
        }
        Ok(())
    }
}

impl StdError for AnswerError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.detail.as_ref().map(|detail| detail as _)
    }
}

/// The words of a server, or words on what it sent.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
struct Detail(String);

/// Where an answer came from, as an error about it has to say.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    method: Method,
    url: Shown,
    status: StatusCode,
    retry_after: Option<Duration>,
}

/// An address without secrets.
#[derive(Clone, Debug)]
enum Shown {
    Asked(Arc<str>),
    Answered(Exchange),
}

impl Shown {
    fn as_str(&self) -> &str {
        match self {
            Self::Asked(url) => url,
            Self::Answered(exchange) => exchange.shown().as_str(),
        }
    }
}

impl Place {
    /// `url` is the address that was asked, without secrets; the last of several hops is named by the response.
    pub(crate) fn of(response: &Response<Body>, method: Method, url: &Arc<str>) -> Self {
        let exchange = response.extensions().get::<Exchange>().cloned();
        Self {
            method,
            url: exchange.map_or_else(|| Shown::Asked(Arc::clone(url)), Shown::Answered),
            status: response.status(),
            retry_after: retry_after(response.headers()),
        }
    }

    /// The error about this answer; `None` if the failure says all this by itself.
    pub(crate) fn error(self, unusable: &Unusable) -> Option<AnswerError> {
        let words = unusable.words.as_ref()?;
        Some(AnswerError {
            place: self,
            detail: (!words.is_empty()).then(|| Detail(words.clone())),
            failure: discriminant(&*unusable.failure),
        })
    }
}

/// Why an answer cannot be used, in rmcp's words and in ours.
#[derive(Debug)]
pub(crate) struct Unusable {
    /// Rare, so that it takes no room beside every answer.
    pub(crate) failure: Box<Failure>,
    /// What is wrong beside the status, in one line; `None` if the failure itself names address and status.
    words: Option<String>,
}

impl Unusable {
    /// `words` may be the server's own.
    pub(crate) fn new(failure: impl Into<Failure>, words: &str) -> Self {
        Self {
            failure: Box::new(failure.into()),
            words: Some(clean(words.trim())),
        }
    }
}

/// A failure that names address and status, or that is told by the authorization layer.
impl From<Failure> for Unusable {
    fn from(failure: Failure) -> Self {
        Self {
            failure: Box::new(failure),
            words: None,
        }
    }
}

/// What is known of a failure before rmcp wraps it.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    /// No answer, or one that the authorization layer keeps.
    Authorization(Arc<doorkey_oauth::Error>),
    /// An answer that cannot be used.
    Answer(Arc<AnswerError>),
}

impl Cause {
    /// Whether this is what rmcp calls `failure`.
    pub(crate) fn is_behind(&self, failure: &Failure) -> bool {
        match self {
            Self::Authorization(_) => true,
            Self::Answer(error) => error.is_behind(failure),
        }
    }
}

/// Seconds or a date (RFC 9110 §10.2.3), the date by the server's own clock; one in the past is no wait at all.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(RETRY_AFTER)?;
    let wait = match asked.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let then = httpdate::parse_http_date(asked).ok()?;
            let now = httpdate::parse_http_date(text(DATE)?).ok()?;
            then.duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

/// Nobody is told to come back later than that.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn place(status: u16, headers: &[(&'static str, &str)]) -> Place {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Body::empty()).unwrap();
        Place::of(
            &response,
            Method::POST,
            &Arc::from("https://mcp.example/mcp"),
        )
    }

    #[test]
    fn an_answer_that_cannot_be_used_is_told_with_leg_url_and_status() {
        for (status, words, shown, source) in [
            (
                503,
                "try\nlater ",
                "503 Service Unavailable",
                Some("try later"),
            ),
            (404, "", "404 Not Found", None),
            (
                200,
                "a web page",
                "200 OK, but the answer cannot be used",
                Some("a web page"),
            ),
        ] {
            let unusable = Unusable::new(StreamableHttpError::SessionExpired, words);
            let error = place(status, &[]).error(&unusable).unwrap();
            let expected = format!("resource request POST https://mcp.example/mcp: {shown}");
            assert_eq!(error.to_string(), expected);
            let cause = error.source().map(ToString::to_string);
            assert_eq!(cause.as_deref(), source);
        }
    }

    #[test]
    fn the_wait_is_seconds_or_a_date_by_the_servers_clock() {
        const DATE: (&str, &str) = ("date", "Sun, 09 Sep 2001 01:46:40 GMT");
        for (headers, seconds) in [
            (vec![("retry-after", "7")], Some(7)),
            (
                vec![("retry-after", "Sun, 09 Sep 2001 01:47:40 GMT"), DATE],
                Some(60),
            ),
            (
                vec![("retry-after", "Sun, 09 Sep 2001 01:00:00 GMT"), DATE],
                Some(0),
            ),
            (vec![("retry-after", "Sun, 09 Sep 2001 01:47:40 GMT")], None),
            (vec![("retry-after", "18446744073709551615")], Some(86_400)),
            (
                vec![("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"), DATE],
                Some(86_400),
            ),
            (vec![("retry-after", "-1"), DATE], None),
            (vec![("retry-after", "1e308"), DATE], None),
            (vec![("retry-after", "soon"), DATE], None),
            (vec![], None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(place(503, &headers).retry_after, expected, "{headers:?}");
        }
    }
}
