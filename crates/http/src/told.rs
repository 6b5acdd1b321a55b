//! The log of requests: one event for each that was sent, when its answer has been read or given up, and none of its
//! secrets.
//!
//! Events of the target `doorkey_http::request`, at debug, with the fields `leg`, `method`, `url` (without query),
//! `grant` (the kind of grant that is asked for, such as `refresh_token`), `status`, `elapsed_ms`, `bytes` (of the body,
//! as far as it was read) and `error`. A stream is told when it ends. Each hop of a redirect is a request of its own.
//!
//! Events of the target `doorkey_http::headers`, at trace, with `leg`, `method`, `url` and `headers`: what was sent, and
//! what came. Only values that say nothing about anybody are shown, whatever a server repeats in the others.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, HeaderName,
    RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use url::form_urlencoded;

use crate::body::{Body, BodyError};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::leg::Leg;
use crate::redact::clean_text;
use crate::stack::{Asked, Below, Step};

/// Tells of every request that goes down from here.
pub(crate) struct Told;

impl Step for Told {
    async fn run<B: Below>(&self, asked: &mut Asked, below: &B) -> Result<Response<Body>, Error> {
        let is_told = tracing::enabled!(target: REQUEST, tracing::Level::DEBUG);
        // Off the way of a request of which nobody wants to know.
        let story = is_told.then(|| Box::new(Story::of(asked)));
        let answer = below.call(asked).await;
        let Some(mut story) = story else {
            return answer;
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                story.error = Some(error.to_string());
                return Err(error);
            }
        };
        story.status = Some(answer.status());
        story.headers("received", answer.headers());
        Ok(answer.map(|body| match body.as_bytes() {
            Some(bytes) => {
                story.count(bytes.len());
                body
            }
            None if body.is_end_stream() => body,
            None => Body::new(ToldBody { body, story }),
        }))
    }
}

/// What there is to tell of one request; told when it is dropped, so that what is given up is told too.
struct Story {
    exchange: Exchange,
    grant: Option<&'static str>,
    since: Instant,
    status: Option<StatusCode>,
    bytes: u64,
    error: Option<String>,
}

impl Story {
    fn of(asked: &Asked) -> Self {
        let story = Self {
            grant: grant(asked.exchange.leg(), asked.request.body()),
            exchange: asked.exchange.clone(),
            since: Instant::now(),
            status: None,
            bytes: 0,
            error: None,
        };
        story.headers("sent", asked.request.headers());
        story
    }

    fn count(&mut self, read: usize) {
        self.bytes += read as u64;
    }

    fn headers(&self, what: &'static str, headers: &HeaderMap) {
        tracing::trace!(
            target: HEADERS,
            leg = self.exchange.leg().as_str(),
            method = %self.exchange.method(),
            url = %self.exchange.shown(),
            headers = shown(headers),
            "{what}"
        );
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        let error = match (&self.error, self.status) {
            (Some(error), _) => Some(error.as_str()),
            (None, None) => Some("given up before an answer came"),
            (None, Some(_)) => None,
        };
        tracing::debug!(
            target: REQUEST,
            leg = self.exchange.leg().as_str(),
            method = %self.exchange.method(),
            url = %self.exchange.shown(),
            grant = self.grant,
            status = self.status.map(|status| status.as_u16()),
            elapsed_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes = self.bytes,
            error,
            "request"
        );
    }
}

/// A body that counts what is read of it.
struct ToldBody {
    body: Body,
    story: Box<Story>,
}

impl HttpBody for ToldBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                self.story.count(frame.data_ref().map_or(0, Bytes::len));
            }
            Poll::Ready(Some(Err(error))) => self.story.error = Some(error.to_string()),
            Poll::Ready(None) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The kind of grant that a form asks for, of those that are known: anything else could be a secret.
