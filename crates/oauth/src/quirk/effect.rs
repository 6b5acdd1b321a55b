//! What a client does about a quirk.

use doorkey_discovery::Issuer;

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
