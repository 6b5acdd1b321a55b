//! The authorization server: a strict referee of RFC 6749, 7009, 7523, 7591, 7592, 7636, 8414, 8628,
//! 8693, 8707, 9126, 9207, 9449 and OpenID Connect Core.

mod authenticate;
mod authorize;
mod binding;
mod builder;
mod client;
mod client_credentials;
mod config;
mod configuration;
mod counters;
mod device;
mod extensions;
mod grant_type;
mod issue;
mod jwt_bearer;
mod metadata;
mod odd;
mod openid;
mod options;
mod provider;
mod pushed;
mod registration;
mod revocation;
mod server;
mod target;
mod token;
mod token_exchange;
mod vault;

use std::{net::SocketAddr, sync::Arc, time::Duration};

pub use builder::AuthorizationServerBuilder;
pub use client::{ClientAuthMethod, StaticClient};
pub use counters::Counters;
pub use device::DeviceGrant;
pub use jwt_bearer::TrustedIssuer;
pub(crate) use metadata::is_well_known as is_authorization_metadata;
pub use odd::Oddity;
pub use options::{
    ClientCredentials, Consent, Document, IssParameter, MetadataKind, PushedRequests,
    RefreshTokens, RegistrationUpdates, ResourceParameter, StateParameter,
};
pub(crate) use server::Core;
pub use vault::TokenFacts;

use crate::{Dpop, DpopNonces, Error, FaultRule, listen::Running};

/// A running authorization server. It stops when it is dropped.
///
/// Its default is the strictest thing that a good client passes: PKCE S256, exact redirect URIs,
/// `state`, `resource` exactly once and the same on every leg, one client authentication method
/// per request, rotating refresh tokens with reuse detection. What it refuses it also writes
/// down, see [`refusals`](Self::refusals). Other grants, signed client assertions, pushed
/// requests, DPoP and the part of an identity provider are there for tests that ask for them.
#[derive(Debug)]
pub struct AuthorizationServer {
    running: Running,
    core: Arc<Core>,
}

impl AuthorizationServer {
    /// Starts describing a server.
    #[must_use]
    pub fn builder() -> AuthorizationServerBuilder {
        AuthorizationServerBuilder::default()
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.running.address
    }

    /// Scheme, host and port, without a final slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.running.origin
    }

    /// The issuer identifier: the origin and the issuer path, without a final slash.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.core.issuer(&self.running.origin)
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

    /// Answers again on the same port, with everything it knew.
    ///
    /// # Errors
    /// [`Error::Listen`] if somebody else took the port meanwhile.
    pub async fn restart(&self) -> Result<(), Error> {
        self.running.restart().await
    }

    /// Puts the server's clock forward: codes, tokens and client secrets age.
    pub fn advance(&self, by: Duration) {
        self.core.clock.advance(by);
    }

    /// Ends every access token issued so far, whatever lifetime was announced.
    pub fn expire_access_tokens(&self) {
        self.core.vault().expire_access_tokens();
    }

    /// Ends every refresh token issued so far; access tokens live on.
    pub fn revoke_refresh_tokens(&self) {
        self.core.vault().revoke_refresh_tokens();
    }

    /// Forgets every dynamically registered client, as servers that prune do.
    pub fn forget_clients(&self) {
        self.core.clients().forget_dynamic();
    }

    /// Also accepts this `resource` from now on.
    pub fn allow_resource(&self, resource: impl Into<String>) {
        self.core.allow_resource(resource.into());
    }

    /// Changes how the person behind the browser decides.
    pub fn set_consent(&self, consent: Consent) {
        self.core.settings().consent = consent;
    }

    /// Changes what the redirect back carries as `state`.
    pub fn set_state_parameter(&self, state: StateParameter) {
        self.core.settings().state = state;
    }

    /// Takes assertions of `issuer` as grants from now on.
    pub fn trust(&self, issuer: TrustedIssuer) {
        self.core.settings().trusted.push(issuer);
    }

    /// Approves the device that shows this user code; `false` if none waits with it.
    #[must_use]
    pub fn approve_device(&self, user_code: &str) -> bool {
        self.decide_device(user_code, true)
    }

    /// Denies the device that shows this user code; `false` if none waits with it.
    #[must_use]
    pub fn deny_device(&self, user_code: &str) -> bool {
        self.decide_device(user_code, false)
    }

    /// The user codes of the devices that wait for a decision, in no order.
    #[must_use]
    pub fn waiting_devices(&self) -> Vec<String> {
        let now = self.core.clock.now();
        self.core.devices().waiting(now)
    }

    /// Answers the next `n` polls of devices with `slow_down`, whatever their pace.
    pub fn slow_downs(&self, n: usize) {
        self.core.settings().slow_downs = n;
    }

    /// Changes what is made of pushed authorization requests.
    pub fn set_pushed_requests(&self, rule: PushedRequests) {
        self.core.settings().pushed = rule;
    }

    /// Changes what is made of DPoP proofs; what was issued stays bound.
    pub fn set_dpop(&self, dpop: Dpop) {
        self.core.settings().dpop = dpop;
    }

    /// Changes when nonces for DPoP proofs are handed out: `true`, `false` or a [`DpopNonces`].
    pub fn set_dpop_nonces(&self, nonces: impl Into<DpopNonces>) {
        self.core.settings().dpop_nonces = nonces.into();
    }

    /// Makes the nonces that were handed out so far invalid.
    pub fn rotate_nonces(&self) {
        self.core.proofs.rotate();
    }

    /// Sets a member of a document or answer from now on; `Value::Null` removes it.
    pub fn set_field(&self, document: Document, name: &str, value: serde_json::Value) {
        self.core
            .settings()
            .fields
            .push((document, name.to_owned(), value));
    }

    /// What the server knows about an access token it issued, `None` for any other text.
    #[must_use]
    pub fn inspect(&self, access_token: &str) -> Option<TokenFacts> {
        self.core.inspect(access_token)
    }

    /// Whether a refresh with this token would work now. Asking uses nothing up.
    #[must_use]
    pub fn honours(&self, refresh_token: &str) -> bool {
        let now = self.core.clock.now();
        self.core.vault().honours(refresh_token, now)
    }

    /// The ids of the clients that are registered now, in order of registration.
    #[must_use]
    pub fn client_ids(&self) -> Vec<String> {
        self.core.clients().ids()
    }

    /// How often each thing happened.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.core.counters()
    }

    /// How many token requests arrived, refused ones included.
    #[must_use]
    pub fn token_requests(&self) -> usize {
        self.core.counters().token_requests
    }

    /// How many clients were registered.
    #[must_use]
    pub fn registrations(&self) -> usize {
        self.core.counters().registrations
    }

    /// How many refreshes succeeded.
    #[must_use]
    pub fn refreshes(&self) -> usize {
        self.core.counters().refreshes
    }

    /// Why requests were refused, oldest first, one sentence each, without secrets.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.core.refusals()
    }

    fn decide_device(&self, user_code: &str, approved: bool) -> bool {
        let now = self.core.clock.now();
        self.core.devices().decide(user_code, approved, now)
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}
