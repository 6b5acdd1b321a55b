//! What the server's answer to a GET or a DELETE means (MCP 2025-11-25, streamable HTTP).

use doorkey_http::Body;
use http::StatusCode;
use rmcp::transport::streamable_http_client::StreamableHttpError;

use crate::{
    refusal::Unusable,
    reply::{Media, Reply, unexpected},
};

/// The body of the event stream a GET opened.
///
/// # Errors
///
/// `ServerDoesNotSupportSse` when the server has no such stream: 404, 405 or a web page (CH-12), none of which says
/// anything about authorization or the session.
pub(crate) async fn opened(reply: Reply<'_>, url: &str) -> Result<Body, Unusable> {
    let reply = reply.authorized().await?;
    if let Some(failure) = reply.server_failure() {
        return Err(Unusable::new(failure, ""));
    }
    let status = reply.status();
    if matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    ) || reply.media() == Media::Html
    {
        return Err(StreamableHttpError::ServerDoesNotSupportSse.into());
    }
    if !status.is_success() {
        return Err(unexpected(status, url, &reply.diagnostic().await));
    }
    match reply.media() {
        // One JSON message where events were asked for reads as no events, as rmcp has it.
        Media::Events | Media::Json => Ok(reply.into_body()),
        _ => Err(reply.unexpected_media()),
    }
}

/// The outcome of the DELETE that ends a session.
///
/// 404 and 405 are good ends: the session is gone, or the server ends sessions by itself.
///
/// # Errors
///
/// Whatever else the server said: it may keep the session.
pub(crate) async fn ended(reply: Reply<'_>, url: &str) -> Result<(), Unusable> {
    let reply = reply.authorized().await?;
    if let Some(failure) = reply.server_failure() {
        return Err(Unusable::new(failure, ""));
    }
    match reply.status() {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(()),
        status if status.is_success() => Ok(()),
        status => Err(unexpected(status, url, &reply.diagnostic().await)),
    }
}
