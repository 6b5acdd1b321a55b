//! Server-sent events with a limit on the size of each event, and with the request that an error is about.
//!
//! The limit counts the raw bytes of one event, comments excepted once they are complete: the same reckoning as rmcp's own
//! clients, which read all bytes twice, for the limit and for the events; here both are one reading. What stands for bytes
//! that are no text counts as long as it is.

use std::{
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes};
use futures_core::Stream;
use futures_util::StreamExt;
use memchr::{memchr2, memmem::Finder};
use rmcp::{
    model::{JsonRpcError, RequestId},
    transport::streamable_http_client::SseError,
};
use sse_stream::Sse;

use crate::reply::Quoting;

/// Events of `bytes`, none of them larger than `limit` bytes.
///
/// After the first error the stream ends, and what came before it comes before it, however the bytes are cut. `on_oversize` is called when an event passed the limit, with the id
/// a reconnect would resume from: `resumed_from`, or the id of the last event that was complete.
pub(crate) fn bounded_events<S, E, F>(
    bytes: S,
    limit: usize,
    resumed_from: Option<String>,
    on_oversize: F,
) -> Events<S, F>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
    F: FnOnce(Option<String>) + Unpin,
{
    Events {
        bytes,
        chunk: Bytes::new(),
        reader: Reader::new(limit),
        last_id: resumed_from,
        on_oversize: Some(on_oversize),
        answers: None,
        is_over: false,
    }
}

/// See [`bounded_events`].
pub(crate) struct Events<S, F> {
    bytes: S,
    /// What came and was not read yet.
    chunk: Bytes,
    reader: Reader,
    last_id: Option<String>,
    on_oversize: Option<F>,
    answers: Option<Answering>,
    is_over: bool,
}

/// What the events answer, and how the errors among them may be shown.
///
/// A stream that a POST opened carries the answer to that POST and to no other (MCP, streamable HTTP), and rmcp reads no
/// further than the first error, whatever id it has: one that names no request is about this one.
pub(crate) struct Answering {
    request: Option<RequestId>,
    quoting: Quoting,
}

impl<S, E, F> Events<S, F>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
    F: FnOnce(Option<String>) + Unpin,
{
    /// The same with errors that may be shown.
    pub(crate) fn answering(mut self, what: Option<Answering>) -> Self {
        self.answers = what;
        self
    }

    /// Whether there is one more event, which the reader then has.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, StreamFault>> {
        while !self.reader.read(&mut self.chunk)? {
            match std::task::ready!(self.bytes.poll_next_unpin(cx)) {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(error)) => {
                    return Poll::Ready(Err(StreamFault::Read(Box::new(error))));
                }
                None => return Poll::Ready(Ok(false)),
            }
        }
        Poll::Ready(Ok(true))
    }

    #[cold]
    fn fail(&mut self, fault: StreamFault) -> SseError {
        self.is_over = true;
        if let (StreamFault::EventTooLarge { .. }, Some(report)) = (&fault, self.on_oversize.take())
        {
            report(self.last_id.take());
        }
        fault.into()
    }
}

impl<S, E, F> Stream for Events<S, F>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
    F: FnOnce(Option<String>) + Unpin,
{
    type Item = Result<Sse, SseError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        match std::task::ready!(this.poll_read(cx)) {
            Ok(true) => {}
            Ok(false) => {
                this.is_over = true;
                return Poll::Ready(None);
            }
            Err(fault) => return Poll::Ready(Some(Err(this.fail(fault)))),
        }
        if let Some(event) = &mut this.reader.event {
            if let Some(id) = &event.id {
                this.last_id.get_or_insert_default().clone_from(id);
            }
            if let Some(answers) = &this.answers {
                answers.see(event);
            }
        }
        Poll::Ready(this.reader.event.take().map(Ok))
    }
}

impl Answering {
    /// What answers `request`, if there is one.
    pub(crate) fn new(request: Option<&RequestId>, quoting: Quoting) -> Self {
        let request = request.cloned();
        Self { request, quoting }
    }

