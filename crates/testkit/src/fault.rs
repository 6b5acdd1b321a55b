//! Faults that a script makes a server commit: which requests they hit, and what happens then.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Method;

use crate::{recorder::Leg, request::Received};

/// What a server does instead of answering properly.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answers with this status, these header fields and this body, without looking at the request.
    Status(u16, Vec<(String, String)>, String),
    /// Answers 200 `application/json` with no body.
    Empty,
    /// Answers 200 with a web page.
    Html,
    /// Handles the request, but calls the answer `text/plain`.
    WrongContentType,
    /// Announces more bytes than it sends, then closes the connection.
    Truncated,
    /// Answers 200 `application/json` with a well-formed body of at least this many bytes,
    /// without announcing its length.
    Oversized(u64),
    /// Waits before it handles the request.
    Slow(Duration),
    /// Sends status and header fields at once and the body only after this time.
    Stalled(Duration),
    /// Closes the connection without a word; the request is not handled.
    Refuse,
    /// Handles the request and closes the connection instead of answering: what it did stays
    /// done and the client cannot know it.
    AnswerLost,
    /// Answers 307 with this `Location`.
    Redirect(String),
    /// Answers with this status, these header fields and these bytes, without looking at the request.
    Bytes(u16, Vec<(String, String)>, Bytes),
    /// Answers 200 with these header fields, the first bytes, and then the others again and again
    /// until the client has had enough.
    Endless(Vec<(String, String)>, Bytes, Bytes),
    /// Handles the request and changes the answer, in this order.
    Edited(Vec<Edit>),
    /// Answers with bytes that need not be HTTP; the request is not handled. The server has to speak
    /// [HTTP/1.1 only](crate::Listen::http1_only): within HTTP/2 they would be no answer at all.
    Raw(Raw),
}

/// A change of a proper answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Edit {
    /// Another status.
    Status(u16),
    /// This header field in place of any of its name.
    Header(String, String),
    /// This header field beside any of its name.
    AnotherHeader(String, String),
    /// Bytes before the body.
    Before(Bytes),
    /// Bytes after the body.
    After(Bytes),
    /// Members, as they are to be written, in front of those of the JSON object that the body is: so
    /// one can come twice.
    FirstMembers(String),
    /// The same, behind them.
    LastMembers(String),
    /// The body, which is UTF-8, as UTF-16 with a byte order mark.
    Utf16,
}

/// Bytes to write on a connection in place of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Raw {
    pub(crate) at_once: Bytes,
    pub(crate) slowly: Bytes,
    pub(crate) pause: Duration,
    pub(crate) hold: Duration,
}

impl Raw {
    /// These bytes, and the end of the connection.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            at_once: bytes.into(),
            slowly: Bytes::new(),
            pause: Duration::ZERO,
            hold: Duration::ZERO,
        }
    }

    /// Then these, each after a pause.
    #[must_use]
    pub fn and_slowly(mut self, bytes: impl Into<Bytes>, pause: Duration) -> Self {
        self.slowly = bytes.into();
        self.pause = pause;
        self
    }

    /// Keeps the connection open this long after the last byte.
    #[must_use]
    pub fn and_hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }
}

/// Which requests a [`Fault`] hits, and how often.
///
/// Conditions add up. Without [`times`](Self::times) the rule holds until
/// [`clear_faults`](crate::AuthorizationServer::clear_faults). The first rule that matches wins.
///
/// ```
/// use doorkey_testkit::{Fault, FaultRule, Leg};
/// // The first refresh is answered with 503, the second one properly.
/// let rule = FaultRule::on(Leg::Token)
///     .grant("refresh_token")
///     .times(1)
///     .respond(Fault::status(503));
/// # let _ = rule;
/// ```
#[derive(Clone, Debug)]
pub struct FaultRule {
    target: FaultTarget,
    method: Option<Method>,
    grant: Option<String>,
    rpc: Option<String>,
    skip: usize,
    left: Option<usize>,
    fault: Fault,
}

/// Where a [`FaultRule`] looks: a leg, an exact path, or everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultTarget {
    /// Every request to the server.
    Everything,
    /// Every request of this leg.
    Leg(Leg),
    /// Every request to exactly this path (no query).
    Path(String),
}

