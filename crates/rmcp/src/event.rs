//! What happened to an exchange whose caller, inside rmcp, tells nobody.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use rmcp::model::{ClientJsonRpcMessage, ClientNotification};
use tokio::sync::broadcast;

/// Something a host may want to act on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request was refused until somebody signs in. Its caller got the error as well.
    LoginRequired {
        /// What was being sent.
        exchange: Exchange,
        /// Why.
        error: Arc<doorkey_oauth::Error>,
    },
    /// A request needs scopes the token does not have. Its caller got the error as well.
    InsufficientScope {
        /// What was being sent.
        exchange: Exchange,
        /// Which scopes, and why they were not obtained.
        error: Arc<doorkey_oauth::Error>,
    },
    /// A notification or a reply was refused. On `notifications/initialized` the connection ends.
    NotificationUnauthorized {
        /// What was being sent.
        exchange: Exchange,
        /// Why.
        error: Arc<doorkey_oauth::Error>,
    },
    /// A GET stream is open. The standalone one, which is opened beside the first requests, brings
    /// what the server sends by itself: before this event such messages may be lost.
    StreamOpened {
        /// Whether the stream was resumed, or opened for the first time.
        resumed: bool,
    },
    /// A GET stream was refused; it is not opened again.
    StreamUnauthorized {
        /// Whether the stream was being resumed, or opened for the first time.
        resumed: bool,
        /// Why.
        error: Arc<doorkey_oauth::Error>,
    },
    /// An event of a stream passed the size limit; the stream is not resumed.
    StreamOverflow {
        /// The limit, in bytes.
        limit: usize,
        /// Whether the stream was the answer to a request: the connection ends with it, and rmcp
        /// tells the caller no more than that.
        answer: bool,
    },
    /// The session could not be ended; the server may keep it for a while.
    SessionDeleteFailed {
        /// What happened, in one line.
        detail: String,
        /// The error of the authorization layer or the network, if it was one of these.
        error: Option<Arc<doorkey_oauth::Error>>,
    },
    /// The server no longer speaks the wire that was remembered: forget it and connect again.
    RememberedWireRefused,
    /// This many events were dropped because nobody took them in time.
    Missed(u64),
}

/// One line for a person or a log. Nothing secret is in it.
impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoginRequired { exchange, error }
            | Self::InsufficientScope { exchange, error }
            | Self::NotificationUnauthorized { exchange, error } => {
                write!(formatter, "{exchange} was refused: {error}")
            }
            Self::StreamOpened { resumed } => {
                let exchange = Exchange::Stream { resumed: *resumed };
                write!(formatter, "{exchange} is open")
            }
            Self::StreamUnauthorized { resumed, error } => {
                let exchange = Exchange::Stream { resumed: *resumed };
                write!(formatter, "{exchange} was refused: {error}")
            }
            Self::StreamOverflow { limit, .. } => {
                write!(
                    formatter,
                    "an event of more than {limit} bytes ended its stream"
                )
            }
            Self::SessionDeleteFailed { detail, .. } => {
                write!(formatter, "the session was not ended: {detail}")
            }
            Self::RememberedWireRefused => {
                formatter.write_str("the server no longer speaks the wire that was remembered")
            }
            Self::Missed(count) => write!(formatter, "{count} events were missed"),
        }
    }
}

/// One exchange with the MCP server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exchange {
    /// A request, with its method.
    Request(String),
    /// A notification, with its method.
    Notification(String),
    /// The client's answer to a request of the server.
    Reply,
    /// The GET stream.
    Stream {
        /// Whether it resumes an earlier stream.
        resumed: bool,
    },
    /// The DELETE that ends a session.
    SessionEnd,
}

impl Exchange {
    pub(crate) fn of(message: &ClientJsonRpcMessage) -> Self {
        match message {
            ClientJsonRpcMessage::Request(request) => {
                Self::Request(request.request.method().to_owned())
            }
            ClientJsonRpcMessage::Notification(notification) => {
                Self::Notification(notification_method(&notification.notification).to_owned())
            }
            _ => Self::Reply,
        }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(method) | Self::Notification(method) => formatter.write_str(method),
            Self::Reply => formatter.write_str("a reply"),
            Self::Stream { resumed: false } => formatter.write_str("the standalone stream"),
            Self::Stream { resumed: true } => formatter.write_str("a resumed stream"),
            Self::SessionEnd => formatter.write_str("the end of the session"),
        }
    }
}

/// Events from the moment this stream was made.
///
/// Made by [`AuthorizedClient::events`](crate::AuthorizedClient::events). Events wait here until they are taken,
/// up to a bound past which the oldest are dropped and counted in [`Event::Missed`].
#[derive(Debug)]
pub struct EventStream(broadcast::Receiver<Arc<Event>>);

impl EventStream {
    /// The next event, once there is one; `None` when every client and connection is gone.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(Arc::unwrap_or_clone(event)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Event::Missed(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// Takes every event that waits. If the answer to a request was among them that ended because
    /// of too large an event: its limit, in bytes.
    ///
    /// For whoever gets rmcp's `TransportClosed` and wants to know why: what is too large now is no
    /// smaller the next time.
    pub fn overflow_of_answer(&mut self) -> Option<usize> {
        let mut found = None;
        while let Some(event) = self.try_next() {
            if let Event::StreamOverflow {
                limit,
                answer: true,
            } = event
            {
                found = Some(limit);
            }
        }
        found
    }

    /// The next event if there is one already.
    pub fn try_next(&mut self) -> Option<Event> {
        match self.0.try_recv() {
            Ok(event) => Some(Arc::unwrap_or_clone(event)),
            Err(broadcast::error::TryRecvError::Lagged(count)) => Some(Event::Missed(count)),
            Err(_) => None,
        }
    }
}

/// Where events go. Most sessions have nobody who listens: what waits for them has a place from the first on
/// who does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listeners(Arc<OnceLock<broadcast::Sender<Arc<Event>>>>);

impl Listeners {
    pub(crate) fn join(&self) -> EventStream {
        let sender = self.0.get_or_init(|| broadcast::channel(CAPACITY).0);
        EventStream(sender.subscribe())
    }

    pub(crate) fn tell(&self, event: Event) {
        if let Some(sender) = self.0.get() {
            // Whoever listened may be gone.
            drop(sender.send(Arc::new(event)));
        }
    }
}

/// Events that wait for one who listens.
const CAPACITY: usize = 64;

fn notification_method(notification: &ClientNotification) -> &str {
    match notification {
        ClientNotification::CancelledNotification(_) => "notifications/cancelled",
        ClientNotification::ProgressNotification(_) => "notifications/progress",
        ClientNotification::InitializedNotification(_) => "notifications/initialized",
        ClientNotification::RootsListChangedNotification(_) => "notifications/roots/list_changed",
        ClientNotification::CustomNotification(custom) => &custom.method,
        _ => "a notification",
    }
}
