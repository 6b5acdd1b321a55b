//! What one connection knows that rmcp's worker does not: the settled answer, the watched messages, dead streams.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use tokio::sync::OnceCell;

use crate::{Exchange, Wire, refusal::Cause, reply::Failure};

/// The state of one connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    settled: Mutex<Option<Box<Settled>>>,
    /// The settled answer was remembered and no request has confirmed it yet.
    unconfirmed: AtomicBool,
    /// What asking anew came to, once a request was refused; requests refused together ask once.
    still_stateless: OnceCell<bool>,
    watched: Mutex<HashMap<MessageKey, Slot>>,
    dead_streams: Mutex<HashSet<Option<String>>>,
    /// Under which identity each session began.
    sessions: Mutex<HashMap<String, u64>>,
}

/// The answer that settled the wire, kept for rmcp's own first request.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    pub(crate) wire: Wire,
    pub(crate) answer: ServerJsonRpcMessage,
    pub(crate) session: Option<String>,
    /// The answer comes from an earlier connection; the server was not asked.
    pub(crate) remembered: bool,
}

impl Connection {
    /// Keeps `settled` for the first `initialize` or `server/discover`.
    pub(crate) fn settle(&self, settled: Settled) {
        self.unconfirmed
            .store(settled.remembered, Ordering::Release);
        *lock(&self.settled) = Some(Box::new(settled));
    }

    /// The settled answer if `message` asks for it, under its id; once.
    pub(crate) fn settled_answer(
        &self,
        message: &ClientJsonRpcMessage,
    ) -> Option<(ServerJsonRpcMessage, Option<String>)> {
        let JsonRpcMessage::Request(request) = message else {
            return None;
        };
        let wire = match &request.request {
            ClientRequest::InitializeRequest(_) => Wire::Stateful,
            ClientRequest::DiscoverRequest(_) => Wire::Stateless,
            _ => return None,
        };
        let settled = lock(&self.settled).take_if(|settled| settled.wire == wire)?;
        let mut answer = settled.answer;
        if let JsonRpcMessage::Response(response) = &mut answer {
            response.id = request.id.clone();
        }
        Some((answer, settled.session))
    }

    /// Whether the wire rests on a memory that no answer has confirmed.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        self.unconfirmed.load(Ordering::Acquire)
    }

    /// Ends that doubt.
    pub(crate) fn confirm(&self) {
        self.unconfirmed.store(false, Ordering::Release);
    }

    pub(crate) const fn still_stateless(&self) -> &OnceCell<bool> {
        &self.still_stateless
    }

    /// Catches what is behind it, should `message` fail.
    pub(crate) fn watch(self: &Arc<Self>, message: &ClientJsonRpcMessage) -> Watch {
        let key = MessageKey::of(message);
        let slot = Slot::default();
        lock(&self.watched).insert(key.clone(), Arc::clone(&slot));
        Watch {
            connection: Arc::clone(self),
            key,
            slot,
        }
    }

    /// Hands the cause of a failed message to whoever watches it.
    ///
    /// The request that nobody watches is rmcp's own `initialize` after an expired session. Its failure is that of the
    /// messages that wait for the new session: those that failed before and are watched still.
    pub(crate) fn caught(&self, key: &MessageKey, cause: &Cause) {
        let watched = lock(&self.watched);
        if let Some(slot) = watched.get(key) {
            lock(slot).push(cause.clone());
        } else if matches!(key, MessageKey::Request(_)) {
            let mut slots: Vec<_> = watched.values().map(|slot| lock(slot)).collect();
            let waiting = slots.iter_mut().filter(|causes| !causes.is_empty());
            waiting.for_each(|causes| causes.push(cause.clone()));
        }
    }

    /// Says that the stream standing at `event_id` must not be opened again: the event that follows is too large.
    pub(crate) fn bury_stream(&self, event_id: Option<String>) {
        let mut dead = lock(&self.dead_streams);
        if dead.len() < DEAD_STREAM_LIMIT {
            dead.insert(event_id);
        }
    }

    /// Notes whose session it is. A session has one owner, whoever is noted first.
    pub(crate) fn owner(&self, session: &str, epoch: u64) -> u64 {
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= SESSION_LIMIT && !sessions.contains_key(session) {
            // A connection has one session at a time: those are long over.
            sessions.clear();
        }
        *sessions.entry(session.to_owned()).or_insert(epoch)
    }

    pub(crate) fn is_dead_stream(&self, event_id: Option<&String>) -> bool {
        lock(&self.dead_streams).contains(&event_id.cloned())
    }
}

/// A message may be sent more than once, and fail in more than one way.
type Slot = Arc<Mutex<Vec<Cause>>>;

/// What tells one message in flight from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MessageKey {
    Request(RequestId),
    Reply(Option<RequestId>),
    Other(Exchange),
}

impl MessageKey {
    pub(crate) fn of(message: &ClientJsonRpcMessage) -> Self {
        match message {
            JsonRpcMessage::Request(request) => Self::Request(request.id.clone()),
            JsonRpcMessage::Response(response) => Self::Reply(Some(response.id.clone())),
            JsonRpcMessage::Error(error) => Self::Reply(error.id.clone()),
            JsonRpcMessage::Notification(_) => Self::Other(Exchange::of(message)),
        }
    }
}

/// Watches one message until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    connection: Arc<Connection>,
    key: MessageKey,
    slot: Slot,
}

impl Watch {
    /// What is behind the failure of the message, if it was caught.
    pub(crate) fn cause(&self, failure: &Failure) -> Option<Cause> {
        let causes = lock(&self.slot);
        let behind = causes.iter().rev().find(|cause| cause.is_behind(failure));
        behind.cloned()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = lock(&self.connection.watched);
        // A later message with the same key has a slot of its own.
        if watched
            .get(&self.key)
            .is_some_and(|slot| Arc::ptr_eq(slot, &self.slot))
        {
            watched.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while holding one of these locks, and none of the states can be half-written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const DEAD_STREAM_LIMIT: usize = 256;
const SESSION_LIMIT: usize = 16;
