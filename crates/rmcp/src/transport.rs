//! rmcp's worker over an authorized client, with the typed cause kept beside every failed message.

use std::{borrow::Cow, sync::Arc, time::Duration};

use futures_util::TryFutureExt as _;
use rmcp::{
    RoleClient,
    model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, ServerJsonRpcMessage},
    transport::{
        StreamableHttpClientTransport, Transport, common::client_side_sse::ExponentialBackoff,
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use url::Url;

use crate::{AuthorizedClient, TransportError, lifecycle};

/// An rmcp transport to one MCP server.
///
/// Over rmcp's own worker alone, an authorization failure of `notifications/initialized` would read "channel
/// closed", and one of a request would have lost its type. Here both keep it:
/// see [`authorization_error`](crate::authorization_error).
///
/// [`connect`](crate::connect) makes one; make one by hand to run another lifecycle.
pub struct AuthorizedTransport {
    client: AuthorizedClient,
    worker: StreamableHttpClientTransport<AuthorizedClient>,
}

impl AuthorizedTransport {
    /// A transport to the server at `url`. Needs a tokio runtime: rmcp's worker is spawned here.
    #[must_use]
    pub fn new(client: &AuthorizedClient, url: &Url) -> Self {
        Self::over(client.for_connection(), endpoint(url))
    }

    /// A transport over a client that has its connection already.
    pub(crate) fn over(client: AuthorizedClient, uri: Arc<str>) -> Self {
        let limits = client.options().limits;
        let mut config = StreamableHttpClientTransportConfig::with_uri(uri);
        config.max_sse_event_size = limits.sse_event;
        config.max_json_response_size = limits.json_body;
        config.max_error_response_size = limits.diagnostic;
        let mut backoff = ExponentialBackoff::default();
        backoff.max_times = Some(RECONNECTS);
        backoff.max_delay = Some(RECONNECT_DELAY);
        config.retry_config = Arc::new(backoff);
        let worker = StreamableHttpClientTransport::with_client(client.clone(), config);
        Self { client, worker }
    }
}

impl Transport<RoleClient> for AuthorizedTransport {
    type Error = TransportError;

    fn name() -> Cow<'static, str> {
        "doorkey".into()
    }

    fn send(
        &mut self,
        mut message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), TransportError>> + Send + 'static {
        // rmcp repeats this very message when a session expired.
        if let JsonRpcMessage::Request(request) = &mut message
            && let ClientRequest::InitializeRequest(initialize) = &mut request.request
        {
            lifecycle::offer_handshake(&mut initialize.params);
        }
        let watch = self.client.connection().watch(&message);
        let sending = self.worker.send(message);
        sending.map_err(move |failure| TransportError::watched(failure, &watch))
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        self.worker.receive().await
    }

    async fn close(&mut self) -> Result<(), TransportError> {
        let closed = self.worker.close().await;
        closed.map_err(|failure| TransportError::new(failure, None))
    }
}

impl std::fmt::Debug for AuthorizedTransport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AuthorizedTransport")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// The address requests go to: the configured URL without its fragment.
pub(crate) fn endpoint(url: &Url) -> Arc<str> {
    let mut url = url.clone();
    url.set_fragment(None);
    url.as_str().into()
}

/// How often a stream that cannot be opened is tried again, and the longest wait between two tries.
const RECONNECTS: usize = 8;
const RECONNECT_DELAY: Duration = Duration::from_secs(30);
