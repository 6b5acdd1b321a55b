//! Asking the MCP server with the request that was going to be sent anyway.

use bytes::Bytes;
use doorkey_http::{Body, HttpClient, Leg};
use http::{Request, Response, StatusCode};

use crate::Challenges;
use crate::error::Error;

/// What an unauthenticated request met.
#[derive(Debug)]
#[non_exhaustive]
pub enum Probe {
    /// Anything but a 401, 403 and redirects included: the answer to the request, to be handled as any other.
    Open(Response<Body>),
    /// A 401: authorization is needed.
    Challenged {
        /// What the response asks for; may be empty, which changes nothing.
        challenges: Challenges,
        /// The response with the start of its body, at most [`MAX_CHALLENGE_BODY_BYTES`]; empty if the body is longer or broke off.
        response: Response<Bytes>,
    },
}

/// Sends `request`, the real POST that the client was going to send, to the MCP server. Nothing is learned from a GET, as many
/// servers answer it without asking who is there.
///
/// # Errors
/// [`Error::Http`] when there was no answer. Every answer, whatever its status, is a result.
pub async fn probe(http: &HttpClient, request: Request<Body>) -> Result<Probe, Error> {
    let response = http.send(Leg::Resource, request).await?;
    if response.status() != StatusCode::UNAUTHORIZED {
        return Ok(Probe::Open(response));
    }
    let challenges = Challenges::from_headers(response.headers());
    let (parts, body) = response.into_parts();
    // The header has said everything; whatever the body is, it must not hide that.
    let body = body
        .collect_limited(MAX_CHALLENGE_BODY_BYTES)
        .await
        .unwrap_or_default();
    Ok(Probe::Challenged {
        challenges,
        response: Response::from_parts(parts, body),
    })
}

/// The most that is read of the body of a 401, in bytes.
pub const MAX_CHALLENGE_BODY_BYTES: usize = 16 * 1024;
