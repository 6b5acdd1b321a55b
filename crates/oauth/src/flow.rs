//! How a token is obtained: by a person in a browser or on another device, or by the program itself.

use std::fmt;
use std::sync::Arc;

use doorkey_discovery::{Issuer, Scopes};
use doorkey_http::HttpClient;
use doorkey_store::{ClientAuthMethod, GrantKey};
use secrecy::SecretString;
use url::Url;

use crate::interaction::BoxFuture;
use crate::key::SigningKey;

/// How a token is obtained.
///
/// The last three need no person: where a login is required, the source signs in by itself, and
/// renews a token by asking for another one. They never register a client (REG-24) and never change
/// to another grant.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Flow {
    /// A person in a browser: authorization code with PKCE (OAuth 2.1 §4.1).
    #[default]
    AuthorizationCode,
    /// A person on another device, who types a code (RFC 8628).
    Device,
    /// The client itself, by its secret or key (RFC 6749 §4.4; MCP extension
    /// `io.modelcontextprotocol/oauth-client-credentials`).
    ClientCredentials,
    /// The JWT that a platform gives this workload (RFC 7523 §2.1; MCP extension
    /// `io.modelcontextprotocol/auth/wif`).
    WorkloadIdentity(Arc<dyn AssertionSource>),
    /// A person's sign-on at the enterprise's identity provider, traded for access (RFC 8693,
    /// ID-JAG; MCP extension `io.modelcontextprotocol/enterprise-managed-authorization`).
    EnterpriseManaged(Arc<EnterpriseManaged>),
}

impl Flow {
    /// The grant type of its token request, as authorization servers list it.
    #[must_use]
    pub fn grant_type(&self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::Device => DEVICE_CODE,
            Self::ClientCredentials => "client_credentials",
            Self::WorkloadIdentity(_) | Self::EnterpriseManaged(_) => JWT_BEARER,
        }
    }

    /// The identifier of the MCP extension it is, which a client declares while it uses it (CC-10,
    /// EMA-15); `None` for what the authorization specification itself describes.
    #[must_use]
    pub fn extension(&self) -> Option<&'static str> {
        match self {
            Self::AuthorizationCode | Self::Device => None,
            Self::ClientCredentials => Some("io.modelcontextprotocol/oauth-client-credentials"),
            Self::WorkloadIdentity(_) => Some("io.modelcontextprotocol/auth/wif"),
            Self::EnterpriseManaged(_) => {
                Some("io.modelcontextprotocol/enterprise-managed-authorization")
            }
        }
    }

    /// What a stored grant calls it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::AuthorizationCode => BROWSER,
            Self::Device => "device",
            Self::ClientCredentials => "client_credentials",
            Self::WorkloadIdentity(_) => "workload_identity",
            Self::EnterpriseManaged(_) => "enterprise_managed",
        }
    }

    /// Whether a grant of the flow `stored` (`None`: by a browser) is one of this flow. What a person
    /// granted in a browser and what they granted on another device are refreshed alike.
    pub(crate) fn renews(&self, stored: Option<&str>) -> bool {
        let stored = stored.unwrap_or(BROWSER);
        match self {
            Self::AuthorizationCode | Self::Device => stored == BROWSER || stored == "device",
            _ => stored == self.as_str(),
        }
    }

    /// Whether the source obtains tokens by itself. A sign-on at an identity provider may still
    /// need a person once in a while.
    #[must_use]
    pub fn is_unattended(&self) -> bool {
        match self {
            Self::AuthorizationCode | Self::Device => false,
            Self::ClientCredentials | Self::WorkloadIdentity(_) | Self::EnterpriseManaged(_) => {
                true
            }
        }
    }
}

/// Where a JWT comes from that somebody else signed: a file that a platform keeps fresh, a variable,
/// a metadata service, a command.
pub trait AssertionSource: Send + Sync + fmt::Debug {
    /// The JWT as it is now; it is asked for before each token request (WIF-06). `http` is the
    /// client of this server's requests: whoever fetches the JWT does it through that.
    fn assertion<'a>(
        &'a self,
        http: &'a HttpClient,
    ) -> BoxFuture<'a, Result<SecretString, AssertionError>>;
}

/// A source could not deliver a JWT.
#[derive(Debug, thiserror::Error)]
#[error("the JWT could not be had")]
pub struct AssertionError {
    #[source]
    cause: Box<dyn std::error::Error + Send + Sync>,
    is_transient: bool,
}

