//! From a client to a running rmcp service.

use std::{fmt, sync::Arc, time::Duration};

use rmcp::{
    ClientHandler, ClientServiceExt, RoleClient,
    service::{ClientLifecycleMode, RunningService},
    transport::streamable_http_client::StreamableHttpClient,
};
use url::Url;

use crate::{
    AuthorizedClient, AuthorizedTransport, ConnectError, ConnectOptions, Discovery, Remembered,
    Wire, client::shown, lifecycle, settle::Settling, transport::endpoint,
};

/// A connection, and what to remember of it.
#[non_exhaustive]
pub struct Connected<H: ClientHandler> {
    /// rmcp's client: list and call tools on it.
    pub service: RunningService<RoleClient, H>,
    /// The wire that was settled.
    pub wire: Wire,
    /// The server's answer to `server/discover`, on the stateless wire; the remembered one if the server was not asked.
    pub discover: Option<Discovery>,
}

impl<H: ClientHandler> Connected<H> {
    /// What to hand to the next [`connect`] to this server: the wire, and the answer to `server/discover` if the server
    /// allows it to be kept at all. One that is not [public](Discovery::is_public) is for the same account only.
    #[must_use]
    pub fn to_remember(&self) -> Remembered {
        let discover = self.discover.as_ref();
        let kept = discover.filter(|discovery| !discovery.time_to_live().is_zero());
        Remembered::new(self.wire).with_discover(kept.cloned())
    }
}

impl<H: ClientHandler> fmt::Debug for Connected<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connected")
            .field("wire", &self.wire)
            .finish_non_exhaustive()
    }
}

/// Connects to the MCP server at `url`.
///
/// The wire is settled before rmcp's lifecycle starts, with the token in hand, and rmcp is given the answer instead
/// of asking again. A start that remembers the stateful wire takes two requests (`initialize`,
/// `notifications/initialized`), one that remembers the stateless wire takes one (`server/discover`), or none at all if the
/// answer to it is remembered too and still fresh. A memory that no longer holds is corrected once.
///
/// # Errors
///
/// [`ConnectError`]; ask it [`needs_login`](ConnectError::needs_login), and
/// [`authorization_error`](crate::authorization_error) for the reason. Nothing here opens a browser, unless the
/// interaction of the client's token source does.
pub async fn connect<H: ClientHandler>(
    client: AuthorizedClient,
    url: &Url,
    options: ConnectOptions,
    handler: H,
) -> Result<Connected<H>, ConnectError> {
    let limit = options.startup_limit;
    let starting = Box::pin(start(
        client.for_connection(),
        endpoint(url),
        options,
        handler,
    ));
    match tokio::time::timeout(limit, starting).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ConnectError::Timeout {
            url: shown(url.as_str()),
            limit,
        }),
    }
}

async fn start<H: ClientHandler>(
    client: AuthorizedClient,
    uri: Arc<str>,
    options: ConnectOptions,
    handler: H,
) -> Result<Connected<H>, ConnectError> {
    let info = handler.get_info();
    let remembered = options.remembered.map(|memory| {
        let now = options.clock.now();
        let fresh = memory.discover.filter(|discovery| discovery.is_fresh(now));
        Remembered::new(memory.wire).with_discover(fresh)
    });
    let settling = Settling {
        client: &client,
        uri: Arc::clone(&uri),
        info: &info,
    };
    let settled = settling
        .settle(options.protocol, remembered.as_ref())
        .await?;
    let wire = settled.wire;
    let discover = match settled.remembered {
        // As old as it was.
        true => remembered.and_then(|memory| memory.discover),
        false => Discovery::of(&settled.answer, options.clock.now()),
    };
    let session = settled.session.clone();
    let version = lifecycle::negotiated(&settled.answer, wire);
    client.connection().settle(settled);

    let transport = AuthorizedTransport::over(client.clone(), Arc::clone(&uri));
    let lifecycle = match wire {
        Wire::Stateful => ClientLifecycleMode::Initialize,
        Wire::Stateless => ClientLifecycleMode::Discover {
            preferred_versions: vec![Wire::Stateless.version()],
        },
    };
    match handler.serve_with_lifecycle(transport, lifecycle).await {
        Ok(service) => Ok(Connected {
            service,
            wire,
            discover,
        }),
        Err(error) => {
            if let Some(session) = session {
                abandon_session(&client, uri, session, &version).await;
            }
            Err(ConnectError::Lifecycle(Box::new(error)))
        }
    }
}

/// Ends a session that nobody will use: rmcp's worker gives up before it learned to do so.
pub(crate) async fn abandon_session(
    client: &AuthorizedClient,
    uri: Arc<str>,
    session: String,
    version: &str,
) {
    let headers = lifecycle::headers(&lifecycle::initialized(), Some(version));
    let deleting = client.delete_session(uri, session.into(), None, headers);
    match tokio::time::timeout(ABANDON_LIMIT, deleting).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an unused session was not ended"),
        Err(_) => tracing::debug!("ending an unused session took too long"),
    }
}

const ABANDON_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
