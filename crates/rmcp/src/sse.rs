//! Server-sent events with a limit on the size of each event, and with the request that an error is about.
//!
//! The limit counts the raw bytes of one event, comments excepted once they are complete, before any
//! of it is parsed: the same reckoning as rmcp's own clients.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::{Stream, stream::BoxStream};
use futures_util::{StreamExt, future::ready};
use rmcp::{
    model::{JsonRpcError, RequestId},
    transport::streamable_http_client::SseError,
};
use sse_stream::{Sse, SseStream};

use crate::reply::Quoting;

/// Events of `bytes`, none of them larger than `limit` bytes.
///
/// After the first error the stream ends, and what came before it comes before it, however the bytes are cut. `on_oversize` is called when an event passed the limit, with the id
/// a reconnect would resume from: `resumed_from`, or the id of the last event that was complete.
pub(crate) fn bounded_events<S, E>(
    bytes: S,
    limit: usize,
    resumed_from: Option<String>,
    on_oversize: impl FnOnce(Option<String>) + Send + 'static,
) -> impl Stream<Item = Result<Sse, SseError>> + Send + Unpin + 'static
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut last_id = resumed_from;
    let mut on_oversize = Some(on_oversize);
    until_failure(SseStream::from_bytes_stream(Pieces::new(bytes, limit))).map(move |item| {
        match &item {
            Ok(Sse { id: Some(id), .. }) => last_id = Some(id.clone()),
            Ok(_) => {}
            Err(error) => {
                if let (Some(report), true) = (on_oversize.take(), is_oversize(error)) {
                    report(last_id.take());
                }
            }
        }
        item
    })
}

/// The events with errors that may be shown. In answer to `request`, if there is one, an error that names no request is
/// about this one.
///
/// A stream that a POST opened carries the answer to that POST and to no other (MCP, streamable HTTP), and rmcp reads no
/// further than the first error, whatever id it has.
pub(crate) fn answering(
    events: impl Stream<Item = Result<Sse, SseError>> + Send + 'static,
    request: Option<&RequestId>,
    quoting: Quoting,
) -> BoxStream<'static, Result<Sse, SseError>> {
    let request = request.cloned();
    events
        .map(move |event| {
            let mut event = event?;
            if let Some(said) = rpc_error(&event) {
                let mut error = quoting.error(said.clone());
                error.id = error.id.or_else(|| request.clone());
                // What need not be changed stays as the server wrote it.
                if error != said
                    && let Ok(data) = serde_json::to_string(&error)
                {
                    event.data = Some(data);
                }
            }
            Ok(event)
        })
        .boxed()
}

/// The JSON-RPC error that an event carries.
pub(crate) fn rpc_error(event: &Sse) -> Option<JsonRpcError> {
    let data = event.data.as_deref()?;
    // Every other event is read once, by rmcp: an error has a member of that name, which can be written with escapes.
    let may_be_error = data.contains("\"error\"") || data.contains("\\u");
    may_be_error.then(|| serde_json::from_str(data).ok())?
}

/// The items up to the first failure, and that.
fn until_failure<T, E>(
    items: impl Stream<Item = Result<T, E>> + Unpin,
) -> impl Stream<Item = Result<T, E>> + Unpin {
    items.scan(false, |failed, item| {
        let past_failure = std::mem::replace(failed, item.is_err());
        ready((!past_failure).then_some(item))
    })
}

/// Chunks cut after each event, none of which is too large, up to the first failure. The parser gives up the rest of a
/// chunk when a line is wrong, and tells of that line before the events that it read above it.
struct Pieces<S> {
    bytes: S,
    rest: Bytes,
    limiter: EventLimiter,
    failed: bool,
}

impl<S> Pieces<S> {
    const fn new(bytes: S, limit: usize) -> Self {
        Self {
            bytes,
            rest: Bytes::new(),
            limiter: EventLimiter::new(limit),
            failed: false,
        }
    }
}

impl<S, E> Stream for Pieces<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    type Item = Result<Bytes, StreamFault>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.failed {
            return Poll::Ready(None);
        }
        while this.rest.is_empty() {
            match std::task::ready!(this.bytes.poll_next_unpin(cx)) {
                Some(Ok(chunk)) => this.rest = chunk,
                Some(Err(error)) => {
                    this.failed = true;
                    return Poll::Ready(Some(Err(StreamFault::Read(Box::new(error)))));
                }
                None => return Poll::Ready(None),
            }
        }
        let end = this.limiter.observe(&this.rest);
        this.failed = end.is_err();
        Poll::Ready(Some(end.map(|end| this.rest.split_to(end))))
    }
}

