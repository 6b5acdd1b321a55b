//! Where a login stands, in a word.

use serde::Serialize;

/// Where a login stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoginState {
    /// There is a token that has not expired and was not rejected.
    LoggedIn,
    /// The token has expired; the next request gets another one without a person.
    ExpiredRefreshable,
    /// There is no token yet; the next request gets one without a person.
    Unattended,
    /// A person has to sign in.
    LoginRequired,
    /// The server answered without a login.
    NotRequired,
    /// A bearer token from the configuration is used.
    BearerEnv,
    /// Nothing is known yet.
    Unknown,
}

impl LoginState {
    /// The word used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoggedIn => "logged_in",
            Self::ExpiredRefreshable => "expired_refreshable",
            Self::Unattended => "unattended",
            Self::LoginRequired => "login_required",
            Self::NotRequired => "not_required",
            Self::BearerEnv => "bearer_env",
            Self::Unknown => "unknown",
        }
    }

    /// The same for a person.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::LoggedIn => "signed in",
            Self::ExpiredRefreshable => "renews with next use",
            Self::Unattended => "signs in by itself",
            Self::LoginRequired => "login required",
            Self::NotRequired => "no login needed",
            Self::BearerEnv => "configured token",
            Self::Unknown => "not tried yet",
        }
    }
}