/// The rules of one server.
#[derive(Debug, Default)]
pub(crate) struct FaultScript(Mutex<Vec<Scripted>>);

/// A rule, and how many requests it has hit.
#[derive(Debug)]
struct Scripted {
    rule: FaultRule,
    hits: usize,
}

impl Fault {
    /// Answers with this status and a short text.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Status(status, Vec::new(), format!("scripted status {status}\n"))
    }

    /// Answers with this status and an OAuth error body (RFC 6749 §5.2).
    #[must_use]
    pub fn oauth_error(status: u16, error: &str, description: &str) -> Self {
        let body = serde_json::json!({ "error": error, "error_description": description });
        Self::json(status, &body)
    }

    /// Answers with this status and a JSON body.
    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        let content_type = ("content-type".to_owned(), "application/json".to_owned());
        Self::Status(status, vec![content_type], body.to_string())
    }
}

impl FaultRule {
    /// A rule for a [`Leg`], a path (text that starts with `/`) or [`FaultTarget::Everything`].
    ///
    /// It does nothing until [`respond`](Self::respond) says what; until then it answers 500.
    #[must_use]
    pub fn on(target: impl Into<FaultTarget>) -> Self {
        Self {
            target: target.into(),
            method: None,
            grant: None,
            rpc: None,
            skip: 0,
            left: None,
            fault: Fault::status(500),
        }
    }

    /// Only for requests with this HTTP method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only for token requests with this `grant_type`.
    #[must_use]
    pub fn grant(mut self, grant_type: impl Into<String>) -> Self {
        self.grant = Some(grant_type.into());
        self
    }

    /// Only for MCP requests with this JSON-RPC method.
    #[must_use]
    pub fn rpc(mut self, method: impl Into<String>) -> Self {
        self.rpc = Some(method.into());
        self
    }

    /// Lets the first `n` matching requests through.
    #[must_use]
    pub fn after(mut self, n: usize) -> Self {
        self.skip = n;
        self
    }

    /// Hits `n` requests and is over then.
    #[must_use]
    pub fn times(mut self, n: usize) -> Self {
        self.left = Some(n);
        self
    }

    /// What happens to the requests that are hit.
    #[must_use]
    pub fn respond(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    fn matches(&self, leg: Leg, request: &Received) -> bool {
        let target = match &self.target {
            FaultTarget::Everything => true,
            FaultTarget::Leg(wanted) => *wanted == leg,
            FaultTarget::Path(path) => *path == request.path,
        };
        target
            && self.method.as_ref().is_none_or(|m| *m == request.method)
            && holds(self.grant.as_deref(), request.grant_type().as_deref())
            && holds(self.rpc.as_deref(), request.rpc_method.as_deref())
    }
}

impl FaultScript {
    pub(crate) fn add(&self, rule: FaultRule) {
        self.rules().push(Scripted { rule, hits: 0 });
    }

    /// How many requests each rule has hit, in the order in which they were added.
    pub(crate) fn hits(&self) -> Vec<usize> {
        self.rules().iter().map(|scripted| scripted.hits).collect()
    }

    pub(crate) fn clear(&self) {
        self.rules().clear();
    }

    /// The fault for this request, if a rule matches, counting it.
    pub(crate) fn take(&self, leg: Leg, request: &Received) -> Option<Fault> {
        for Scripted { rule, hits } in self.rules().iter_mut() {
            if rule.left == Some(0) || !rule.matches(leg, request) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if let Some(left) = &mut rule.left {
                *left -= 1;
            }
            *hits += 1;
            return Some(rule.fault.clone());
        }
        None
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<Scripted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Leg> for FaultTarget {
    fn from(leg: Leg) -> Self {
        Self::Leg(leg)
    }
}

impl From<&str> for FaultTarget {
    fn from(path: &str) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<String> for FaultTarget {
    fn from(path: String) -> Self {
        Self::Path(path)
    }
}

/// No condition, or this very value.
fn holds(condition: Option<&str>, value: Option<&str>) -> bool {
    condition.is_none_or(|wanted| value == Some(wanted))
}
