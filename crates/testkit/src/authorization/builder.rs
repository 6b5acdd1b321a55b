//! Describing an authorization server before it starts.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    AuthorizationServer,
    client::{ClientAuthMethod, StaticClient},
    config::Config,
    options::{Consent, Document, IssParameter, MetadataKind, RefreshTokens, ResourceParameter},
    server::Core,
};
use crate::{CertificateAuthority, Distance, Error, Listen, Recorder};

/// An authorization server in the making; see [`AuthorizationServer::builder`].
#[derive(Clone, Default)]
pub struct AuthorizationServerBuilder {
    pub(super) listen: Listen,
    pub(super) config: Config,
}

impl AuthorizationServerBuilder {
    /// TLS with a certificate of `authority`; see [`Listen::tls`].
    #[must_use]
    pub fn tls(mut self, authority: &CertificateAuthority) -> Self {
        self.listen = self.listen.tls(authority);
        self
    }

    /// Refuses connections without a certificate of `authority`.
    #[must_use]
    pub fn require_client_certificate(mut self, authority: &CertificateAuthority) -> Self {
        self.listen = self.listen.require_client_certificate(authority);
        self
    }

    /// Where requests are recorded.
    #[must_use]
    pub fn recorder(mut self, recorder: &Recorder) -> Self {
        self.listen = self.listen.recorder(recorder);
        self
    }

    /// Is reached over `distance`; see [`Listen::behind`].
    #[must_use]
    pub fn behind(mut self, distance: &Arc<Distance>) -> Self {
        self.listen = self.listen.behind(distance);
        self
    }

    /// Everything else about the port; replaces what was said about it before.
    #[must_use]
    pub fn listen(mut self, listen: Listen) -> Self {
        self.listen = listen;
        self
    }

    /// The path of the issuer identifier, such as `/tenant1`; the endpoints are below it.
    #[must_use]
    pub fn issuer_path(mut self, path: &str) -> Self {
        let path = path.trim_matches('/');
        self.config.issuer_path = if path.is_empty() {
            String::new()
        } else {
            format!("/{path}")
        };
        self
    }

    /// Where the metadata is. Default: [`MetadataKind::OAuth`].
    #[must_use]
    pub fn metadata(mut self, kind: MetadataKind) -> Self {
        self.config.metadata = kind;
        self
    }

    /// Sets a member of a document or answer; `Value::Null` removes it.
    #[must_use]
    pub fn field(mut self, document: Document, name: &str, value: Value) -> Self {
        let field = (document, name.to_owned(), value);
        self.config.settings.fields.push(field);
        self
    }

    /// Whether there is a registration endpoint (RFC 7591). Default: yes.
    #[must_use]
    pub fn dynamic_registration(mut self, on: bool) -> Self {
        self.config.dynamic_registration = on;
        self
    }

    /// Registers only clients that show this initial access token (RFC 7591 §3).
    #[must_use]
    pub fn initial_access_token(mut self, token: impl Into<String>) -> Self {
        self.config.initial_access_token = Some(token.into());
        self
    }

    /// Gives every new client this authentication method, whatever it asked for
    /// (RFC 7591 §3.2.1 allows that), and is the only one the metadata lists.
    #[must_use]
    pub fn registration_auth_method(mut self, method: impl Into<ClientAuthMethod>) -> Self {
        self.config.registration_method = Some(method.into());
        self
    }

    /// How long issued client secrets live. Default: for ever (`client_secret_expires_at` 0).
    #[must_use]
    pub fn registration_secret_expires_in(mut self, lifetime: Duration) -> Self {
        self.config.secret_lifetime = Some(lifetime);
        self
    }

    /// Whether metadata document URLs are accepted as client ids. Default: no.
    #[must_use]
    pub fn metadata_document_clients(mut self, on: bool) -> Self {
        self.config.metadata_document_clients = on;
        self
    }

    /// The client metadata document that `url` stands for. The server fetches nothing.
    #[must_use]
    pub fn metadata_document(mut self, url: impl Into<String>, document: Value) -> Self {
        self.config.documents.insert(url.into(), document);
        self
    }

    /// A client that is registered beforehand.
    #[must_use]
    pub fn static_client(mut self, client: StaticClient) -> Self {
        self.config.static_clients.push(client);
        self
    }

    /// How long access tokens live. Default: one hour.
    #[must_use]
    pub fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.access_token_lifetime = lifetime;
        self
    }

    /// Leaves `expires_in` out of token answers; tokens expire all the same.
    #[must_use]
    pub fn omit_expires_in(self) -> Self {
        self.field(Document::Token, "expires_in", Value::Null)
    }

    /// Whether a refresh replaces the refresh token and kills the family when an old one comes
    /// again. Default: yes.
    #[must_use]
    pub fn rotate_refresh_tokens(mut self, on: bool) -> Self {
        self.config.rotate = on;
        self
    }

    /// How long a refresh token works on after its first use, for clients that lost the answer. Default: not at all.
    #[must_use]
    pub fn reuse_grace(mut self, grace: Duration) -> Self {
        self.config.reuse_grace = grace;
        self
    }

    /// When refresh tokens are issued: `true`, `false` or a [`RefreshTokens`].
    #[must_use]
    pub fn refresh_tokens(mut self, when: impl Into<RefreshTokens>) -> Self {
        self.config.refresh_tokens = when.into();
        self
    }

    /// The resources that tokens may be asked for, besides those of the MCP servers that are
    /// started with this authorization server.
    #[must_use]
    pub fn allowed_resources<S: Into<String>>(
        mut self,
        resources: impl IntoIterator<Item = S>,
    ) -> Self {
        let resources = resources.into_iter().map(Into::into);
        self.config.resources.extend(resources);
        self
    }

    /// What is made of `resource`. Default: [`ResourceParameter::Required`].
    #[must_use]
    pub fn resource_parameter(mut self, rule: ResourceParameter) -> Self {
        self.config.resource_parameter = rule;
        self
    }

    /// The scopes that exist; others are refused. Default: any scope, none listed.
    #[must_use]
    pub fn scopes_supported<S: Into<String>>(
        mut self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.config.scopes_supported = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// The `iss` parameter of the redirect back. Default: [`IssParameter::Advertised`].
    #[must_use]
    pub fn iss_parameter(mut self, iss: IssParameter) -> Self {
        self.config.iss = iss;
        self
    }

    /// How the person behind the browser decides. Default: [`Consent::Auto`].
    #[must_use]
    pub fn consent(mut self, consent: Consent) -> Self {
        self.config.settings.consent = consent;
        self
    }

    /// Whether loopback redirect URIs match whatever their port (RFC 8252 §7.3). Default: no.
    #[must_use]
    pub fn loopback_any_port(mut self, on: bool) -> Self {
        self.config.loopback_any_port = on;
        self
    }

    /// Opens the port and starts to answer. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`Error::Listen`] if the port is taken, [`Error::Certificate`] or [`Error::Tls`] if TLS
    /// cannot be set up.
    pub async fn start(self) -> Result<AuthorizationServer, Error> {
        let bound = self.listen.bind("authorization server").await?;
        let core = Arc::new(Core::new(self.config, bound.origin.clone()));
        let running = bound.serve(Arc::clone(&core) as _);
        Ok(AuthorizationServer { running, core })
    }
}

impl fmt::Debug for AuthorizationServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServerBuilder")
            .field("listen", &self.listen)
            .field("issuer_path", &self.config.issuer_path)
            .finish_non_exhaustive()
    }
}