/// Whether an event passed the limit: the same request will have the same answer.
pub(crate) fn is_oversize(error: &SseError) -> bool {
    matches!(error, SseError::Body(cause)
        if matches!(cause.downcast_ref(), Some(StreamFault::EventTooLarge { .. })))
}

/// Why an event stream ended early.
#[derive(Debug, thiserror::Error)]
enum StreamFault {
    #[error("the event stream could not be read")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("SSE event exceeded the maximum size of {limit} bytes")]
    EventTooLarge { limit: usize },
}

/// Counts the bytes of the event being received.
#[derive(Debug)]
struct EventLimiter {
    limit: usize,
    retained: usize,
    line: usize,
    in_comment: bool,
    after_carriage_return: bool,
}

impl EventLimiter {
    const fn new(limit: usize) -> Self {
        Self {
            limit,
            retained: 0,
            line: 0,
            in_comment: false,
            after_carriage_return: false,
        }
    }

    /// Counts the bytes up to the end of the event, or all if it ends later, and says how many they are.
    fn observe(&mut self, bytes: &[u8]) -> Result<usize, StreamFault> {
        let is_second_half = std::mem::take(&mut self.after_carriage_return);
        let mut at = usize::from(is_second_half && bytes.first() == Some(&b'\n'));
        while at < bytes.len() {
            let rest = &bytes[at..];
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let line = &rest[..end.unwrap_or(rest.len())];
            if self.line == 0 {
                self.in_comment = line.first() == Some(&b':');
            }
            self.line = self.line.saturating_add(line.len());
            self.check()?;
            let Some(end) = end else {
                return Ok(bytes.len());
            };
            at += end + 1;
            if rest[end] == b'\r' {
                self.after_carriage_return = at == bytes.len();
                at += usize::from(bytes.get(at) == Some(&b'\n'));
            }
            let is_end = self.line == 0;
            self.end_line();
            self.check()?;
            if is_end {
                return Ok(at);
            }
        }
        Ok(bytes.len())
    }

    const fn check(&self) -> Result<(), StreamFault> {
        if self.retained.saturating_add(self.line) > self.limit {
            return Err(StreamFault::EventTooLarge { limit: self.limit });
        }
        Ok(())
    }

    fn end_line(&mut self) {
        if self.line == 0 {
            self.retained = 0;
        } else if !self.in_comment {
            // The parser puts a newline between data lines that it joins.
            self.retained = self.retained.saturating_add(self.line).saturating_add(1);
        }
        self.line = 0;
        self.in_comment = false;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{Arc, Mutex},
    };

    use futures_util::stream;

    use super::*;

    fn chunks(text: &str, size: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
        let chunks: Vec<_> = text
            .as_bytes()
            .chunks(size)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        stream::iter(chunks)
    }

    #[tokio::test]
    async fn an_event_at_the_limit_passes_and_one_byte_more_does_not() {
        for (text, limit, passes) in [
            ("data: 12345678\n\n", 15, true),
            ("data: 12345678\n\n", 14, false),
            ("data: 1\r\ndata: 2\r\n\r\n", 16, true),
            ("data: 1\r\ndata: 2\r\n\r\n", 15, false),
            ("data: 1\n\ndata: 2\n\n", 8, true),
            (": a comment is not kept\ndata: 1\n\n", 25, true),
            ("data: without an end", 12, false),
        ] {
            for size in [1, 3, 1000] {
                let events: Vec<_> = bounded_events(chunks(text, size), limit, None, |_| {})
                    .collect()
                    .await;
                let passed = events.iter().all(Result::is_ok);
                assert_eq!(passed, passes, "{text:?} in chunks of {size} under {limit}");
            }
        }
    }

