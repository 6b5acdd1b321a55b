//! What an authorization server offers only if a test asks for it.

use super::{
    AuthorizationServerBuilder,
    device::DeviceGrant,
    jwt_bearer::TrustedIssuer,
    options::{ClientCredentials, PushedRequests, RegistrationUpdates},
};
use crate::{Dpop, DpopNonces, SigningAlgorithm};

impl AuthorizationServerBuilder {
    /// The client credentials grant (RFC 6749 §4.4): `true`, `false` or a [`ClientCredentials`].
    /// A client needs it among its grant types, a resource and a way to authenticate.
    #[must_use]
    pub fn client_credentials(mut self, rule: impl Into<ClientCredentials>) -> Self {
        self.config.client_credentials = rule.into();
        self
    }

    /// Lets clients authenticate with signed assertions (RFC 7523 §2.2) of these algorithms,
    /// which the metadata lists; see [`StaticClient::with_key`](crate::StaticClient::with_key).
    #[must_use]
    pub fn private_key_jwt(
        mut self,
        algorithms: impl IntoIterator<Item = SigningAlgorithm>,
    ) -> Self {
        self.config.assertion_algorithms = algorithms.into_iter().collect();
        self
    }

    /// The audience that client assertions need, for instance the URL of the token endpoint as
    /// older servers want it. Default: the issuer identifier.
    #[must_use]
    pub fn client_assertion_audience(mut self, audience: impl Into<String>) -> Self {
        self.config.assertion_audience = Some(audience.into());
        self
    }

    /// What is made of pushed authorization requests (RFC 9126). Default:
    /// [`PushedRequests::Off`].
    #[must_use]
    pub fn pushed_requests(mut self, rule: PushedRequests) -> Self {
        self.config.settings.pushed = rule;
        self
    }

    /// The device authorization grant (RFC 8628). Default: not offered.
    #[must_use]
    pub fn device_grant(mut self, rules: DeviceGrant) -> Self {
        self.config.device = Some(rules);
        self
    }

    /// Takes assertions of `issuer` as grants (RFC 7523 §2.1), besides those of other issuers.
    #[must_use]
    pub fn jwt_bearer(mut self, issuer: TrustedIssuer) -> Self {
        self.config.settings.trusted.push(issuer);
        self
    }

    /// Whether clients can update their registrations. Default: [`RegistrationUpdates::Off`].
    #[must_use]
    pub fn registration_updates(mut self, rule: RegistrationUpdates) -> Self {
        self.config.registration_updates = rule;
        self
    }

    /// What is made of DPoP proofs (RFC 9449). Default: [`Dpop::Off`].
    #[must_use]
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.config.settings.dpop = dpop;
        self
    }

    /// The algorithms of DPoP proofs that are accepted and listed. Default: `ES256`.
    #[must_use]
    pub fn dpop_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = SigningAlgorithm>,
    ) -> Self {
        self.config.dpop_algorithms = algorithms.into_iter().collect();
        self
    }

    /// Whether DPoP proofs need a nonce: `true`, `false` or a [`DpopNonces`]. Default: no.
    #[must_use]
    pub fn dpop_nonces(mut self, nonces: impl Into<DpopNonces>) -> Self {
        self.config.settings.dpop_nonces = nonces.into();
        self
    }
}
