//! Answers and their bodies, built without anything that can fail.

use std::{convert::Infallible, io};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};

/// Every body that a server sends: whole, streamed, or broken off on purpose.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An answer of a server.
pub(crate) type Reply = Response<Body>;

pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

pub(crate) fn empty(status: StatusCode) -> Reply {
    let body = Empty::new()
        .map_err(|never: Infallible| match never {})
        .boxed_unsync();
    with_status(status, body)
}

pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Reply {
    typed(status, "application/json", value.to_string())
}

pub(crate) fn html(status: StatusCode, page: impl Into<Bytes>) -> Reply {
    typed(status, "text/html; charset=utf-8", page)
}

pub(crate) fn text(status: StatusCode, message: impl Into<Bytes>) -> Reply {
    typed(status, "text/plain; charset=utf-8", message)
}

pub(crate) fn typed(
    status: StatusCode,
    content_type: &'static str,
    bytes: impl Into<Bytes>,
) -> Reply {
    let mut reply = with_status(status, whole(bytes));
    reply
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

pub(crate) fn with_status(status: StatusCode, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply
}

/// A redirect; a target that is no header value becomes a 500, which a test will see.
pub(crate) fn redirect(status: StatusCode, to: &str) -> Reply {
    let mut reply = empty(status);
    if !append(&mut reply, header::LOCATION, to) {
        *reply.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    reply
}

/// Adds a header field; `false` if the value cannot be one.
pub(crate) fn append(reply: &mut Reply, name: HeaderName, value: &str) -> bool {
    match HeaderValue::from_str(value) {
        Ok(value) => {
            reply.headers_mut().append(name, value);
            true
        }
        Err(_) => false,
    }
}

/// Text made safe for an HTML page.
pub(crate) fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