    #[tokio::test]
    async fn an_oversized_event_ends_the_stream_and_names_where_it_stood() {
        let text = "id: 7\ndata: a\n\ndata: far too large for this limit\n\ndata: b\n\n";
        let reported = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&reported);
        let events: Vec<_> = bounded_events(chunks(text, 5), 16, Some("6".to_owned()), move |id| {
            *seen.lock().unwrap() = id;
        })
        .collect()
        .await;
        assert_eq!(events.len(), 2);
        assert_eq!(events[0].as_ref().unwrap().data.as_deref(), Some("a"));
        let error = events[1].as_ref().unwrap_err().to_string();
        assert!(error.contains("maximum size of 16 bytes"), "{error}");
        assert_eq!(reported.lock().unwrap().as_deref(), Some("7"));
    }

    #[tokio::test]
    async fn a_wrong_line_and_one_too_long_end_the_stream_after_the_events_above_them() {
        let long = "data: too long for the limit of thirty-two bytes";
        for (wrong, size) in [1, 2, 3, 1000]
            .map(|size| [("no field", size), (long, size)])
            .concat()
        {
            let text = format!("data: a\r\n\r\ndata: b\n\n{wrong}\ndata: c\n\n");
            let events = bounded_events(chunks(&text, size), 32, None, |_| {});
            let events: Vec<_> = events.collect().await;
            let data = |index: usize| events[index].as_ref().unwrap().data.clone();
            assert_eq!(events.len(), 3, "in pieces of {size}: {events:?}");
            assert_eq!(
                (data(0), data(1)),
                (Some("a".to_owned()), Some("b".to_owned()))
            );
            assert!(events[2].is_err());
        }
    }

    #[tokio::test]
    async fn a_read_failure_is_passed_on_and_is_no_oversize() {
        let body = stream::iter([
            Ok(Bytes::from_static(b"data: a\n\n")),
            Err(std::io::Error::other("reset by peer")),
            Ok(Bytes::from_static(b"data: b\n\n")),
        ]);
        let events: Vec<_> = bounded_events(body, 64, None, |_| panic!("not an oversize"))
            .collect()
            .await;
        assert_eq!(events.len(), 2);
        assert!(events[1].is_err());
    }

    #[tokio::test]
    async fn an_error_in_an_event_repeats_no_secret_and_answers_what_was_asked() {
        const TOKEN: &str = "at-0123456789-abcdefghij";
        let error = |id: &str| {
            format!(
                "data: {{\"jsonrpc\":\"2.0\",{id}\"error\":{{\"code\":-32000,\"message\":\"who is {TOKEN}?\",\
                 \"data\":{{\"{TOKEN}\":[\"Bearer {TOKEN}\",7]}}}}}}\n\n"
            )
        };
        let asked = RequestId::Number(3);
        for (id, request, answered) in [
            ("", Some(&asked), Some(RequestId::Number(3))),
            ("", None, None),
            ("\"id\":4,", Some(&asked), Some(RequestId::Number(4))),
        ] {
            let text = error(id);
            let events = bounded_events(chunks(&text, 1000), 1000, None, |_| {});
            let quoting = Quoting::without(TOKEN);
            let events: Vec<_> = answering(events, request, quoting).collect().await;
            let event = events[0].as_ref().unwrap();
            assert!(!format!("{event:?}").contains(TOKEN), "{event:?}");
            let told = rpc_error(event).unwrap();
            assert_eq!(told.id, answered);
            assert_eq!(told.error.message, "who is …?");
            assert_eq!(
                told.error.data.unwrap(),
                serde_json::json!({ "…": ["Bearer …", 7] })
            );
        }
    }

    #[test]
    fn a_secret_that_is_hidden_between_what_nobody_sees_is_struck_as_well() {
        const TOKEN: &str = "at-0123456789-abcdefghij";
        let quoting = Quoting::without(TOKEN);
        for hidden in ["\u{200b}", "\u{1b}[31m", "\u{202e}", "\u{1b}]0;t\u{7}"] {
            let halves = TOKEN.split_at(12);
            let text = format!("who is {}{hidden}{}?", halves.0, halves.1);
            assert_eq!(quoting.quote(text.as_bytes()), "who is …?");
            let said = serde_json::json!({
                "jsonrpc": "2.0", "id": 1,
                "error": { "code": 1, "message": text, "data": { text.clone(): [text] } },
            });
            let error = quoting.error(serde_json::from_value(said).unwrap()).error;
            assert_eq!(error.message, "who is …?");
            let data = serde_json::json!({ "who is …?": ["who is …?"] });
            assert_eq!(error.data, Some(data));
        }
        // What hides nothing stays in the data as it was sent.
        let said = serde_json::json!({
            "jsonrpc": "2.0", "id": 1,
            "error": { "code": 1, "message": "m", "data": "a\u{200b}b" },
        });
        let error = quoting.error(serde_json::from_value(said).unwrap()).error;
        assert_eq!(error.data, Some("a\u{200b}b".into()));
    }
}
