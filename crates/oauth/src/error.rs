//! Everything that can go wrong between a challenge and a token, as one type.

mod advice;
mod kind;
mod place;
mod reason;

use std::time::Duration;

use doorkey_discovery::{Challenges, Issuer, Scopes};
use doorkey_http::{Leg, RedactedUrl};
use http::StatusCode;
use url::Url;

use crate::flow::AssertionError;
use crate::interaction::InteractionError;
use crate::key::{KeyError, SigningError};
use crate::protocol_error::ProtocolError;
use crate::random::RandomError;
use crate::shared::Shared;

pub use reason::{Attempts, InvalidResponse, LoginReason, NextStep};

/// Why no usable token could be had.
///
/// It is `Clone`, because every caller that waited for one refresh or login gets its outcome.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A request did not get an answer. Nothing was lost; see [`Error::is_transient`].
    ///
    /// It is shown as its cause, whose own cause is its `source()`; [`Error::http`] gives the cause
    /// itself.
    #[error(transparent)]
    Http(Shared<doorkey_http::Error>),
    /// A refresh got an answer that decides nothing about the grant, such as a page in place of
    /// JSON. The grant is kept; try again later.
    #[error("the token could not be refreshed for now")]
    RefreshFailed(#[source] Shared<Self>),
    /// The authorization server could not be found or its documents are wrong.
    #[error("discovery of the authorization server failed")]
    Discovery(#[source] Shared<doorkey_discovery::Error>),
    /// The store could not read or write. Tokens already obtained stay usable in this process.
    #[error("the store of grants failed")]
    Store(#[source] Shared<doorkey_store::Error>),

    /// A person has to sign in. Nothing below the host starts that by itself (law 11).
    #[error("login required at {}: {reason}", RedactedUrl::from(&**.server))]
    LoginRequired {
        /// The MCP server as configured.
        server: Box<Url>,
        /// Why the stored grant does not do.
        reason: LoginReason,
        /// The challenges of the response that showed it; empty if no request was made.
        challenges: Challenges,
        /// The failure behind it, if there was one.
        #[source]
        cause: Option<Box<Error>>,
    },
    /// The token lacks scopes and no further authorization may be or was successful (UP-05).
    #[error("the token lacks scope: {}", scope_text(.required))]
    InsufficientScope {
        /// The scopes the resource asked for.
        required: Scopes,
        /// The challenges of the 403 response.
        challenges: Challenges,
    },
    /// A token that was just issued is refused: usually it is bound to another audience.
    #[error("{} refuses a token that was just issued for it", RedactedUrl::from(.server))]
    TokenRejectedByResource {
        /// The MCP server as configured.
        server: Url,
        /// The challenges of its response.
        challenges: Challenges,
    },
    /// The request belongs to somebody who is no longer signed in (USE-12): begin anew, say a session,
    /// for whoever is signed in now.
    #[error("somebody else is signed in at {} by now", RedactedUrl::from(.server))]
    IdentityChanged {
        /// The MCP server as configured.
        server: Url,
    },
    /// The bearer token from the configuration is refused.
    #[error("{} refuses the configured bearer token", RedactedUrl::from(.server))]
    BearerRejected {
        /// The MCP server as configured.
        server: Url,
        /// The challenges of its response.
        challenges: Challenges,
    },

    /// The person or the authorization server's policy said no (`access_denied`).
    #[error("the authorization was denied: {0}")]
    Denied(ProtocolError),
    /// The authorization server answered the browser with an error (RFC 6749 §4.1.2.1).
    #[error("the authorization server refused the authorization request: {0}")]
    AuthorizationResponse(ProtocolError),
    /// A callback with the right `state` that breaks the protocol (RSP-12, RSP-13).
    #[error("the authorization response is invalid: {0}")]
    InvalidAuthorizationResponse(InvalidResponse),
    /// The callback's `iss` is not the authorization server the login went to (RFC 9207 §2.4).
    #[error("the authorization response came from another issuer than {expected}")]
    IssuerMismatch {
        /// The issuer the login was started with.
        expected: Issuer,
        /// The `iss` that arrived, cleaned; `None` when it was promised and missing.
        received: Option<String>,
    },

    /// The token endpoint, or one that answers as it does, answered with an OAuth error (RFC 6749
    /// §5.2).
    #[error("the {leg} endpoint {url} answered {status}: {error}")]
    TokenEndpoint {
        /// Which endpoint.
        leg: Leg,
        /// The endpoint.
        url: RedactedUrl,
        /// The HTTP status; 200 for servers that send errors so.
        status: StatusCode,
        /// What it said.
        error: ProtocolError,
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// The revocation endpoint answered with an OAuth error (RFC 7009 §2.2.1).
    #[error("the revocation endpoint {url} answered {status}: {error}")]
    RevocationEndpoint {
        /// The endpoint.
        url: RedactedUrl,
        /// The HTTP status.
        status: StatusCode,
        /// What it said.
        error: ProtocolError,
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// The authorization server does not register this client (RFC 7591 §3.2.2).
    #[error("client registration at {url} was refused with {status}: {}", refusal_text(.error.as_deref(), .excerpt))]
    RegistrationRefused {
        /// The registration endpoint.
        url: RedactedUrl,
        /// The HTTP status.
        status: StatusCode,
        /// What it said, when it said it as the protocol wants.
        error: Option<Box<ProtocolError>>,
        /// The start of any other body, cleaned.
        excerpt: String,
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// The authorization server does not delete the registration of this client (RFC 7592 §2.3).
    #[error("{url} did not delete the client registration ({status}): {}", refusal_text(.error.as_ref(), .excerpt))]
    DeregistrationRefused {
        /// The client configuration endpoint.
        url: RedactedUrl,
        /// The HTTP status.
        status: StatusCode,
        /// What it said, when it said it as the protocol wants.
        error: Option<ProtocolError>,
        /// The start of any other body, cleaned.
        excerpt: String,
    },
    /// An answer that is not what the protocol says.
    #[error("the {leg} answer of {url} ({status}) is unreadable: {excerpt}")]
    UnreadableResponse {
        /// Which endpoint answered.
        leg: Leg,
        /// Its URL.
        url: RedactedUrl,
        /// The HTTP status.
        status: StatusCode,
        /// What is wrong, and the start of the body if it is no JSON, cleaned. Never a token.
        excerpt: String,
        /// How long it asked to wait.
        retry_after: Option<Duration>,
        /// The parser's complaint.
        #[source]
        source: Option<Shared<serde_json::Error>>,
    },

    /// The authorization server does not promise PKCE with S256, so a code could be stolen (AS-20).
    #[error("{issuer} does not support PKCE with S256")]
    PkceUnsupported {
        /// The authorization server.
        issuer: Issuer,
        /// Whether its metadata do not say a word about PKCE, in place of listing other methods.
        silent: bool,
    },
    /// The authorization server's metadata rules out this login (AS-16, AS-22).
    #[error("{issuer} cannot be used: `{member}` {why}")]
    UnsupportedServer {
        /// The authorization server.
        issuer: Issuer,
        /// The metadata member that says so.
        member: &'static str,
        /// What it says.
        why: &'static str,
    },
    /// Neither configuration nor the authorization server offers a way to a client id (REG-02).
    #[error("{issuer} registers no clients by itself{}", in_brackets(.why.as_deref()))]
    NoClient {
        /// The authorization server.
        issuer: Issuer,
        /// What a quirk says of it.
        why: Option<String>,
    },
    /// The configured client belongs to another authorization server (REG-05).
    #[error("client {client_id} belongs to {configured}, but the server names {discovered}")]
    StaticClientIssuer {
        /// The configured client.
        client_id: String,
        /// Where it belongs.
        configured: Issuer,
        /// What discovery found.
        discovered: Issuer,
    },
    /// A page that the authorization server names is not shown to anybody: a server may not have a browser opened
    /// where it could not have a request sent (SEC-03, SEC-07).
    #[error("the page {page} that {issuer} names as `{member}` is not opened")]
    PageRefused {
        /// The authorization server.
        issuer: Issuer,
        /// The member of its metadata or answer that names the page.
        member: &'static str,
        /// The page.
        page: RedactedUrl,
        /// The rule that it breaks, and the setting that allows it: an
        /// [`AddressRefused`](doorkey_http::AddressRefused) or an
        /// [`EndpointError`](doorkey_http::EndpointError).
        #[source]
        source: Shared<dyn std::error::Error + Send + Sync>,
    },
    /// The scopes that servers and configuration ask for do not fit into one request.
    #[error(
        "the scopes to ask {issuer} for are longer than {limit} bytes; the MCP server has to name fewer"
    )]
    TooManyScopes {
        /// The authorization server.
        issuer: Issuer,
        /// How long they may be as one text, in bytes.
        limit: usize,
    },
    /// An endpoint URL is not fit for credentials.
    #[error("the {leg} URL {url} is refused")]
    Endpoint {
        /// Which endpoint.
        leg: Leg,
        /// The URL.
        url: RedactedUrl,
        /// The rule it breaks.
        #[source]
        source: Shared<doorkey_http::EndpointError>,
    },
    /// A URL that was stored or configured does not parse.
    #[error("the {what} is not a URL")]
    InvalidUrl {
        /// Which URL.
        what: &'static str,
        /// The parser's complaint.
        #[source]
        source: Shared<dyn std::error::Error + Send + Sync>,
    },
    /// A setting cannot be right.
    #[error("the setting `{setting}` is wrong: {why}")]
    Configuration {
        /// The field of [`AuthorizationConfig`](crate::AuthorizationConfig).
        setting: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The redirect URI of the interaction is neither loopback nor https (AZ-15).
    #[error("the redirect URI {0} is refused")]
    RedirectUri(String),

    /// The resource redirects in a way that is not followed (USE-05).
    #[error("{from} answered {status} and points to {target}; {}", redirect_rule(*.status))]
    Redirect {
        /// The HTTP status.
        status: StatusCode,
        /// The URL that was requested.
        from: RedactedUrl,
        /// Where it points.
        target: String,
    },
    /// The request has to be sent again and its body is a stream that is gone.
    #[error("the request to {url} has to be repeated ({status}), but its body cannot be")]
    NotReplayable {
        /// The URL that was requested.
        url: RedactedUrl,
        /// The status that asks for a repetition.
        status: StatusCode,
    },
    /// A configured key cannot sign.
    #[error("the key of the setting `{setting}` cannot be used")]
    InvalidKey {
        /// The field of [`AuthorizationConfig`](crate::AuthorizationConfig) or what it belongs to.
        setting: &'static str,
        /// What is wrong with it.
        #[source]
        source: KeyError,
    },
    /// A signature could not be made.
    #[error("the request could not be signed")]
    Signing(#[source] Shared<SigningError>),
    /// The JWT that a flow needs could not be had from its source (WIF-06).
    #[error("the JWT that vouches for this program could not be had")]
    Assertion(#[source] Shared<AssertionError>),
    /// The JWT that a flow needs has expired; its source has to deliver another one (WIF-06).
    #[error("the JWT that vouches for this program has expired")]
    AssertionExpired,
    /// Credentials that name no issuer, and no leave to send them to the one that was found (CC-07,
    /// WIF-08).
    #[error(
        "the credentials name no issuer, so they are not sent to {discovered}, which the server names"
    )]
    UnboundCredentials {
        /// The authorization server that the MCP server names.
        discovered: Issuer,
    },
    /// An identity token that does not answer our sign-on (OpenID Connect Core §3.1.3.7).
    #[error("the identity token of {issuer} is not valid: {why}")]
    InvalidIdToken {
        /// The identity provider.
        issuer: Issuer,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The resource does not take the proof of possession that went with the token (RFC 9449 §7.1).
    /// Often the clock of one side is wrong.
    #[error("{} refuses the DPoP proof of this client", RedactedUrl::from(.server))]
    DpopProofRejected {
        /// The MCP server as configured.
        server: Url,
        /// The challenges of its response.
        challenges: Challenges,
    },
    /// A token came that is not bound to our key, although it was to be (DP-16).
    #[error("{url} gave a bearer token where one bound to the key of this client was asked for")]
    TokenNotBound {
        /// The endpoint.
        url: RedactedUrl,
    },
    /// The access token cannot be sent in a header (RFC 6750 §2.1).
    #[error("the access token holds characters that no header may carry")]
    IllegalToken,

    /// Too many refreshes or logins of one account within a minute: something goes round in circles.
    #[error("{limit} {what} within a minute are enough; the next one may be in {} s", .retry_after.as_secs())]
    TooManyAttempts {
        /// What there were too many of.
        what: Attempts,
        /// How many are allowed within a minute; see [`AuthorizationConfig`](crate::AuthorizationConfig).
        limit: u32,
        /// How long until the next one is allowed.
        retry_after: Duration,
    },
    /// The authorization server asked to be left alone for a while (`Retry-After`), this process or
    /// another one that refreshes the same grant. The grant is kept.
    #[error("the authorization server asked to wait before the next refresh, for another {} s", .retry_after.as_secs())]
    RefreshDelayed {
        /// How much of the wait is left.
        retry_after: Duration,
    },
    /// No login was started that this answer could finish, or it was finished or has been replaced.
    #[error("no login that was started waits for this answer")]
    NoPendingLogin,

    /// Discovery answered bit by bit for longer than a person waits before anything is shown.
    #[error("discovery of the authorization server took longer than {} s", .limit.as_secs())]
    DiscoveryTimedOut {
        /// The limit that passed.
        limit: Duration,
    },
    /// Nobody answered in time.
    #[error("nobody completed the login within {} s", .limit.as_secs())]
    LoginTimedOut {
        /// The limit that passed.
        limit: Duration,
    },
    /// Everybody who waited for the login went away before the browser came back.
    #[error("the login was given up")]
    LoginAbandoned,
    /// No human could be reached.
    #[error("the login could not be shown to a person")]
    Interaction(#[source] Shared<InteractionError>),
    /// No randomness, hence no login.
    #[error("nothing unguessable could be made")]
    Random(#[source] Shared<RandomError>),
    /// There is no tokio runtime to own the task.
    #[error("refresh and login need a running tokio runtime")]
    NoRuntime,
    /// The task that owned the refresh or login ended without an answer.
    #[error("the task that obtained the token ended without an answer")]
    TaskLost,
}

impl Error {
    pub(crate) fn unsupported(issuer: &Issuer, member: &'static str, why: &'static str) -> Self {
        Self::UnsupportedServer {
            issuer: issuer.clone(),
            member,
            why,
        }
    }

    pub(crate) fn invalid_url(
        what: &'static str,
        cause: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::InvalidUrl {
            what,
            source: Shared::of(cause),
        }
    }
}

fn scope_text(required: &Scopes) -> String {
    if required.is_empty() {
        String::from("the server does not say which")
    } else {
        doorkey_http::clean_text(&required.to_string(), SHOWN_SCOPES)
    }
}

fn in_brackets(why: Option<&str>) -> String {
    why.map_or_else(String::new, |why| format!(" ({why})"))
}

fn refusal_text(error: Option<&ProtocolError>, excerpt: &str) -> String {
    match error {
        Some(error) => error.to_string(),
        None if excerpt.is_empty() => String::from("no reason given"),
        None => excerpt.to_owned(),
    }
}

/// The rule that a redirect of the resource breaks.
fn redirect_rule(status: StatusCode) -> &'static str {
    match status {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
            "such are followed only to where the token may go, and only a few in a row"
        }
        _ => "only 307 and 308 are followed, because they keep a request as it is",
    }
}

/// Characters of a list of scopes in a message.
const SHOWN_SCOPES: usize = 500;

macro_rules! shared_cause {
    ($($variant:ident: $cause:ty),+ $(,)?) => {
        $(impl From<$cause> for Error {
            fn from(cause: $cause) -> Self {
                Self::$variant(Shared::new(cause))
            }
        })+
    };
}

shared_cause! {
    Http: doorkey_http::Error,
    Discovery: doorkey_discovery::Error,
    Store: doorkey_store::Error,
    Interaction: InteractionError,
    Random: RandomError,
    Signing: SigningError,
    Assertion: AssertionError,
}

#[cfg(test)]
mod tests;
