//! A grant: the tokens of one account at one server, and all that a later process needs to refresh them (ST-09).

use std::fmt;

use secrecy::SecretString;
use serde_json::{Map, Value};

/// How a client authenticates at the token endpoint (RFC 7591 section 2, RFC 8414 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAuthMethod {
    /// Not at all: a public client sends its `client_id` only.
    None,
    /// Id and secret, form-encoded, in an `Authorization: Basic` header (RFC 6749 section 2.3.1).
    Basic,
    /// Id and secret in the body (RFC 6749 section 2.3.1).
    Post,
    /// A JWT signed by the client's key (RFC 7523 section 2.2).
    PrivateKeyJwt,
}

impl ClientAuthMethod {
    /// The name registered for it: `none`, `client_secret_basic`, `client_secret_post`, `private_key_jwt`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// The method of that registered name, or `None` if it is not one of these.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::None, Self::Basic, Self::Post, Self::PrivateKeyJwt]
            .into_iter()
            .find(|method| method.as_str() == name)
    }
}

impl fmt::Display for ClientAuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known about the MCP server's opinion of the access token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Proof {
    /// It was not tried yet.
    #[default]
    Unproven,
    /// The server accepted it.
    Accepted,
    /// The server rejected it when it was fresh.
    Rejected,
}

impl Proof {
    /// The name of it in a record: `unproven`, `accepted`, `rejected`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unproven => "unproven",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }

    /// The proof of that name, or `None`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Unproven, Self::Accepted, Self::Rejected]
            .into_iter()
            .find(|proof| proof.as_str() == name)
    }
}

/// The tokens of one account at one server, and all that a later process needs to refresh or revoke them without discovery.
///
/// Times are seconds since the Unix epoch. `Debug` shows no token, secret or unknown field.
#[derive(Clone)]
#[non_exhaustive]
pub struct Grant {
    /// The `resource` as sent on every leg (RFC 8707), byte for byte; `None` if it was omitted.
    pub resource: Option<String>,
    /// The issuer that gave the tokens, exactly as the resource or the configuration names it.
    pub issuer: String,
    /// The client that the tokens were given to.
    pub client_id: String,
    /// Who is logged in, as people know them, if the server said so.
    pub account_label: Option<String>,
    /// Where to refresh.
    pub token_endpoint: String,
    /// Where to revoke (RFC 7009).
    pub revocation_endpoint: Option<String>,
    /// Where to ask for more scopes.
    pub authorization_endpoint: Option<String>,
    /// How the client authenticates when it refreshes or revokes.
    pub client_auth_method: ClientAuthMethod,
    /// The client's secret.
    pub client_secret: Option<SecretString>,
    /// When the client's secret ends; `None` is never or unknown.
    pub client_secret_expires_at: Option<u64>,
    /// The redirect URI of the authorization request.
    pub redirect_uri: Option<String>,
    /// The access token.
    pub access_token: Option<SecretString>,
    /// The refresh token.
    pub refresh_token: Option<SecretString>,
    /// The key that the tokens are bound to (RFC 9449), a private key in PEM; `None` for bearer tokens.
    pub dpop_key: Option<SecretString>,
    /// The identity token (OpenID Connect Core section 2), where the grant is a sign-on at an identity provider.
    pub id_token: Option<SecretString>,
    /// What assertions name as their audience, where it is not the issuer.
    pub assertion_audience: Option<String>,
    /// What client assertions are signed with, as the server was found to take it: `ES256`, `PS256`.
    pub assertion_algorithm: Option<String>,
    /// By which flow the tokens were obtained; `None` in records that are older than the choice: by a browser.
    pub flow: Option<String>,
    /// The type of the access token, as the server wrote it: `Bearer`, `DPoP`.
    pub token_type: String,
    /// When the access token ends; `None` if the server did not say: then it is good until it is rejected.
    pub expires_at: Option<u64>,
    /// When the access token was received.
    pub issued_at: u64,
    /// The scopes that were asked for.
    pub requested_scopes: Vec<String>,
    /// The scopes that the server said it granted; `None` if it did not say (RFC 6749 section 5.1: then as requested).
    pub granted_scopes: Option<Vec<String>>,
    /// What the MCP server thought of the access token.
    pub proof: Proof,
    /// What went wrong last, for people. Never a secret, never raw text of a server.
    pub last_error: Option<String>,
    /// Whether `client_id` came from dynamic registration and may be replaced by another.
    pub dynamic_registration: bool,
    /// When a refresh was sent whose outcome is not stored yet. Saved before the request and cleared together with its
    /// result: a process that finds it set knows that the outcome is unknown, and guesses nothing.
    pub refresh_started_at: Option<u64>,
    /// Before when the server asked not to be bothered with a refresh (`Retry-After`, RFC 9110 section 10.2.3).
    pub refresh_not_before: Option<u64>,
    /// When refreshes were sent lately, oldest first. Whoever writes it keeps it short.
    pub recent_refreshes: Vec<u64>,
    /// Names the login that the tokens come from: made by that login and kept by every refresh, so that a process can tell a
    /// new login from a refresh.
    pub login_id: Option<String>,
    /// Who is logged in, as the issuer identifies them (`sub`, OpenID Connect Core section 2), if it said so.
    pub subject: Option<String>,
    /// What kind of address the MCP server had at the login (`public`, `reserved`, `private`, `loopback`), so that its name
    /// cannot be bound to one of the user's own network later; `None` if it was not known, say behind a proxy.
    pub resource_class: Option<String>,
    /// Fields of the record that this version does not know. They are kept.
    pub extra: Map<String, Value>,
}