fn grant(leg: Leg, body: &Body) -> Option<&'static str> {
    if !matches!(leg, Leg::Token | Leg::IdentityProvider) {
        return None;
    }
    let mut form = form_urlencoded::parse(body.as_bytes()?);
    let (_, asked) = form.find(|(key, _)| key == "grant_type")?;
    let known = GRANTS.iter().find(|grant| **grant == asked)?;
    Some(known.rsplit(':').next().unwrap_or(known))
}

/// Names with the values that may be shown, and `…` for the others.
fn shown(headers: &HeaderMap) -> String {
    let lines = headers.iter().filter(|(name, _)| is_known(name));
    let lines = lines.map(|(name, value)| {
        let value = value.to_str().ok().filter(|_| !value.is_sensitive());
        match value.filter(|value| is_plain(name) && is_short(value)) {
            Some(value) => format!("{name}: {}", clean_text(value, VALUE_CHARACTERS)),
            None => format!("{name}: …"),
        }
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// Names are words of protocols; whatever else a server makes up is left out, since even a name could repeat something.
fn is_known(name: &HeaderName) -> bool {
    is_plain(name) || SECRET.contains(&name.as_str()) || *name == WWW_AUTHENTICATE
}

fn is_plain(name: &HeaderName) -> bool {
    PLAIN.contains(name) || PLAIN_BY_NAME.contains(&name.as_str())
}

/// No value of these headers is a long word, and every secret that is worth the name is one.
fn is_short(value: &str) -> bool {
    let is_end = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '-');
    value.split(is_end).all(|word| word.len() <= LONGEST_WORD)
}

const REQUEST: &str = "doorkey_http::request";
const HEADERS: &str = "doorkey_http::headers";

const GRANTS: &[&str] = &[
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
];

const PLAIN: &[HeaderName] = &[
    ACCEPT,
    ALLOW,
    CACHE_CONTROL,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    DATE,
    HOST,
    RETRY_AFTER,
    USER_AGENT,
];
const PLAIN_BY_NAME: &[&str] = &["mcp-protocol-version", "mcp-method"];
/// Known by name, and never by value.
const SECRET: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "dpop",
    "dpop-nonce",
    "location",
    "mcp-session-id",
    "last-event-id",
];
const VALUE_CHARACTERS: usize = 120;
/// `text/event-stream` and the like fit.
const LONGEST_WORD: usize = 16;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn headers_show_what_says_nothing_about_anybody() {
        let mut headers = HeaderMap::new();
        let mut add = |name: &'static str, value: &str| {
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        };
        add("content-type", "application/json; charset=utf-8");
        add("authorization", "Bearer s3cret");
        add("mcp-session-id", "s3cret");
        add("x-tenant", "s3cret");
        add("date", "Mon, 30 Nov 2026 13:00:00 GMT");
        add("cache-control", "s3cret-s3cret-s3cret-s3cret-s3cret");
        add("www-authenticate", "Bearer error=\"s3cret\"");
        let text = shown(&headers);
        assert_eq!(
            text,
            "content-type: application/json; charset=utf-8; authorization: …; mcp-session-id: …; \
             date: Mon, 30 Nov 2026 13:00:00 GMT; cache-control: …; www-authenticate: …"
        );
        let mut secret = HeaderValue::from_static("doorkey");
        secret.set_sensitive(true);
        headers.insert("user-agent", secret);
        assert!(shown(&headers).contains("user-agent: …"));
    }

    #[test]
    fn the_kind_of_a_grant_is_one_of_those_that_are_known() {
        let asked = |leg, body: &'static str| grant(leg, &Body::from(body));
        let refresh = "refresh_token=s3cret&grant_type=refresh_token";
        assert_eq!(asked(Leg::Token, refresh), Some("refresh_token"));
        assert_eq!(asked(Leg::Resource, refresh), None);
        let device = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
        assert_eq!(asked(Leg::Token, device), Some("device_code"));
        assert_eq!(asked(Leg::Token, "grant_type=s3cret"), None);
        assert_eq!(asked(Leg::Token, "{}"), None);
    }
}