impl AssertionError {
    /// Wraps the cause an [`AssertionSource`] met. Nothing secret may be in its text.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
            is_transient: false,
        }
    }

    /// The same, with whether the source may deliver later without anybody doing anything.
    #[must_use]
    pub fn transient(mut self, is_transient: bool) -> Self {
        self.is_transient = is_transient;
        self
    }

    /// Whether the source may deliver later without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.is_transient
    }
}

/// An enterprise's identity provider, and whose identity it vouches for. All of it is an
/// administrator's word, nothing comes from the MCP server (EMA-11).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EnterpriseManaged {
    /// The issuer of the identity provider.
    pub issuer: Issuer,
    /// Where tokens are exchanged; taken from the provider's own metadata when absent.
    pub token_endpoint: Option<Url>,
    /// Who this program is to the identity provider.
    pub client: IdentityClient,
    /// Where the identity comes from.
    pub identity: Identity,
    /// Scopes of the sign-on besides `openid` (and `offline_access` where it is listed).
    pub scopes: Scopes,
}

impl EnterpriseManaged {
    /// A sign-on at `issuer` as the public client `client_id`.
    #[must_use]
    pub fn new(issuer: Issuer, client_id: impl Into<String>) -> Self {
        Self {
            issuer,
            token_endpoint: None,
            client: IdentityClient::new(client_id),
            identity: Identity::SignOn,
            scopes: Scopes::default(),
        }
    }

    /// Where the sign-on of an account is kept: once for every server that trusts the provider, for
    /// the client that the provider knows.
    #[must_use]
    pub fn grant_key(&self, account: &str) -> GrantKey {
        // An issuer has no fragment, so no two keys are the same by chance.
        let provider = format!("{}#{}", self.issuer.as_str(), self.client.client_id);
        GrantKey::new(provider, account)
    }
}

/// The client that an identity provider knows.
#[derive(Clone)]
#[non_exhaustive]
pub struct IdentityClient {
    /// The identifier the identity provider gave.
    pub client_id: String,
    /// Its secret, if it is a confidential client.
    pub client_secret: Option<SecretString>,
    /// Its key, for `private_key_jwt`.
    pub signing_key: Option<SigningKey>,
    /// How it authenticates; by what it has when absent: key, then secret by HTTP Basic, else not.
    pub auth_method: Option<ClientAuthMethod>,
}

impl IdentityClient {
    /// A public client.
    #[must_use]
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: None,
            signing_key: None,
            auth_method: None,
        }
    }
}

impl fmt::Debug for IdentityClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityClient")
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret.as_ref().map(|_| "…"))
            .field("signing_key", &self.signing_key)
            .field("auth_method", &self.auth_method)
            .finish()
    }
}

/// Where a person's identity comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Identity {
    /// The person signs on at the identity provider in a browser; the identity token is kept in
    /// the store, shared by every server of that provider and account, and renewed.
    SignOn,
    /// Somebody else signed the person on and hands over an identity token.
    IdToken(Arc<dyn AssertionSource>),
    /// Somebody else signed the person on by SAML 2.0; the assertion is traded once for a refresh
    /// token of the identity provider, which is kept (EMA-04).
    Saml(Arc<dyn AssertionSource>),
}

/// Whether tokens are bound to a key of this client (RFC 9449).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DpopChoice {
    /// Where the resource asks for it: its metadata requires it, or it challenges with `DPoP` and
    /// not with `Bearer`. A bearer token is then refused (DP-16).
    #[default]
    Auto,
    /// Also where the authorization server offers it; a bearer token in answer will do.
    Prefer,
    /// Always; a bearer token in answer is refused.
    Require,
    /// Never: a resource that asks for it cannot be used.
    Off,
}

const BROWSER: &str = "authorization_code";

pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub(crate) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

#[cfg(test)]
mod tests {
    use crate::error::{Error, NextStep};

    use super::*;

    #[test]
    fn a_source_that_only_fails_for_now_is_worth_another_try_err_09() {
        for (is_transient, step) in [
            (true, NextStep::Retry { after: None }),
            (false, NextStep::CheckAssertion),
        ] {
            let cause = AssertionError::new("the service is busy").transient(is_transient);
            let error = Error::from(cause);
            assert_eq!(error.is_transient(), is_transient);
            assert_eq!(error.next_step(), Some(step));
        }
    }
}
