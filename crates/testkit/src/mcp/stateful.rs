//! The wire through 2025-11-25: `initialize`, sessions, a GET stream, DELETE.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    builder::GetStream,
    handler::{Handler, Session, Stream},
    rpc::{self, Kind, Message},
    stateless::VERSION_HEADER,
};
use crate::{
    TokenFacts, random,
    reply::{self, Reply},
    request::Received,
};

pub(super) fn answer(
    handler: &Handler,
    request: &Received,
    message: &Message,
    caller: Option<&TokenFacts>,
) -> Reply {
    if message.method() == Some("initialize") {
        return initialize(handler, message, caller);
    }
    if let Err(reply) = check_session(handler, request, caller) {
        return *reply;
    }
    let Kind::Request { id, method } = &message.kind else {
        return reply::empty(StatusCode::ACCEPTED);
    };
    let outcome = match handler.common(message, caller) {
        Some(outcome) => outcome,
        None if method == "ping" => Ok(json!({})),
        None => Err(rpc::error(id, rpc::METHOD_NOT_FOUND, "Method not found")),
    };
    let answer = match outcome {
        Ok(result) => rpc::result(id, &result),
        Err(error) => error,
    };
    handler.answer_with(StatusCode::OK, &answer)
}

fn initialize(handler: &Handler, message: &Message, caller: Option<&TokenFacts>) -> Reply {
    let id = message.id();
    let params = &message.params;
    let asked = params["protocolVersion"].as_str();
    let sound = !id.is_null()
        && params["capabilities"].is_object()
        && params["clientInfo"]["name"].is_string()
        && params["clientInfo"]["version"].is_string();
    let Some(asked) = asked.filter(|_| sound) else {
        let why = "initialize needs protocolVersion, capabilities and clientInfo";
        let refused = rpc::error(id, rpc::INVALID_PARAMS, why);
        return handler.answer_with(StatusCode::BAD_REQUEST, &refused);
    };
    let version = VERSIONS.iter().find(|v| **v == asked).unwrap_or(&LATEST);
    let result = json!({
        "protocolVersion": version,
        "capabilities": { "tools": { "listChanged": true } },
        "serverInfo": server_info(),
    });
    let mut reply = handler.answer_with(StatusCode::OK, &rpc::result(id, &result));
    if handler.config.sessions {
        let Ok(session) = random::opaque("session-") else {
            return reply::empty(StatusCode::INTERNAL_SERVER_ERROR);
        };
        reply::append(&mut reply, SESSION_HEADER, &session);
        let state = Session {
            version: (*version).to_owned(),
            subject: caller.map(|token| token.subject.clone()),
        };
        handler.state().sessions.insert(session, state);
    }
    reply
}

/// Session id and `MCP-Protocol-Version` of everything after `initialize`.
fn check_session(
    handler: &Handler,
    request: &Received,
    caller: Option<&TokenFacts>,
) -> Result<(), Box<Reply>> {
    let refuse = |status, why: &str| {
        let refused = rpc::error(&Value::Null, rpc::SERVER_ERROR, why);
        Err(Box::new(handler.answer_with(status, &refused)))
    };
    let version = request.header(VERSION_HEADER);
    if !version.is_some_and(|version| VERSIONS.contains(&version)) {
        let why = format!(
            "Bad Request: Unsupported protocol version (supported versions: {})",
            VERSIONS.join(", ")
        );
        return refuse(StatusCode::BAD_REQUEST, &why);
    }
    if !handler.config.sessions {
        return Ok(());
    }
    let Some(id) = request.header(SESSION_HEADER.as_str()) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Bad Request: Mcp-Session-Id is missing",
        );
    };
    let subject = caller.map(|token| token.subject.as_str());
    let found = handler.state().sessions.get(id).map(|session| {
        let stranger = subject.is_some() && session.subject.as_deref() != subject;
        (session.version.clone(), stranger)
    });
    match found {
        Some((negotiated, false)) if Some(negotiated.as_str()) == version => Ok(()),
        Some((_, false)) => {
            let why = "Bad Request: MCP-Protocol-Version is not the negotiated one";
            refuse(StatusCode::BAD_REQUEST, why)
        }
        _ => refuse(StatusCode::NOT_FOUND, "Session not found"),
    }
}

