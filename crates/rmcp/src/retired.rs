//! The transport that MCP gave up: HTTP with server-sent events, as of 2024-11-05.
//!
//! There a GET opened a stream whose first event, `endpoint`, said where to POST messages to; the address of the stream took
//! no POST. The specification of streamable HTTP has clients find such servers out by that event, and so does this. It is not
//! spoken here: the first event would name any address to send tokens to, and what answers a request comes on another one.

use std::time::Duration;

use crate::AuthorizedClient;

/// Whether the address, which refuses `initialize`, has such a stream.
///
/// One GET, with the token if there is one; whatever else comes of it, or nothing in time, is no.
pub(crate) async fn is_spoken(client: &AuthorizedClient, uri: &str) -> bool {
    match tokio::time::timeout(LIMIT, client.first_event(uri, EVENT_BYTES)).await {
        Ok(Some(event)) => event.event.as_deref() == Some("endpoint"),
        Ok(None) | Err(_) => false,
    }
}

/// Such servers send the event at once.
const LIMIT: Duration = Duration::from_secs(5);
/// An address and little more.
const EVENT_BYTES: usize = 16 * 1024;
