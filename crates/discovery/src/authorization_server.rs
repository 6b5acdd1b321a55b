//! Authorization server metadata (RFC 8414 §2, §3.3; OpenID Connect Discovery 1.0 §3, §4.3).

use url::Url;

use crate::document::{DocumentError, Members};
use crate::{Issuer, Scopes};

/// The members of an authorization server metadata document that a client acts upon.
/// `signed_metadata` is ignored.
///
/// A value made by [`AuthorizationServerMetadata::parse`] names the issuer it was asked for, or the
/// one other that is trusted for this server, and every endpoint in it is https or http on
/// loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorizationServerMetadata {
    /// The issuer, exactly as published; what a callback's `iss` is compared with (RFC 9207). Where
    /// another issuer is trusted, any server may publish that one's name: bind nothing to it.
    pub issuer: Issuer,
    /// The issuer that the document was asked for, exactly as listed; what registrations, client
    /// secrets and tokens are bound to, because nobody else's document can have it.
    pub listed: Issuer,
    /// Where a person is sent; needed for a redirect flow.
    pub authorization_endpoint: Option<Url>,
    /// Where tokens are obtained; present in every document that was parsed.
    pub token_endpoint: Option<Url>,
    /// Where clients register (RFC 7591).
    pub registration_endpoint: Option<Url>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_endpoint: Option<Url>,
    /// Where a device flow starts (RFC 8628).
    pub device_authorization_endpoint: Option<Url>,
    /// Where authorization requests are pushed (RFC 9126).
    pub pushed_authorization_request_endpoint: Option<Url>,
    /// The catalogue of scopes; a reason to ask for none of them.
    pub scopes_supported: Option<Scopes>,
    /// See [`supports_code`](Self::supports_code).
    pub response_types_supported: Option<Vec<String>>,
    /// See [`supports_grant`](Self::supports_grant).
    pub grant_types_supported: Option<Vec<String>>,
    /// See [`response_modes`](Self::response_modes).
    pub response_modes_supported: Option<Vec<String>>,
    /// See [`token_endpoint_auth_methods`](Self::token_endpoint_auth_methods).
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// The signature algorithms of client assertions.
    pub token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    /// How a client may authenticate to the revocation endpoint.
    pub revocation_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// See [`supports_s256`](Self::supports_s256).
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// The signature algorithms of DPoP proofs (RFC 9449 §5.1).
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// The grant profiles it implements, such as identity assertion grants.
    pub authorization_grant_profiles_supported: Option<Vec<String>>,
    /// Whether a callback carries `iss` (RFC 9207 §3).
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether a client id may be the URL of a client metadata document.
    pub client_id_metadata_document_supported: bool,
    /// Whether authorization requests must be pushed (RFC 9126 §5).
    pub require_pushed_authorization_requests: bool,
    /// Whether authorization requests must be signed (RFC 9101 §10.5).
    pub require_signed_request_object: bool,
    /// The resources it says it guards (RFC 9728 §4).
    pub protected_resources: Option<Vec<String>>,
    /// Whether it is an OpenID provider: its document was found at an OpenID place, or lists the
    /// scope `openid`.
    pub is_openid: bool,
}