    /// Has an error say no more than it may, and what it is about.
    pub(crate) fn see(&self, event: &mut Sse) {
        if let Some(said) = rpc_error(event) {
            self.quote(&said, event);
        }
    }

    #[cold]
    fn quote(&self, said: &JsonRpcError, event: &mut Sse) {
        let mut error = self.quoting.error(said.clone());
        error.id = error.id.or_else(|| self.request.clone());
        // What need not be changed stays as the server wrote it.
        if error != *said
            && let Ok(data) = serde_json::to_string(&error)
        {
            event.data = Some(data);
        }
    }
}

/// The JSON-RPC error that an event carries.
pub(crate) fn rpc_error(event: &Sse) -> Option<JsonRpcError> {
    let data = event.data.as_deref()?;
    may_be_error(data).then(|| serde_json::from_str(data).ok())?
}

/// Every other event is read once, by rmcp. An error has a member of that name, which can be written with escapes.
fn may_be_error(data: &str) -> bool {
    static MARKS: LazyLock<[Finder<'static>; 2]> =
        LazyLock::new(|| ["\"error\"", "\\u"].map(Finder::new));
    let data = data.as_bytes();
    // Most texts are short, and what is told of them in one pass is told sooner than a search has begun.
    let pairs = data.iter().zip(data.iter().skip(1));
    let is_likely = data.len() > SHORT
        || pairs.fold(false, |found, (one, next)| {
            found | ((*one == b'"') & (*next == b'e')) | ((*one == b'\\') & (*next == b'u'))
        });
    is_likely && MARKS.iter().any(|mark| mark.find(data).is_some())
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

impl From<StreamFault> for SseError {
    fn from(fault: StreamFault) -> Self {
        Self::Body(Box::new(fault))
    }
}

/// Reads lines, and makes events of them.
struct Reader {
    limit: usize,
    /// Of the event being received, in bytes: its complete lines.
    size: usize,
    /// The beginning of a line whose end did not come yet.
    line: Vec<u8>,
    /// What came of the event being received; it is complete when [`Reader::read`] says so.
    event: Option<Sse>,
    is_first_line: bool,
    after_carriage_return: bool,
}

impl Reader {
    const fn new(limit: usize) -> Self {
        Self {
            limit,
            size: 0,
            line: Vec::new(),
            event: None,
            is_first_line: true,
            after_carriage_return: false,
        }
    }

    /// Whether an event is complete with `chunk`, of which the rest is left; if not, it was read to its end.
    fn read(&mut self, chunk: &mut Bytes) -> Result<bool, StreamFault> {
        if let Some(read) = self.read_at_once(chunk) {
            chunk.advance(read);
            return Ok(true);
        }
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_carriage_return)
                && let Some(after) = rest.strip_prefix(b"\n")
            {
                rest = after;
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else {
                self.check(self.line.len() + rest.len())?;
                self.line.extend_from_slice(rest);
                break;
            };
            let is_complete = self.end_line(&rest[..end])?;
            self.after_carriage_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
            if is_complete {
                let read = chunk.len() - rest.len();
                chunk.advance(read);
                return Ok(true);
            }
        }
        chunk.clear();
        Ok(false)
    }

    /// An event of one line of data, with the name that servers give their messages or without one, and how long it is. So
    /// are most; whatever else comes is read line by line, and this would be as well.
    fn read_at_once(&mut self, chunk: &[u8]) -> Option<usize> {
        if self.size > 0 || !self.line.is_empty() {
            return None;
        }
        let unnamed = chunk.strip_prefix(MESSAGE_LINE);
        let value = unnamed.unwrap_or(chunk).strip_prefix(b"data:")?;
        let end = memchr2(b'\n', b'\r', value)?;
        let length = chunk.len() - value.len() + end;
        if length >= self.limit || !value[end..].starts_with(b"\n\n") {
            return None;
        }
        let value = &value[..end];
        let text = str::from_utf8(value.strip_prefix(b" ").unwrap_or(value)).ok()?;
        let event = self.event.get_or_insert_default();
        event.event = unnamed.map(|_| "message".to_owned());
        event.data = Some(text.to_owned());
        self.is_first_line = false;
        self.after_carriage_return = false;
        Some(length + 2)
    }

    /// Takes the end of a line; whether it ended an event.
    fn end_line(&mut self, end: &[u8]) -> Result<bool, StreamFault> {
        match self.line.is_empty() {
            true => self.take_line(end),
            false => self.take_parts(end),
        }
    }

    /// The same of a line whose beginning came before.
    fn take_parts(&mut self, end: &[u8]) -> Result<bool, StreamFault> {
        self.check(self.line.len() + end.len())?;
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(end);
        let is_complete = self.take_line(&line);
        if line.capacity() <= KEPT {
            line.clear();
            self.line = line;
        }
        is_complete
    }

    fn take_line(&mut self, mut line: &[u8]) -> Result<bool, StreamFault> {
        self.check(line.len())?;
        if std::mem::take(&mut self.is_first_line) {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        match line {
            [] => {
                self.size = 0;
                return Ok(self.event.is_some());
            }
            // A comment, which is not kept.
            [b':', ..] => {}
            _ => {
                // A newline is put between data lines that are joined.
                self.size += line.len() + 1;
                self.check(0)?;
                self.take_field(line)?;
            }
        }
        Ok(false)
    }

    /// As the standard has it (WHATWG HTML §9.2.6): of a field the last one counts, and what is none is passed over, as are
    /// bytes that are no text.
    fn take_field(&mut self, line: &[u8]) -> Result<(), StreamFault> {
        // No name that counts is long: a colon further on says nothing.
        let colon = line
            .iter()
            .take(LONGEST_NAME + 1)
            .position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                let text = self.text(value)?;
                match &mut self.event.get_or_insert_default().data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(&text);
                    }
                    data => *data = Some(text),
                }
            }
            b"event" => {
                let text = self.text(value)?;
                self.event.get_or_insert_default().event = Some(text);
            }
            b"id" if !value.contains(&0) => {
                let text = self.text(value)?;
                self.event.get_or_insert_default().id = Some(text);
            }
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                if let Some(milliseconds) = str::from_utf8(value).ok().and_then(|n| n.parse().ok())
                {
                    self.event.get_or_insert_default().retry = Some(milliseconds);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The text of a value that is kept. What stands for bytes that are no text is longer than they are, and counts.
    fn text(&mut self, value: &[u8]) -> Result<String, StreamFault> {
        if let Ok(text) = str::from_utf8(value) {
            return Ok(text.to_owned());
        }
        for chunk in value
            .utf8_chunks()
            .filter(|chunk| !chunk.invalid().is_empty())
        {
            self.size += char::REPLACEMENT_CHARACTER.len_utf8() - chunk.invalid().len();
        }
        self.check(0)?;
        Ok(String::from_utf8_lossy(value).into_owned())
    }

    /// Whether the event may go on with a line of so many bytes.
    fn check(&self, line: usize) -> Result<(), StreamFault> {
        let limit = self.limit;
        match self.size.saturating_add(line) > limit {
            true => Err(StreamFault::EventTooLarge { limit }),
            false => Ok(()),
        }
    }
}

/// How an event begins that is a message.
const MESSAGE_LINE: &[u8] = b"event: message\n";
/// `event` and `retry`, in bytes.
const LONGEST_NAME: usize = 5;
/// A text that is looked at byte by byte first, in bytes.
const SHORT: usize = 512;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// Room for the halves of lines that is kept from one to the next, in bytes: that of a large event is given back, since a
/// stream may rest for hours after it.
const KEPT: usize = 64 * 1024;

#[cfg(test)]
mod tests;
