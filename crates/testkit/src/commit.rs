//! Committing a fault: what the client gets to see of it.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use crate::{
    fault::Fault,
    reply::{self, Body, Reply},
};

/// The answer that `fault` makes of it, or `None` to cut the connection.
///
/// `proper` answers the request properly; faults that keep the request from being handled do
/// not call it.
pub(crate) async fn commit(fault: Fault, proper: impl FnOnce() -> Reply) -> Option<Reply> {
    match fault {
        Fault::Status(status, headers, body) => Some(scripted(status, &headers, body)),
        Fault::Empty => Some(reply::typed(StatusCode::OK, JSON, Bytes::new())),
        Fault::Html => Some(reply::html(StatusCode::OK, PAGE)),
        Fault::WrongContentType => {
            let mut reply = proper();
            let plain = HeaderValue::from_static("text/plain");
            reply.headers_mut().insert(header::CONTENT_TYPE, plain);
            Some(reply)
        }
        Fault::Truncated => Some(truncated()),
        Fault::Oversized(bytes) => Some(streamed(oversized(bytes))),
        Fault::Slow(pause) => {
            tokio::time::sleep(pause).await;
            Some(proper())
        }
        Fault::Stalled(pause) => Some(stalled(proper(), pause)),
        Fault::Refuse => None,
        Fault::AnswerLost => {
            drop(proper());
            None
        }
        Fault::Redirect(to) => Some(reply::redirect(StatusCode::TEMPORARY_REDIRECT, &to)),
    }
}

fn scripted(status: u16, headers: &[(String, String)], body: String) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = reply::with_status(status, reply::whole(body));
    for (name, value) in headers {
        let sound = HeaderName::try_from(name.as_str())
            .is_ok_and(|name| reply::append(&mut reply, name, value));
        if !sound {
            let message = format!("scripted header field `{name}` is not legal\n");
            return reply::text(StatusCode::INTERNAL_SERVER_ERROR, message);
        }
    }
    reply
}

fn truncated() -> Reply {
    let begun = stream::iter([
        Ok(Bytes::from_static(b"{\"truncated\": \"")),
        Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
    ]);
    let mut reply = streamed(begun);
    let length = HeaderValue::from_static("4096");
    reply.headers_mut().insert(header::CONTENT_LENGTH, length);
    reply
}

fn oversized(bytes: u64) -> impl stream::Stream<Item = io::Result<Bytes>> + Send + 'static {
    let chunk = Bytes::from(vec![b'x'; CHUNK]);
    let chunks = usize::try_from(bytes.div_ceil(CHUNK as u64)).unwrap_or(usize::MAX);
    stream::iter([Ok(Bytes::from_static(b"{\"padding\": \""))])
        .chain(stream::repeat_with(move || Ok(chunk.clone())).take(chunks))
        .chain(stream::iter([Ok(Bytes::from_static(b"\"}"))]))
}

fn stalled(reply: Reply, pause: Duration) -> Reply {
    let (head, body) = reply.into_parts();
    let late = stream::once(async move {
        tokio::time::sleep(pause).await;
        stream::unfold(body, |mut body: Body| async move {
            body.frame().await.map(|frame| (frame, body))
        })
    })
    .flatten();
    Reply::from_parts(head, StreamBody::new(late).boxed_unsync())
}

fn streamed(chunks: impl stream::Stream<Item = io::Result<Bytes>> + Send + 'static) -> Reply {
    let frames = chunks.map(|chunk| chunk.map(Frame::data));
    let mut reply = reply::with_status(StatusCode::OK, StreamBody::new(frames).boxed_unsync());
    let json = HeaderValue::from_static(JSON);
    reply.headers_mut().insert(header::CONTENT_TYPE, json);
    reply
}

const JSON: &str = "application/json";
const PAGE: &str = "<!doctype html><title>Welcome</title><h1>Nothing to see here</h1>\n";
/// The size of one piece of an oversized body, in bytes.
const CHUNK: usize = 16 * 1024;
