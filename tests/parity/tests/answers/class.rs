//! What a client made of an answer, in words that two clients share.

use std::error::Error;

use doorkey_oauth::Challenges;
use futures_util::{Stream, StreamExt};
use rmcp::{
    model::ServerJsonRpcMessage,
    transport::streamable_http_client::{
        SseError, StreamableHttpError, StreamableHttpPostResponse,
    },
};
use serde_json::Value;

/// One reading of one answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Class {
    Accepted,
    /// The session was ended, or needs no ending.
    Ended,
    Message {
        body: Value,
        session: Option<String>,
    },
    /// The data of the events; `None` where the stream failed.
    Events {
        data: Vec<Option<String>>,
        session: Option<String>,
    },
    /// The challenges, written anew.
    AuthRequired(String),
    InsufficientScope(String, Option<String>),
    HttpStatus(u16, Option<String>),
    UnexpectedAnswer,
    UnexpectedMedia(Option<String>),
    TooLarge(usize),
    NoStream,
    SessionExpired,
    Reserved(String),
    /// The client's own error.
    Client,
    Other(String),
}

pub(crate) async fn of_post<E: Error + Send + Sync + 'static>(
    posted: Result<StreamableHttpPostResponse, StreamableHttpError<E>>,
) -> Class {
    match posted {
        Ok(StreamableHttpPostResponse::Accepted) => Class::Accepted,
        Ok(StreamableHttpPostResponse::Json(message, session)) => Class::Message {
            body: written(&message),
            session,
        },
        Ok(StreamableHttpPostResponse::Sse(events, session)) => Class::Events {
            data: drained(events).await,
            session,
        },
        Ok(other) => Class::Other(format!("{other:?}")),
        Err(error) => of_error(&error),
    }
}

pub(crate) async fn of_stream<S, E>(opened: Result<S, StreamableHttpError<E>>) -> Class
where
    S: Stream<Item = Result<sse_stream::Sse, SseError>> + Unpin,
    E: Error + Send + Sync + 'static,
{
    match opened {
        Ok(events) => Class::Events {
            data: drained(events).await,
            session: None,
        },
        Err(error) => of_error(&error),
    }
}

pub(crate) fn of_delete<E: Error + Send + Sync + 'static>(
    deleted: Result<(), StreamableHttpError<E>>,
) -> Class {
    match deleted {
        Ok(()) => Class::Ended,
        Err(error) => of_error(&error),
    }
}

fn of_error<E: Error + Send + Sync + 'static>(error: &StreamableHttpError<E>) -> Class {
    match error {
        StreamableHttpError::AuthRequired(error) => {
            Class::AuthRequired(normalized(&error.www_authenticate_header))
        }
        StreamableHttpError::InsufficientScope(error) => Class::InsufficientScope(
            normalized(&error.www_authenticate_header),
            error.required_scope.clone(),
        ),
        StreamableHttpError::HttpStatus(error) => {
            Class::HttpStatus(error.status, error.retry_after.clone())
        }
        StreamableHttpError::UnexpectedServerResponse(_) => Class::UnexpectedAnswer,
        StreamableHttpError::UnexpectedContentType(media) => Class::UnexpectedMedia(media.clone()),
        StreamableHttpError::ResponseBodyTooLarge { max_size } => Class::TooLarge(*max_size),
        StreamableHttpError::ServerDoesNotSupportSse => Class::NoStream,
        StreamableHttpError::SessionExpired => Class::SessionExpired,
        StreamableHttpError::ReservedHeaderConflict(name) => Class::Reserved(name.clone()),
        StreamableHttpError::Client(_) => Class::Client,
        other => Class::Other(other.to_string()),
    }
}

/// A message as it reads on the wire; the wording that a synthesized error ends in is each client's own.
fn written(message: &ServerJsonRpcMessage) -> Value {
    let mut body = serde_json::to_value(message).unwrap();
    if let Some(text) = body.pointer_mut("/error/message")
        && let Some(Value::String(start)) = Some(&*text)
        && start.starts_with("server/discover rejected")
    {
        *text = "server/discover rejected".into();
    }
    body
}

async fn drained<S>(mut events: S) -> Vec<Option<String>>
where
    S: Stream<Item = Result<sse_stream::Sse, SseError>> + Unpin,
{
    let mut data = Vec::new();
    while let Some(event) = events.next().await {
        data.push(event.ok().map(|event| event.data.unwrap_or_default()));
    }
    data
}

/// Quoting and blanks aside, the same challenges.
fn normalized(header: &str) -> String {
    Challenges::parse([header]).to_header_value()
}
