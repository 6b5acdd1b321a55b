//! Asking the MCP server with the request that was going to be sent anyway.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use doorkey_http::{Body, HttpClient, Leg};
use http::{Request, Response, StatusCode};
use http_body::Body as _;

use crate::Challenges;
use crate::error::Error;

/// What an unauthenticated request met.
#[derive(Debug)]
#[non_exhaustive]
pub enum Probe {
    /// Anything but a 401, 403 and redirects included: the answer to the request, to be handled as
    /// any other.
    Open(Response<Body>),
    /// A 401: authorization is needed.
    Challenged {
        /// What the response asks for; may be empty, which changes nothing.
        challenges: Challenges,
        /// The response with the start of its body, at most [`MAX_CHALLENGE_BODY_BYTES`].
        response: Response<Bytes>,
    },
}

/// Sends `request`, the real POST that the client was going to send, to the MCP server. Nothing is
/// learned from a GET, as many servers answer it without asking who is there.
///
/// # Errors
/// [`Error::Http`] when there was no answer. Every answer, whatever its status, is a result.
pub async fn probe(http: &HttpClient, request: Request<Body>) -> Result<Probe, Error> {
    let response = http.send(Leg::Resource, request).await?;
    if response.status() != StatusCode::UNAUTHORIZED {
        return Ok(Probe::Open(response));
    }
    let challenges = Challenges::from_answer(response.headers(), response.extensions());
    let (parts, body) = response.into_parts();
    let start = start_of(body).await;
    Ok(Probe::Challenged {
        challenges,
        response: Response::from_parts(parts, start),
    })
}

/// The header has said everything, so nothing the body does may hide it, or hold it up for long:
/// each piece is waited for as long as the profile's `read` allows, and only a few are read.
async fn start_of(mut body: Body) -> Bytes {
    let mut start = BytesMut::new();
    for _ in 0..MAX_CHALLENGE_BODY_PIECES {
        let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        let Some(Ok(frame)) = frame else { break };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let room = MAX_CHALLENGE_BODY_BYTES - start.len();
        start.extend_from_slice(&data[..room.min(data.len())]);
        if data.len() >= room {
            break;
        }
    }
    start.freeze()
}

/// The most that is kept of the body of a 401, in bytes.
pub const MAX_CHALLENGE_BODY_BYTES: usize = 16 * 1024;

/// The most pieces of it that are waited for.
const MAX_CHALLENGE_BODY_PIECES: usize = 8;
