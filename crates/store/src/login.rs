//! What is known of the logins of one account at one server: when they began, and one that another process may finish.

use std::fmt;

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::Grant;
use crate::grant::FieldNames;

/// The logins of one account at one server, kept under the key of its grant.
///
/// Times are seconds since the Unix epoch. `Debug` shows no secret and no unknown field.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Login {
    /// A login that was started and waits for its callback, in whatever process that arrives.
    pub pending: Option<PendingAuthorization>,
    /// When logins were started lately, oldest first. Whoever writes it keeps it short.
    pub recent_starts: Vec<u64>,
    /// Fields of the record that this version does not know. They are kept.
    pub extra: Map<String, Value>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("pending", &self.pending)
            .field("recent_starts", &self.recent_starts)
            .field("extra", &FieldNames(&self.extra))
            .finish()
    }
}

/// One authorization request (OAuth 2.1 section 4.1.1) and all that is needed to judge its answer and to exchange the code.
///
/// It is good for one answer: who uses it removes it first, by the generation that was read.
#[derive(Clone)]
#[non_exhaustive]
pub struct PendingAuthorization {
    /// The grant to be, without tokens: issuer, client, endpoints, resource, scopes, redirect URI and the DPoP key.
    pub grant: Grant,
    /// What the answer has to repeat (RFC 6749 section 10.12).
    pub state: SecretString,
    /// The PKCE verifier (RFC 7636 section 4.1).
    pub verifier: SecretString,
    /// The reference to the request, where it was pushed (RFC 9126 section 2.2): no answer may be shown to repeat it.
    pub request_uri: Option<SecretString>,
    /// The issuer as its own metadata name it, which is what `iss` has to be (RFC 9207 section 2.4).
    pub published_issuer: String,
    /// A second issuer that the user trusts for this server.
    pub trusted_issuer: Option<String>,
    /// Whether the server promised an `iss` in every answer.
    pub iss_advertised: bool,
    /// Whether the tokens have to be bound to the key of the draft (RFC 9449).
    pub binding_required: bool,
    /// Whether the client was registered for this login.
    pub registered: bool,
    /// When the request was made.
    pub started_at: u64,
    /// When it can no longer be answered.
    pub expires_at: u64,
    /// Fields that this version does not know. They are kept.
    pub extra: Map<String, Value>,
}

impl PendingAuthorization {
    /// A request for that grant with these secrets, from `started_at` until `expires_at`; set the other fields that are known.
    pub fn new(
        grant: Grant,
        state: SecretString,
        verifier: SecretString,
        published_issuer: impl Into<String>,
        (started_at, expires_at): (u64, u64),
    ) -> Self {
        Self {
            grant,
            state,
            verifier,
            request_uri: None,
            published_issuer: published_issuer.into(),
            trusted_issuer: None,
            iss_advertised: false,
            binding_required: false,
            registered: false,
            started_at,
            expires_at,
            extra: Map::new(),
        }
    }
}

impl fmt::Debug for PendingAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAuthorization")
            .field("grant", &self.grant)
            .field("published_issuer", &self.published_issuer)
            .field("trusted_issuer", &self.trusted_issuer)
            .field("iss_advertised", &self.iss_advertised)
            .field("binding_required", &self.binding_required)
            .field("registered", &self.registered)
            .field("started_at", &self.started_at)
            .field("expires_at", &self.expires_at)
            .field("extra", &FieldNames(&self.extra))
            .finish_non_exhaustive()
    }
}
