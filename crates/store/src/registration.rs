//! A registration: a client as one authorization server knows it (RFC 7591), kept whole so that it is made once.

use std::fmt;

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::ClientAuthMethod;
use crate::grant::{FieldNames, Redacted};

/// How a client became known to the authorization server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RegistrationKind {
    /// It registered itself (RFC 7591); it may be dropped and made anew.
    Dynamic,
    /// Its `client_id` is the URL of its metadata document.
    MetadataDocument,
    /// A person registered it and configured its `client_id`.
    Static,
}

impl RegistrationKind {
    /// The name of it in a record: `dynamic`, `metadata_document`, `static`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::MetadataDocument => "metadata_document",
            Self::Static => "static",
        }
    }

    /// The kind of that name, or `None`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Dynamic, Self::MetadataDocument, Self::Static]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// A client as one authorization server knows it (RFC 7591 section 3.2.1, RFC 7592).
///
/// Times are seconds since the Unix epoch. `Debug` shows no secret and no unknown field.
#[derive(Clone)]
#[non_exhaustive]
pub struct Registration {
    /// The client's id.
    pub client_id: String,
    /// The client's secret, if it was given one.
    pub client_secret: Option<SecretString>,
    /// When the secret ends; `None` is never (the `0` of RFC 7591) or unknown.
    pub client_secret_expires_at: Option<u64>,
    /// How the server wants the client to authenticate.
    pub token_endpoint_auth_method: ClientAuthMethod,
    /// The redirect URIs that are registered.
    pub redirect_uris: Vec<String>,
    /// The grant types that are registered.
    pub grant_types: Vec<String>,
    /// The scope that is registered, as the server wrote it.
    pub scope: Option<String>,
    /// What the registration is managed with (RFC 7592).
    pub registration_access_token: Option<SecretString>,
    /// Where the registration is managed (RFC 7592).
    pub registration_client_uri: Option<String>,
    /// When the client was registered.
    pub registered_at: u64,
    /// How it became known.
    pub kind: RegistrationKind,
    /// Fields of the record that this version does not know. They are kept.
    pub extra: Map<String, Value>,
}

impl Registration {
    /// A public client of that id; set the fields that are known.
    pub fn new(client_id: impl Into<String>, kind: RegistrationKind) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: None,
            client_secret_expires_at: None,
            token_endpoint_auth_method: ClientAuthMethod::None,
            redirect_uris: Vec::new(),
            grant_types: Vec::new(),
            scope: None,
            registration_access_token: None,
            registration_client_uri: None,
            registered_at: 0,
            kind,
            extra: Map::new(),
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("client_id", &self.client_id)
            .field("client_secret", &Redacted::of(self.client_secret.as_ref()))
            .field("client_secret_expires_at", &self.client_secret_expires_at)
            .field(
                "token_endpoint_auth_method",
                &self.token_endpoint_auth_method,
            )
            .field("redirect_uris", &self.redirect_uris)
            .field("grant_types", &self.grant_types)
            .field("scope", &self.scope)
            .field(
                "registration_access_token",
                &Redacted::of(self.registration_access_token.as_ref()),
            )
            .field("registration_client_uri", &self.registration_client_uri)
            .field("registered_at", &self.registered_at)
            .field("kind", &self.kind)
            .field("extra", &FieldNames(&self.extra))
            .finish()
    }
}
