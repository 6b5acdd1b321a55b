//! What a warm start remembers of a server, and what logins learn of an issuer. Nothing secret.

use std::fmt;

use serde_json::{Map, Value};

use crate::ClientAuthMethod;
use crate::grant::FieldNames;

/// What the last connection learned about a server, so that the next one need not ask. Nothing secret, but
/// `Debug` shows no unknown field: what a later version keeps there is its own business.
#[derive(Clone, Default, PartialEq)]
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

impl fmt::Debug for ServerFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerFacts")
            .field("wire", &self.wire)
            .field("discover", &self.discover)
            .field("needs_login", &self.needs_login)
            .field("late_challenge", &self.late_challenge)
            .field("extra", &FieldNames(&self.extra))
            .finish()
    }
}

/// What was learned about an authorization server in use, for every server and account that signs in there. Nothing secret, and
/// `Debug` shows no unknown field.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct IssuerFacts {
    /// How clients with a secret have to authenticate there, where that was found out against what the server's metadata say:
    /// it refused one way and took the other.
    pub client_auth_method: Option<ClientAuthMethod>,
    /// Fields of the record that this version does not know. They are kept.
    pub extra: Map<String, Value>,
}

impl fmt::Debug for IssuerFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerFacts")
            .field("client_auth_method", &self.client_auth_method)
            .field("extra", &FieldNames(&self.extra))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_fields_that_are_not_known_the_names_alone_are_shown() {
        let extra: Map<String, Value> = [("later".to_owned(), Value::from("hidden"))]
            .into_iter()
            .collect();
        let facts = ServerFacts {
            extra: extra.clone(),
            ..ServerFacts::default()
        };
        let issuer = IssuerFacts {
            extra,
            ..IssuerFacts::default()
        };
        for shown in [format!("{facts:?}"), format!("{issuer:?}")] {
            assert!(
                shown.contains("later") && !shown.contains("hidden"),
                "{shown}"
            );
        }
    }
}