pub(super) fn open_stream(
    handler: &Handler,
    request: &Received,
    caller: Option<&TokenFacts>,
) -> Reply {
    match handler.config.get_stream {
        GetStream::NotAllowed => return not_allowed("POST, DELETE"),
        GetStream::NotFoundPage => {
            let page = "<!doctype html><title>Not found</title><h1>Cannot GET</h1>\n";
            return reply::html(StatusCode::NOT_FOUND, page);
        }
        GetStream::Open => {}
    }
    if !request.accepts("text/event-stream") {
        return reply::empty(StatusCode::NOT_ACCEPTABLE);
    }
    if let Err(reply) = check_session(handler, request, caller) {
        return *reply;
    }
    let (events, queue) = mpsc::unbounded_channel();
    let session = request.header(SESSION_HEADER.as_str()).map(str::to_owned);
    handler.state().streams.push(Stream { session, events });
    event_stream(queue)
}

/// The stream of the transport before this one: it begins with where messages would go.
pub(super) fn open_retired(handler: &Handler, request: &Received) -> Reply {
    if request.method != http::Method::GET {
        return not_allowed("GET");
    }
    if !request.accepts("text/event-stream") {
        return reply::empty(StatusCode::NOT_ACCEPTABLE);
    }
    let (events, queue) = mpsc::unbounded_channel();
    let endpoint = format!(
        "event: endpoint\ndata: {}/messages\n\n",
        handler.config.path
    );
    let first = Bytes::from(endpoint);
    // Nobody has closed the stream yet.
    drop(events.send(first));
    handler.state().streams.push(Stream {
        session: None,
        events,
    });
    event_stream(queue)
}

pub(super) fn end_session(
    handler: &Handler,
    request: &Received,
    caller: Option<&TokenFacts>,
) -> Reply {
    if !handler.config.delete || !handler.config.sessions {
        return not_allowed("POST, GET");
    }
    if let Err(reply) = check_session(handler, request, caller) {
        return *reply;
    }
    let id = request.header(SESSION_HEADER.as_str()).unwrap_or_default();
    let mut state = handler.state();
    state.sessions.remove(id);
    state.streams.retain(|s| s.session.as_deref() != Some(id));
    reply::empty(StatusCode::NO_CONTENT)
}

pub(super) fn server_info() -> Value {
    json!({ "name": "doorkey-testkit", "version": env!("CARGO_PKG_VERSION") })
}

pub(super) fn not_allowed(allowed: &str) -> Reply {
    let mut reply = reply::empty(StatusCode::METHOD_NOT_ALLOWED);
    reply::append(&mut reply, header::ALLOW, allowed);
    reply
}

/// An answer that says so at once and then passes on what is queued until the queue closes.
fn event_stream(queue: mpsc::UnboundedReceiver<Bytes>) -> Reply {
    let opening = stream::iter([Bytes::from_static(b": open\n\n")]);
    let queued = stream::unfold(queue, |mut queue| async move {
        queue.recv().await.map(|event| (event, queue))
    });
    let frames = opening.chain(queued).map(|event| Ok(Frame::data(event)));
    let mut reply = reply::with_status(StatusCode::OK, StreamBody::new(frames).boxed_unsync());
    let media = HeaderValue::from_static("text/event-stream");
    reply.headers_mut().insert(header::CONTENT_TYPE, media);
    let uncached = HeaderValue::from_static("no-cache");
    reply.headers_mut().insert(header::CACHE_CONTROL, uncached);
    reply
}

/// The revisions with a handshake, newest first.
pub(super) const VERSIONS: [&str; 3] = [LATEST, "2025-06-18", "2025-03-26"];
const LATEST: &str = "2025-11-25";
const SESSION_HEADER: HeaderName = HeaderName::from_static("mcp-session-id");
