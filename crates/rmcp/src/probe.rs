//! Whether, and with what challenge, a server wants authorization.
//!
//! Sends without a token what a client would send anyway. A server may let the opening through and challenge only what
//! comes after, so the probe goes on to `tools/list`. A server that challenges nothing before `tools/call` reads as open:
//! calling a tool to find out could do something.

use std::{sync::Arc, time::Duration};

use doorkey_discovery::Challenges;
use doorkey_http::HttpClient;
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation, RequestId};
use tower::util::BoxCloneSyncService;
use url::Url;

use crate::{
    AuthorizedClient, ClientOptions, ConnectError, Protocol, Remembered, Wire, authorization_error,
    client::{Post, shown},
    connect::abandon_session,
    lifecycle,
    settle::Settling,
    transport::endpoint,
    unauthenticated::Unauthenticated,
};

/// What a probe found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ProbeOutcome {
    /// The server wants authorization, and this is what it said; nothing, if its 401 said nothing.
    Challenged(Challenges),
    /// The server answered as far as `tools/list` without a token.
    Open {
        /// The wire it speaks.
        wire: Wire,
    },
}

/// Asks the MCP server at `url` for its challenge, without a token.
///
/// Sends the real POST: `initialize` or `server/discover`, by `protocol` and, for [`Protocol::Auto`], by the wire that
/// `remembered` says worked before; then, if the server lets it through, `notifications/initialized` and `tools/list`, and
/// ends the session it was given.
///
/// # Errors
///
/// [`ConnectError`] when the server neither answered nor challenged.
pub async fn probe(
    http: &HttpClient,
    url: &Url,
    protocol: Protocol,
    remembered: Option<Wire>,
) -> Result<ProbeOutcome, ConnectError> {
    let service = Unauthenticated::new(http.clone(), url.clone());
    let options = ClientOptions::default().with_standalone_stream(false);
    let client = AuthorizedClient::over(
        BoxCloneSyncService::new(service),
        http.profile().timeouts,
        options,
    );
    let remembered = remembered.map(Remembered::new);
    let walk = walk(&client, endpoint(url), protocol, remembered.as_ref());
    match tokio::time::timeout(PROBE_LIMIT, Box::pin(walk)).await {
        Ok(Err(error)) => match authorization_error(&error).and_then(|it| it.challenges()) {
            Some(challenges) => Ok(ProbeOutcome::Challenged(challenges.clone())),
            None => Err(error),
        },
        Ok(Ok(wire)) => Ok(ProbeOutcome::Open { wire }),
        Err(_) => Err(ConnectError::Timeout {
            url: shown(url.as_str()),
            limit: PROBE_LIMIT,
        }),
    }
}

/// As far as `tools/list`; the challenge, wherever it comes, is an error here.
async fn walk(
    client: &AuthorizedClient,
    uri: Arc<str>,
    protocol: Protocol,
    remembered: Option<&Remembered>,
) -> Result<Wire, ConnectError> {
    let info = ClientConfig::new(
        ClientCapabilities::default(),
        Implementation::new("doorkey", env!("CARGO_PKG_VERSION")),
    );
    let settling = Settling {
        client,
        uri: Arc::clone(&uri),
        info: &info,
    };
    let settled = settling.settle(protocol, remembered).await?;
    let wire = settled.wire;
    let version = lifecycle::negotiated(&settled.answer, wire);
    let session: Option<Arc<str>> = settled.session.as_deref().map(Arc::from);
    let mut messages = vec![lifecycle::list_tools(&info, wire, RequestId::Number(1))];
    if wire == Wire::Stateful {
        messages.insert(0, lifecycle::initialized());
    }
    let mut outcome = Ok(wire);
    for message in messages {
        let post = Post {
            uri: Arc::clone(&uri),
            headers: lifecycle::headers(&message, Some(&version)),
            message,
            session: session.clone(),
            limits: client.options().limits,
        };
        if let Err(error) = settling.send(&post).await {
            outcome = Err(error);
            break;
        }
    }
    if let Some(session) = settled.session {
        abandon_session(client, uri, session, &version).await;
    }
    outcome
}

const PROBE_LIMIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
