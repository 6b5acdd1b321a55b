//! What a test may choose about an authorization server, each as a list of its possibilities.

/// Where the server publishes its metadata (RFC 8414 §3.1, OpenID Connect Discovery §4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataKind {
    /// `/.well-known/oauth-authorization-server` before the issuer path.
    #[default]
    OAuth,
    /// `/.well-known/openid-configuration` before the issuer path.
    OpenId,
    /// `/.well-known/openid-configuration` after the issuer path.
    OpenIdAppended,
    /// All three places.
    Both,
    /// Nowhere.
    None,
}

/// What the person behind the browser does on the authorization page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consent {
    /// Approves without a page: the authorization endpoint redirects at once.
    #[default]
    Auto,
    /// Sees a page with two buttons.
    Page,
    /// Denies without a page: the redirect carries `error=access_denied`.
    Deny,
}

/// The `iss` parameter of the authorization response (RFC 9207).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssParameter {
    /// Announced in the metadata and sent.
    #[default]
    Advertised,
    /// Neither announced nor sent.
    Absent,
    /// Sent without being announced.
    Unadvertised,
    /// Announced, but not sent.
    Withheld,
    /// Announced, but sent with this value.
    Wrong(String),
    /// Not announced, and sent with this value.
    WrongUnadvertised(String),
}

/// The `state` parameter of the authorization response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateParameter {
    /// Sent back as it came.
    #[default]
    Echoed,
    /// Left out.
    Withheld,
    /// Replaced by this value.
    Wrong(String),
}

/// What the server makes of the `resource` parameter (RFC 8707).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceParameter {
    /// Wants it exactly once on the authorization and on every token request, always the same.
    #[default]
    Required,
    /// Does without; a token that was asked for without has this audience.
    Optional(String),
    /// Refuses it with `invalid_target`, as some vendors do; tokens have this audience.
    Refused(String),
}

/// When the server issues refresh tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshTokens {
    /// To every client that registered the grant.
    #[default]
    Always,
    /// Only if the granted scopes contain `offline_access`.
    WithOfflineAccess,
    /// Never.
    Never,
}

/// The client credentials grant (RFC 6749 §4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientCredentials {
    /// Not offered.
    #[default]
    Off,
    /// Offered; the answer has no refresh token, as RFC 6749 §4.4.3 advises.
    AccessTokenOnly,
    /// Offered; the answer has a refresh token all the same.
    WithRefreshToken,
}

/// What the server makes of pushed authorization requests (RFC 9126).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushedRequests {
    /// There is no endpoint for them.
    #[default]
    Off,
    /// Takes them, and plain authorization requests too.
    Offered,
    /// Refuses plain authorization requests.
    Required,
}

/// Whether clients can change their registrations (RFC 7592 §2.2). Reading and deleting them is
/// always possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationUpdates {
    /// They cannot: a PUT is answered with 405.
    #[default]
    Off,
    /// They can, and keep their registration access token.
    Allowed,
    /// They can, and get a new registration access token in place of the old one.
    RotatingToken,
}

/// A document or answer whose members a test may set or remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Document {
    /// The metadata document, every kind of it.
    Metadata,
    /// The answer to a registration or to its update.
    Registration,
    /// The answer to a successful token request.
    Token,
    /// The answer to a pushed authorization request.
    PushedRequest,
    /// The claims of an ID token, before it is signed.
    IdToken,
    /// The claims of an ID-JAG, before it is signed.
    IdJag,
    /// The answer to a token exchange.
    TokenExchange,
    /// The answer of the device authorization endpoint.
    DeviceAuthorization,
}

impl From<bool> for RefreshTokens {
    fn from(on: bool) -> Self {
        if on { Self::Always } else { Self::Never }
    }
}

impl From<bool> for ClientCredentials {
    fn from(on: bool) -> Self {
        if on { Self::AccessTokenOnly } else { Self::Off }
    }
}