impl Grant {
    /// A grant without tokens; set the fields that are known.
    pub fn new(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
        token_endpoint: impl Into<String>,
    ) -> Self {
        Self {
            resource: None,
            issuer: issuer.into(),
            client_id: client_id.into(),
            account_label: None,
            token_endpoint: token_endpoint.into(),
            revocation_endpoint: None,
            authorization_endpoint: None,
            client_auth_method: ClientAuthMethod::None,
            client_secret: None,
            client_secret_expires_at: None,
            redirect_uri: None,
            access_token: None,
            refresh_token: None,
            dpop_key: None,
            id_token: None,
            assertion_audience: None,
            assertion_algorithm: None,
            flow: None,
            token_type: "Bearer".to_owned(),
            expires_at: None,
            issued_at: 0,
            requested_scopes: Vec::new(),
            granted_scopes: None,
            proof: Proof::Unproven,
            last_error: None,
            dynamic_registration: false,
            refresh_started_at: None,
            refresh_not_before: None,
            recent_refreshes: Vec::new(),
            login_id: None,
            subject: None,
            resource_class: None,
            extra: Map::new(),
        }
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("resource", &self.resource)
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("account_label", &self.account_label)
            .field("token_endpoint", &self.token_endpoint)
            .field("revocation_endpoint", &self.revocation_endpoint)
            .field("authorization_endpoint", &self.authorization_endpoint)
            .field("client_auth_method", &self.client_auth_method)
            .field("client_secret", &Redacted::of(self.client_secret.as_ref()))
            .field("client_secret_expires_at", &self.client_secret_expires_at)
            .field("redirect_uri", &self.redirect_uri)
            .field("access_token", &Redacted::of(self.access_token.as_ref()))
            .field("refresh_token", &Redacted::of(self.refresh_token.as_ref()))
            .field("dpop_key", &Redacted::of(self.dpop_key.as_ref()))
            .field("id_token", &Redacted::of(self.id_token.as_ref()))
            .field("assertion_audience", &self.assertion_audience)
            .field("assertion_algorithm", &self.assertion_algorithm)
            .field("flow", &self.flow)
            .field("token_type", &self.token_type)
            .field("expires_at", &self.expires_at)
            .field("issued_at", &self.issued_at)
            .field("requested_scopes", &self.requested_scopes)
            .field("granted_scopes", &self.granted_scopes)
            .field("proof", &self.proof)
            .field("last_error", &self.last_error)
            .field("dynamic_registration", &self.dynamic_registration)
            .field("refresh_started_at", &self.refresh_started_at)
            .field("refresh_not_before", &self.refresh_not_before)
            .field("recent_refreshes", &self.recent_refreshes)
            .field("login_id", &self.login_id)
            .field("subject", &self.subject)
            .field("resource_class", &self.resource_class)
            .field("extra", &FieldNames(&self.extra))
            .finish()
    }
}

/// Says whether there is a secret, and nothing of it.
pub(crate) struct Redacted(bool);

impl Redacted {
    pub(crate) fn of(secret: Option<&SecretString>) -> Self {
        Self(secret.is_some())
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "[redacted]" } else { "None" })
    }
}

/// Shows the names of unknown fields: their values could be secrets.
pub(crate) struct FieldNames<'a>(pub(crate) &'a Map<String, Value>);

impl fmt::Debug for FieldNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
