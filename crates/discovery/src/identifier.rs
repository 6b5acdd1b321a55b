//! Issuer and resource identifiers, kept as the exact strings a server published (RFC 8414 §2, RFC
//! 9728 §1.2).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The issuer identifier of an authorization server, character by character as published.
///
/// Never rebuilt through a URL type and never normalised: `https://as.example` and
/// `https://as.example/` are two issuers (RFC 8414 §3.3, RFC 9207 §2.4). `Display` prints the exact
/// string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Issuer(String);

/// The identifier of a protected resource, character by character as published.
///
/// This is what goes into the `resource` parameter of every leg (RFC 8707 §2); rebuilding it
/// through a URL type would turn `https://h` into `https://h/` and name another resource. `Display`
/// prints the exact string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceId(String);

impl Issuer {
    /// Takes the string as it is; whether it can serve as an issuer is decided by
    /// [`authorization_server_candidates`](crate::authorization_server_candidates).
    pub fn new(issuer: impl Into<String>) -> Self {
        Self(issuer.into())
    }

    /// The exact string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ResourceId {
    /// Takes the string as it is; whether it names a given server is decided by
    /// [`validate_resource`](crate::validate_resource).
    pub fn new(resource: impl Into<String>) -> Self {
        Self(resource.into())
    }

    /// The exact string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Issuer {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ResourceId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<Issuer> for String {
    fn from(issuer: Issuer) -> Self {
        issuer.0
    }
}

impl From<ResourceId> for String {
    fn from(resource: ResourceId) -> Self {
        resource.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_kept_to_the_character_disc_12_as_07() {
        for text in [
            "https://h",
            "https://h/",
            "HTTPS://H:443/%7euser",
            "https://h/a?b=c",
        ] {
            let (issuer, resource) = (Issuer::new(text), ResourceId::new(text));
            assert_eq!(issuer.as_str(), text);
            assert_eq!(resource.as_str(), text);
            assert_eq!(issuer.as_ref(), text);
            assert_eq!(resource.as_ref(), text);
            assert_eq!(issuer.to_string(), text);
            assert_eq!(resource.to_string(), text);
            assert_eq!(String::from(issuer), text);
            assert_eq!(String::from(resource), text);
        }
        assert_ne!(Issuer::new("https://h"), Issuer::new("https://h/"));
    }

    #[test]
    fn identifiers_serialize_as_plain_strings() {
        let json = serde_json::to_string(&Issuer::new("https://as.example")).unwrap();
        assert_eq!(json, "\"https://as.example\"");
        assert_eq!(
            serde_json::from_str::<ResourceId>(&json).unwrap().as_str(),
            "https://as.example"
        );
    }
}
