//! An authorization server as an identity provider: what a test chooses and changes.

use std::time::Duration;

use super::{
    AuthorizationServer, AuthorizationServerBuilder, openid,
    options::{MetadataKind, ResourceParameter},
    token_exchange::ForeignClient,
    vault::Grant,
};
use crate::{Error, SigningKey};

impl AuthorizationServerBuilder {
    /// Makes it an OpenID provider that signs with `key`: its metadata is where OpenID Connect
    /// Discovery §4 says, the scope `openid` gets an ID token, and `resource` may be left out.
    /// What is said afterwards about metadata and `resource` holds.
    #[must_use]
    pub fn openid(mut self, key: &SigningKey) -> Self {
        self.config.openid = Some(key.clone());
        self.config.metadata = MetadataKind::OpenIdAppended;
        self.config.resource_parameter = ResourceParameter::Optional(USERINFO.to_owned());
        self
    }

    /// How long ID tokens live. Default: one hour.
    #[must_use]
    pub fn id_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.settings.id_token_lifetime = Some(lifetime);
        self
    }

    /// Whether subject tokens are exchanged for ID-JAGs, which takes an
    /// [`openid`](Self::openid) provider, and registered SAML assertions for refresh tokens
    /// (RFC 8693). Default: no.
    #[must_use]
    pub fn token_exchange(mut self, on: bool) -> Self {
        self.config.token_exchange = on;
        self
    }

    /// The scopes that ID-JAGs may have; others that are asked for are left out. Default: any.
    #[must_use]
    pub fn id_jag_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes = scopes.into_iter().map(Into::into).collect();
        self.config.settings.id_jag_scopes = Some(scopes);
        self
    }
}

impl AuthorizationServer {
    /// Changes how long ID tokens live from now on.
    pub fn set_id_token_lifetime(&self, lifetime: Duration) {
        self.core.settings().id_token_lifetime = Some(lifetime);
    }

    /// Says that the client `client_id` is `there` at the authorization server `audience`. Until
    /// the first of these every audience is good and every client called the same there;
    /// afterwards only what was said is.
    pub fn know_client_at(&self, audience: &str, client_id: &str, there: &str) {
        let known = ForeignClient {
            audience: audience.to_owned(),
            client_id: client_id.to_owned(),
            there: there.to_owned(),
        };
        self.core.settings().foreign_clients.push(known);
    }

    /// Accepts this text as a SAML assertion about `subject`.
    pub fn register_saml_assertion(&self, assertion: &str, subject: &str) {
        let mut settings = self.core.settings();
        let (assertion, subject) = (assertion.to_owned(), subject.to_owned());
        settings.saml_assertions.insert(assertion, subject);
    }

    /// An ID token for `client_id` about `subject`, as if that person had just signed in.
    ///
    /// # Errors
    /// [`Error::UnsupportedKey`] if the server is no OpenID provider, [`Error::Key`] if the
    /// signature fails.
    pub fn issue_id_token(&self, client_id: &str, subject: &str) -> Result<String, Error> {
        let (client_id, subject) = (client_id.to_owned(), subject.to_owned());
        let grant = Grant {
            scopes: vec!["openid".to_owned()],
            ..self.core.new_grant(self.issuer(), client_id, subject)
        };
        let token = openid::id_token(&self.core, &grant, None)?;
        token.ok_or(Error::UnsupportedKey {
            reason: "the server is no OpenID provider",
        })
    }
}

/// The audience of access tokens of an OpenID provider.
const USERINFO: &str = "urn:doorkey:userinfo";
