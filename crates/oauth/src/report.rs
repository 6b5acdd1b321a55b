//! What login and logout tell the host about what they did.

use std::fmt;
use std::time::SystemTime;

use doorkey_discovery::{Issuer, ResourceMatchKind, Scopes, Source};
use doorkey_http::RedactedUrl;
use url::Url;

use crate::access_token::TokenType;
use crate::error::Error;

/// A login that succeeded and is saved.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoginReport {
    /// The authorization server.
    pub issuer: Issuer,
    /// The `resource` as sent; `None` if it was omitted.
    pub resource: Option<String>,
    /// The scopes granted, as far as the server said; else those requested.
    pub scopes: Scopes,
    /// When the access token expires, if the server said so.
    pub expires_at: Option<SystemTime>,
    /// Whether a refresh token came along.
    pub refreshable: bool,
    /// How the access token is presented; `DPoP` for one that is bound to a key of this client.
    pub token_type: TokenType,
    /// Whether a new client registration was made.
    pub registered: bool,
    /// Whether the published resource is the server's URL or a parent of it (DISC-10); `None` where
    /// another process found it.
    pub match_kind: Option<ResourceMatchKind>,
    /// Where the endpoints came from; `None` where another process found them.
    pub source: Option<Source>,
    /// Whether another process signed in while this one waited, and its login was taken over.
    pub adopted: bool,
    /// Who signed in, as people know them, if the server said so.
    pub account_label: Option<String>,
    /// Who signed in, as the issuer identifies them, if it said so.
    pub subject: Option<String>,
}

/// A login that waits for the address at which the browser ends.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PendingLogin {
    /// The authorization server.
    pub issuer: Issuer,
    /// Where the browser is sent with the answer.
    pub redirect_uri: String,
    /// The scopes asked for; empty when the server decides.
    pub scopes: Scopes,
    /// When it was started.
    pub started_at: SystemTime,
    /// When it can no longer be finished.
    pub expires_at: SystemTime,
}

/// A login that was started, to be finished here or elsewhere.
#[derive(Clone)]
#[non_exhaustive]
pub struct StartedLogin {
    /// The page to open: https, or http on loopback. It holds the `state`: show it to the person and
    /// to nobody else.
    pub url: Url,
    /// The authorization server behind it, to be shown before going there (DISC-29).
    pub issuer: Issuer,
    /// Where the browser is sent with the answer.
    pub redirect_uri: String,
    /// The scopes asked for; empty when the server decides.
    pub scopes: Scopes,
    /// When it can no longer be finished.
    pub expires_at: SystemTime,
    /// Whether it took the place of one that was started before and not finished.
    pub replaced: bool,
    /// Whether the published resource is the server's URL or a parent of it (DISC-10).
    pub match_kind: ResourceMatchKind,
    /// Where the endpoints came from.
    pub source: Source,
}

impl fmt::Debug for StartedLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartedLogin")
            .field("url", &RedactedUrl::from(&self.url))
            .field("issuer", &self.issuer)
            .field("redirect_uri", &self.redirect_uri)
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .field("replaced", &self.replaced)
            .field("match_kind", &self.match_kind)
            .field("source", &self.source)
            .finish()
    }
}

/// What a logout is to do beyond the grant.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct LogoutOptions {
    /// Also delete the dynamic registration, if no other grant uses it.
    pub forget_client: bool,
}

impl LogoutOptions {
    /// Sets [`LogoutOptions::forget_client`].
    #[must_use]
    pub fn forget_client(mut self, forget: bool) -> Self {
        self.forget_client = forget;
        self
    }
}

/// What a logout did, step by step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LogoutReport {
    /// Revoking the refresh token (RFC 7009).
    pub revoked_refresh: StepOutcome,
    /// Revoking the access token.
    pub revoked_access: StepOutcome,
    /// Removing the local copies.
    pub removed_local: StepOutcome,
    /// Deleting the registration, with [`LogoutOptions::forget_client`]. The local copy goes first;
    /// with [`StepOutcome::Unsupported`] and [`StepOutcome::LocalOnly`] it is gone, and the
    /// authorization server still knows the client.
    pub registration: StepOutcome,
    /// Ending the sign-on at the identity provider, for an enterprise-managed login that no other
    /// grant shares.
    pub identity: StepOutcome,
}

impl LogoutReport {
    /// Whether every step that applied was done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        [
            &self.revoked_refresh,
            &self.revoked_access,
            &self.removed_local,
            &self.registration,
            &self.identity,
        ]
        .iter()
        .all(|step| {
            !matches!(
                step,
                StepOutcome::Failed(_) | StepOutcome::LocalOnly(_) | StepOutcome::Unsupported
            )
        })
    }
}

/// What became of one step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StepOutcome {
    /// There was nothing to do.
    NothingToDo,
    /// Not asked for.
    NotRequested,
    /// Done.
    Done,
    /// Left alone, because another grant still uses it.
    InUse,
    /// The authorization server offers no way to do it.
    Unsupported,
    /// It was done on this side only: the authorization server did not do its part.
    LocalOnly(Error),
    /// It failed.
    Failed(Error),
}

impl StepOutcome {
    /// Whether nothing of it is left to do: it was done, or there was nothing.
    pub(crate) fn is_settled(&self) -> bool {
        matches!(self, Self::Done | Self::NothingToDo)
    }
}

/// [`TokenSource::drain`](crate::TokenSource::drain) ran out of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{tasks} refreshes or logins were still running at the limit")]
pub struct DrainTimeout {
    /// How many tasks were still running.
    pub tasks: usize,
}
