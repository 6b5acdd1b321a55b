//! What a client does about a quirk.

use doorkey_discovery::Issuer;

use super::Quirk;
use crate::error::Error;

/// One thing that a client does about a quirk. A setting of the host wins over each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Adds a parameter to the authorization request. `prompt` with an empty value leaves that out.
    AuthorizeParameter {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// The same, where a refresh token is wanted.
    OfflineParameter {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Adds a parameter to the exchange of a code and to each refresh.
    TokenParameter {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Sends `audience` with the value of `resource` beside it, on every leg.
    AudienceIsResource,
    /// Sends no `resource` on any leg.
    OmitResource,
    /// Repeats the scopes that were asked for, whatever was granted, when refreshing.
    RepeatScopes,
    /// Never asks for this scope, unless the host does.
    DropScope(String),
    /// Asks nobody anything without a scope besides `offline_access`: the login ends before a page opens.
    NeedsScopes,
    /// Sends the scopes otherwise than in `scope` with blanks between them.
    ScopeParameter(ScopeParameter),
    /// The redirect URI has to be like this.
    Redirect(RedirectRule),
    /// The document that is asked for as that of `listed` may name `published` as its issuer.
    TrustIssuer {
        /// The issuer as the MCP server lists it.
        listed: Issuer,
        /// The issuer that its own document names.
        published: Issuer,
    },
    /// The authorization server of an MCP server that names none.
    AuthorizationServer(Issuer),
    /// The endpoints of an MCP server that is its own authorization server and publishes no metadata: paths at its
    /// own origin.
    Endpoints {
        /// What its issuer has behind the origin; mostly nothing.
        issuer: String,
        /// Where a person is sent.
        authorization: String,
        /// Where tokens are obtained.
        token: String,
    },
    /// Reads a token answer that is form-encoded in place of JSON.
    FormAnswer,
    /// Reads the tokens of an answer inside of this member of it.
    NestedTokens(String),
    /// Takes this `token_type` for `Bearer`.
    BearerName(String),
    /// Reads a granted `scope` with commas between the scopes.
    CommaScopes,
    /// Presents the identity token in place of the access token, and refreshes it by its own `exp`.
    IdTokenAsBearer,
    /// Takes PKCE with S256 for supported although the metadata do not say a word about PKCE. It is used in any
    /// case.
    AssumePkce,
    /// Does not try to register: only a client that was registered by hand gets in.
    NeedsClient,
    /// Does not use a client metadata document, whatever the server says of them.
    NoMetadataDocument,
    /// Says what a refusal means.
    Explain(Explanation),
}

impl Effect {
    /// Whether it lifts a check of PKCE, of the issuer or of whom a token is for. What does holds only where a person
    /// chose it for that server: a pattern of a vendor's hosts is nobody's word.
    #[must_use]
    pub fn lifts_a_check(&self) -> bool {
        match self {
            Self::AssumePkce | Self::OmitResource | Self::IdTokenAsBearer => true,
            // Two exact issuers take the place of one: the comparison is as strict as before.
            Self::TrustIssuer { .. }
            // They say where to ask where a server says nothing, as the defaults of 2025-03-26 do (LEG-06).
            | Self::AuthorizationServer(_)
            | Self::Endpoints { .. } => false,
            Self::AuthorizeParameter { .. }
            | Self::OfflineParameter { .. }
            | Self::TokenParameter { .. }
            | Self::AudienceIsResource
            | Self::RepeatScopes
            | Self::DropScope(_)
            | Self::NeedsScopes
            | Self::ScopeParameter(_)
            | Self::Redirect(_)
            | Self::FormAnswer
            | Self::NestedTokens(_)
            | Self::BearerName(_)
            | Self::CommaScopes
            | Self::NeedsClient
            | Self::NoMetadataDocument
            | Self::Explain(_) => false,
        }
    }

    /// Whether it would have kept this error from happening, so far as the error tells.
    fn prevents(&self, error: &Error) -> bool {
        match error {
            Error::PkceUnsupported { silent, .. } => *self == Self::AssumePkce && *silent,
            Error::TokenEndpoint { error, .. } | Error::AuthorizationResponse(error) => {
                *self == Self::OmitResource && error.is("invalid_target")
            }
            Error::TokenRejectedByResource { .. } => *self == Self::IdTokenAsBearer,
            Error::RefreshFailed(cause) => self.prevents(cause),
            Error::LoginRequired {
                cause: Some(cause), ..
            } => self.prevents(cause),
            _ => false,
        }
    }
}

impl Quirk {
    /// Whether this error would not have happened, so far as it tells, had this quirk been used.
    #[must_use]
    pub fn would_prevent(&self, error: &Error) -> bool {
        self.effects.iter().any(|effect| effect.prevents(error))
    }
}

/// How scopes are sent to a server that does not take `scope`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeParameter {
    /// The parameter of the authorization request.
    pub name: String,
    /// What stands between the scopes.
    pub separator: String,
}

/// What of a redirect URI is fixed; the rest is the host's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedirectRule {
    /// `localhost` or `127.0.0.1`.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The path, with its first slash.
    pub path: Option<String>,
}

impl RedirectRule {
    /// A redirect URI on loopback that is as the rule says, with `port` where the rule names none.
    #[must_use]
    pub fn uri(&self, port: u16) -> String {
        let host = self.host.as_deref().unwrap_or("127.0.0.1");
        let port = self.port.unwrap_or(port);
        let path = self.path.as_deref().unwrap_or("/callback");
        format!("http://{host}:{port}{path}")
    }
}

/// What a refusal means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The words of the server by which the refusal is known, in any case.
    pub text: String,
    /// What it means.
    pub means: String,
    /// What to do about it.
    pub next: String,
}
