//! The MCP server: streamable HTTP on two wires, tools, and tokens for nobody but itself.

mod builder;
mod challenge;
mod gate;
mod handler;
mod rpc;
mod stateful;
mod stateless;
mod tools;

use std::{net::SocketAddr, sync::Arc, time::Duration};

pub use builder::{
    Answer, Caching, GetStream, McpServerBuilder, Prm, Protect, ResourceIdentifier, Wire,
};
use handler::Handler;
use serde_json::Value;

use crate::{AuthorizationServer, Dpop, DpopNonces, Error, FaultRule, listen::Running};

/// A running MCP server. It stops when it is dropped.
///
/// Its tools are `echo` (answers its argument `text`), `whoami` (answers subject, client, scopes
/// and audience of the token), `fail` (answers `isError`) and those that
/// [`McpServerBuilder::tool_scope`] adds. It has no resources and no prompts.
#[derive(Debug)]
pub struct McpServer {
    running: Running,
    handler: Arc<Handler>,
}

impl McpServer {
    /// Starts describing a server.
    #[must_use]
    pub fn builder() -> McpServerBuilder {
        McpServerBuilder::default()
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.running.address
    }

    /// Scheme, host and port, without a final slash.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.running.origin
    }

    /// The URL of the MCP endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        self.handler.url()
    }

    /// The audience that a token must have, exactly.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.handler.audience()
    }

    /// Adds a fault to the script.
    pub fn fault(&self, rule: FaultRule) {
        self.running.fault(rule);
    }

    /// How many requests each fault of the script has hit, in the order in which they were added: a test
    /// whose fault hit none has shown nothing.
    #[must_use]
    pub fn fault_hits(&self) -> Vec<usize> {
        self.running.fault_hits()
    }

    /// Ends every fault of the script.
    pub fn clear_faults(&self) {
        self.running.clear_faults();
    }

    /// Closes the port and every connection, so that connections are refused.
    pub async fn stop(&self) {
        self.running.stop().await;
    }

    /// Answers again on the same port; sessions are as they were.
    ///
    /// # Errors
    /// [`Error::Listen`] if somebody else took the port meanwhile.
    pub async fn restart(&self) -> Result<(), Error> {
        self.running.restart().await
    }

    /// Names another authorization server from now on and accepts only its tokens.
    pub fn set_authorization(&self, authorization: &AuthorizationServer) {
        self.handler.set_authorization(authorization);
    }

    /// Refuses every token with 401 `invalid_token`, even a fresh one, until told otherwise.
    pub fn reject_tokens(&self, on: bool) {
        self.handler.state().reject_tokens = on;
    }

    /// Changes what is made of DPoP.
    pub fn set_dpop(&self, dpop: Dpop) {
        self.handler.state().dpop = dpop;
    }

    /// Changes when nonces for DPoP proofs are handed out: `true`, `false` or a [`DpopNonces`].
    pub fn set_dpop_nonces(&self, nonces: impl Into<DpopNonces>) {
        self.handler.state().dpop_nonces = nonces.into();
    }

    /// Makes the nonces that were handed out so far invalid.
    pub fn rotate_nonces(&self) {
        self.handler.proofs.rotate();
    }

    /// Puts the clock forward that DPoP proofs are judged by; tokens age by that of the
    /// authorization server.
    pub fn advance(&self, by: Duration) {
        self.handler.clock.advance(by);
    }

    /// How many DPoP proofs were accepted.
    #[must_use]
    pub fn dpop_proofs(&self) -> usize {
        self.handler.state().dpop_proofs
    }

    /// How many requests were sent back for a nonce.
    #[must_use]
    pub fn nonce_challenges(&self) -> usize {
        self.handler.state().nonce_challenges
    }

    /// Changes the scopes that every protected request needs.
    pub fn set_required_scopes<S: Into<String>>(&self, scopes: impl IntoIterator<Item = S>) {
        self.handler.state().required_scopes = scopes.into_iter().map(Into::into).collect();
    }

    /// Sends a JSON-RPC notification on every open GET stream; returns how many there are.
    pub fn notify(&self, method: &str, params: &Value) -> usize {
        self.handler.notify(method, params)
    }

    /// How many GET streams are open.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.handler.open_streams()
    }

    /// Ends every session: their next request is answered with 404.
    pub fn end_sessions(&self) {
        self.handler.end_sessions();
    }

    /// How many sessions are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.handler.state().sessions.len()
    }

    /// How many tool calls were carried out.
    #[must_use]
    pub fn tool_calls(&self) -> usize {
        self.handler.state().tool_calls
    }

    /// Why requests were refused, oldest first, one sentence each, without secrets.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.handler.refusals.list()
    }
}
