//! Committing a fault: what the client gets to see of it.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use crate::{
    fault::{Edit, Fault, Raw},
    reply::{self, Body, Reply},
};

/// What a fault comes to.
pub(crate) enum Committed {
    /// An answer after all.
    Answer(Reply),
    /// The end of the connection.
    Cut,
    /// These bytes, and then the end of the connection.
    Raw(Raw),
}

/// What `fault` makes of a request.
///
/// `proper` answers the request properly; faults that keep the request from being handled do
/// not call it.
pub(crate) async fn commit(fault: Fault, proper: impl FnOnce() -> Reply) -> Committed {
    match fault {
        Fault::Raw(raw) => Committed::Raw(raw),
        fault => answer(fault, proper)
            .await
            .map_or(Committed::Cut, Committed::Answer),
    }
}

async fn answer(fault: Fault, proper: impl FnOnce() -> Reply) -> Option<Reply> {
    match fault {
        Fault::Status(status, headers, body) => Some(scripted(status, &headers, body)),
        Fault::Bytes(status, headers, body) => Some(scripted(status, &headers, body)),
        Fault::Endless(headers, first, again) => {
            let again = stream::repeat_with(move || Ok(again.clone()));
            let mut reply = streamed(stream::iter([Ok(first)]).chain(again));
            reply.headers_mut().clear();
            Some(with_headers(reply, &headers))
        }
        Fault::Edited(edits) => Some(edited(proper(), edits).await),
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
        Fault::Refuse | Fault::Raw(_) => None,
        Fault::AnswerLost => {
            drop(proper());
            None
        }
        Fault::Redirect(to) => Some(reply::redirect(StatusCode::TEMPORARY_REDIRECT, &to)),
    }
}

fn scripted(status: u16, headers: &[(String, String)], body: impl Into<Bytes>) -> Reply {
    let reply = reply::with_status(status_of(status), reply::whole(body));
    with_headers(reply, headers)
}

fn status_of(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn with_headers(mut reply: Reply, headers: &[(String, String)]) -> Reply {
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

async fn edited(reply: Reply, edits: Vec<Edit>) -> Reply {
    let (mut head, body) = reply.into_parts();
    // The kit's own answers are whole and do not fail.
    let mut body = match body.collect().await {
        Ok(collected) => collected.to_bytes().to_vec(),
        Err(_) => Vec::new(),
    };
    let mut headers = Vec::new();
    for edit in edits {
        match edit {
            Edit::Status(status) => head.status = status_of(status),
            Edit::Header(name, value) => {
                head.headers.remove(name.as_str());
                headers.push((name, value));
            }
            Edit::AnotherHeader(name, value) => headers.push((name, value)),
            Edit::Before(bytes) => {
                body.splice(0..0, bytes);
            }
            Edit::After(bytes) => body.extend_from_slice(&bytes),
            Edit::FirstMembers(members) => {
                let at = body.iter().position(|byte| *byte == b'{');
                let at = at.map_or(0, |at| at + 1);
                body.splice(at..at, format!("{members},").into_bytes());
            }
            Edit::LastMembers(members) => {
                let at = body.iter().rposition(|byte| *byte == b'}');
                let at = at.unwrap_or(body.len());
                body.splice(at..at, format!(",{members}").into_bytes());
            }
            Edit::Utf16 => {
                let text = String::from_utf8_lossy(&body).into_owned();
                let units = std::iter::once(BYTE_ORDER_MARK).chain(text.encode_utf16());
                body = units.flat_map(u16::to_be_bytes).collect();
            }
        }
    }
    head.headers.remove(header::CONTENT_LENGTH);
    with_headers(Reply::from_parts(head, reply::whole(body)), &headers)
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
const BYTE_ORDER_MARK: u16 = 0xfeff;
const PAGE: &str = "<!doctype html><title>Welcome</title><h1>Nothing to see here</h1>\n";
/// The size of one piece of an oversized body, in bytes.
const CHUNK: usize = 16 * 1024;