impl AuthorizationServerMetadata {
    /// Metadata that names an issuer and nothing else: the start of a value that a configuration
    /// provides.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        Self {
            listed: issuer.clone(),
            issuer,
            authorization_endpoint: None,
            token_endpoint: None,
            registration_endpoint: None,
            revocation_endpoint: None,
            device_authorization_endpoint: None,
            pushed_authorization_request_endpoint: None,
            scopes_supported: None,
            response_types_supported: None,
            grant_types_supported: None,
            response_modes_supported: None,
            token_endpoint_auth_methods_supported: None,
            token_endpoint_auth_signing_alg_values_supported: None,
            revocation_endpoint_auth_methods_supported: None,
            code_challenge_methods_supported: None,
            dpop_signing_alg_values_supported: None,
            authorization_grant_profiles_supported: None,
            authorization_response_iss_parameter_supported: false,
            client_id_metadata_document_supported: false,
            require_pushed_authorization_requests: false,
            require_signed_request_object: false,
            protected_resources: None,
            is_openid: false,
        }
    }

    /// Reads a document that was fetched for `issuer`.
    ///
    /// The issuer is compared first, as a plain string; `trusted` is the one other string that the
    /// configuration of this server accepts; a document that names it stays the document of
    /// [`listed`](Self::listed). A document of another issuer contributes nothing, not even an error
    /// about its members. Unknown members are ignored, a `null` member counts as
    /// absent.
    ///
    /// # Errors
    /// [`DocumentError::NotJsonObject`]: not here, look elsewhere.
    /// [`DocumentError::IssuerMismatch`]: another place may have the right document, but no default
    /// may be used. Anything else is permanent.
    pub fn parse(
        body: &[u8],
        issuer: &Issuer,
        trusted: Option<&Issuer>,
    ) -> Result<Self, DocumentError> {
        let members = Members::parse(body)?;
        let named = match members.string("issuer") {
            // Whose document it is nobody knows.
            Err(error @ DocumentError::Repeated { .. }) => return Err(error),
            named => named.ok().flatten().map(Issuer::new),
        };
        let is_right = |own: &Issuer| own == issuer || Some(own) == trusted;
        let Some(published) = named.clone().filter(is_right) else {
            let published = named;
            return Err(DocumentError::IssuerMismatch {
                expected: issuer.clone(),
                published,
            });
        };
        let mut metadata = Self::new(published);
        metadata.listed = issuer.clone();
        metadata.read_endpoints(&members)?;
        metadata.read_lists(&members)?;
        metadata.read_flags(&members)?;
        metadata.is_openid = metadata
            .scopes_supported
            .as_ref()
            .is_some_and(|scopes| scopes.contains("openid"));
        Ok(metadata)
    }

    /// How a client may authenticate to the token endpoint; `client_secret_basic` when the document
    /// is silent (RFC 8414 §2).
    #[must_use]
    pub fn token_endpoint_auth_methods(&self) -> Vec<&str> {
        listed_or(
            self.token_endpoint_auth_methods_supported.as_ref(),
            &["client_secret_basic"],
        )
    }

    /// The grants it offers; `authorization_code` and `implicit` when the document is silent (RFC
    /// 8414 §2).
    #[must_use]
    pub fn grant_types(&self) -> Vec<&str> {
        listed_or(
            self.grant_types_supported.as_ref(),
            &["authorization_code", "implicit"],
        )
    }

    /// How a callback may carry its parameters; `query` and `fragment` when the document is silent
    /// (RFC 8414 §2).
    #[must_use]
    pub fn response_modes(&self) -> Vec<&str> {
        listed_or(
            self.response_modes_supported.as_ref(),
            &["query", "fragment"],
        )
    }

    /// Whether `grant` may be tried: it is listed, or there is no list.
    #[must_use]
    pub fn supports_grant(&self, grant: &str) -> bool {
        lists(self.grant_types_supported.as_ref(), grant).unwrap_or(true)
    }

    /// Whether the redirect flow is possible: the response type `code` is listed, or there is no
    /// list.
    #[must_use]
    pub fn supports_code(&self) -> bool {
        lists(self.response_types_supported.as_ref(), "code").unwrap_or(true)
    }

    /// Whether PKCE with S256 is advertised; silence means no (MCP "Authorization Code
    /// Protection").
    #[must_use]
    pub fn supports_s256(&self) -> bool {
        lists(self.code_challenge_methods_supported.as_ref(), "S256").unwrap_or(false)
    }

    fn read_endpoints(&mut self, members: &Members) -> Result<(), DocumentError> {
        self.authorization_endpoint = members.endpoint("authorization_endpoint")?;
        self.token_endpoint = members.endpoint("token_endpoint")?;
        self.registration_endpoint = members.endpoint("registration_endpoint")?;
        self.revocation_endpoint = members.endpoint("revocation_endpoint")?;
        self.device_authorization_endpoint = members.endpoint("device_authorization_endpoint")?;
        self.pushed_authorization_request_endpoint =
            members.endpoint("pushed_authorization_request_endpoint")?;
        match self.token_endpoint {
            Some(_) => Ok(()),
            None => Err(DocumentError::Missing {
                member: "token_endpoint",
            }),
        }
    }

    fn read_lists(&mut self, members: &Members) -> Result<(), DocumentError> {
        // Two lists that large services have long ones of, and that decide next to nothing.
        let scopes = members.first_strings("scopes_supported")?;
        self.scopes_supported = scopes.map(|(first, _)| Scopes::from_iter(first));
        let resources = members.first_strings("protected_resources")?;
        self.protected_resources = resources.and_then(|(all, more)| (!more).then_some(all));
        for (list, member) in [
            (
                &mut self.response_types_supported,
                "response_types_supported",
            ),
            (&mut self.grant_types_supported, "grant_types_supported"),
            (
                &mut self.response_modes_supported,
                "response_modes_supported",
            ),
            (
                &mut self.token_endpoint_auth_methods_supported,
                "token_endpoint_auth_methods_supported",
            ),
            (
                &mut self.token_endpoint_auth_signing_alg_values_supported,
                "token_endpoint_auth_signing_alg_values_supported",
            ),
            (
                &mut self.revocation_endpoint_auth_methods_supported,
                "revocation_endpoint_auth_methods_supported",
            ),
            (
                &mut self.code_challenge_methods_supported,
                "code_challenge_methods_supported",
            ),
            (
                &mut self.dpop_signing_alg_values_supported,
                "dpop_signing_alg_values_supported",
            ),
            (
                &mut self.authorization_grant_profiles_supported,
                "authorization_grant_profiles_supported",
            ),
        ] {
            *list = members.strings(member)?;
        }
        Ok(())
    }

    fn read_flags(&mut self, members: &Members) -> Result<(), DocumentError> {
        for (flag, member) in [
            (
                &mut self.authorization_response_iss_parameter_supported,
                "authorization_response_iss_parameter_supported",
            ),
            (
                &mut self.client_id_metadata_document_supported,
                "client_id_metadata_document_supported",
            ),
            (
                &mut self.require_pushed_authorization_requests,
                "require_pushed_authorization_requests",
            ),
            (
                &mut self.require_signed_request_object,
                "require_signed_request_object",
            ),
        ] {
            *flag = members.flag(member)?;
        }
        Ok(())
    }
}

/// `None` when there is no list.
fn lists(list: Option<&Vec<String>>, value: &str) -> Option<bool> {
    list.map(|list| list.iter().any(|listed| listed == value))
}

fn listed_or<'a>(list: Option<&'a Vec<String>>, default: &[&'a str]) -> Vec<&'a str> {
    list.map_or_else(
        || default.to_vec(),
        |list| list.iter().map(String::as_str).collect(),
    )
}

#[cfg(test)]
mod tests;
