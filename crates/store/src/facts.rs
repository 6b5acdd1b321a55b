//! What a warm start remembers of a server, and what logins learn of an issuer. Nothing secret.

use serde_json::{Map, Value};

use crate::ClientAuthMethod;

/// What the last connection learned about a server, so that the next one need not ask. Nothing secret.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ServerFacts {
    /// The protocol version whose wire worked: `2025-11-25`, `2026-07-28`.
    pub wire: Option<String>,
    /// The server's answers to `server/discover`, with what says when they came and for whom they are.
    pub discover: Option<Value>,
    /// Whether the server asked for a login; `None` if nobody tried.
    pub needs_login: Option<bool>,
    /// The challenges (RFC 9110 §11.6.1, as one field value) of a request that only came after the server had let all that a
    /// login asks pass: such as a tool call. A login starts from them.
    pub late_challenge: Option<String>,
    /// Fields of the record that this version does not know. They are kept.
    pub extra: Map<String, Value>,
}

/// What was learned about an authorization server in use, for every server and account that signs in there. Nothing secret.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct IssuerFacts {
    /// How clients with a secret have to authenticate there, where that was found out against what the server's metadata say:
    /// it refused one way and took the other.
    pub client_auth_method: Option<ClientAuthMethod>,
    /// Fields of the record that this version does not know. They are kept.
    pub extra: Map<String, Value>,
}
