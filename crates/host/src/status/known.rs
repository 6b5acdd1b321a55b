//! What the store says of one login, and whether it renews itself.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use doorkey_oauth::LoginReason;
use doorkey_store::{Error as StoreError, Grant, Proof};

use super::LoginState;
use super::shelf::Shelf;
use crate::code::ErrorCode;
use crate::config::{FlowSettings, IdentitySettings, ServerConfig};
use crate::error::Error;
use crate::host::{authorization, identity_key};
use crate::remedy;

/// What the store says of one login.
pub(super) struct Known {
    pub(super) state: LoginState,
    pub(super) reason: Option<String>,
    pub(super) code: Option<ErrorCode>,
    pub(super) grant: Option<Arc<Grant>>,
}

/// How the next token is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// By a refresh token, else by a person.
    Refresh,
    /// By the flow itself.
    Itself,
    /// By a person who signs on at the identity provider.
    SignOn,
}

/// How the next token of a server is had.
pub(super) async fn renewal(
    shelf: &Shelf<'_>,
    server: &ServerConfig,
    now: SystemTime,
) -> Result<Renewal, StoreError> {
    let FlowSettings::EnterpriseManaged(provider) = &server.oauth.flow else {
        return Ok(match server.oauth.flow.is_unattended() {
            true => Renewal::Itself,
            false => Renewal::Refresh,
        });
    };
    if provider.identity != IdentitySettings::SignOn {
        return Ok(Renewal::Itself);
    }
    let identity = shelf.grant(&identity_key(server, provider)).await?;
    let is_usable = identity.is_some_and(|identity| {
        let is_fresh = identity.id_token.is_some() && is_in_future(identity.expires_at, now);
        identity.client_id == provider.client_id && (is_fresh || identity.refresh_token.is_some())
    });
    Ok(match is_usable {
        true => Renewal::Itself,
        false => Renewal::SignOn,
    })
}

impl Known {
    pub(super) fn of_state(state: LoginState) -> Self {
        Self {
            state,
            reason: None,
            code: (state == LoginState::LoginRequired).then_some(ErrorCode::LoginRequired),
            grant: None,
        }
    }

    /// A grant, which counts only while it is what the configuration asks for.
    pub(super) fn of_grant(
        server: &ServerConfig,
        grant: Arc<Grant>,
        renewal: Renewal,
        now: SystemTime,
    ) -> Self {
        let (state, reason) = match (authorization(server).check(&grant), renewal) {
            (Ok(()), _) => state_of(&grant, renewal, now),
            (Err(reason), Renewal::Itself) => (LoginState::Unattended, Some(reason)),
            (Err(reason), _) => (LoginState::LoginRequired, Some(reason)),
        };
        let code = match (state, grant.proof) {
            (LoginState::LoginRequired, Proof::Rejected) => Some(ErrorCode::TokenRejected),
            (LoginState::LoginRequired, _) => Some(ErrorCode::LoginRequired),
            _ => None,
        };
        Self {
            state,
            code,
            reason: reason.as_ref().map(ToString::to_string),
            grant: Some(grant),
        }
    }

    pub(super) fn unreadable(error: StoreError) -> Self {
        let first: &(dyn std::error::Error + 'static) = &error;
        let causes = std::iter::successors(Some(first), |&error| error.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        let mut reason = causes.join(": ");
        if let Some(remedy) = remedy::of_store(&error) {
            reason = format!("{reason}; {remedy}");
        }
        Self {
            reason: Some(reason),
            code: Some(Error::Store(error).code()),
            ..Self::of_state(LoginState::Unknown)
        }
    }
}

fn state_of(grant: &Grant, renewal: Renewal, now: SystemTime) -> (LoginState, Option<LoginReason>) {
    let is_fresh = grant.access_token.is_some() && is_in_future(grant.expires_at, now);
    let required = |reason| (LoginState::LoginRequired, Some(reason));
    match (grant.proof, is_fresh, renewal) {
        (Proof::Rejected, ..) => required(LoginReason::TokenRejected),
        (_, true, _) => (LoginState::LoggedIn, None),
        (_, false, Renewal::Itself) => (LoginState::ExpiredRefreshable, None),
        (_, false, Renewal::Refresh) if grant.refresh_token.is_some() => {
            (LoginState::ExpiredRefreshable, None)
        }
        (_, false, _) => required(LoginReason::RefreshTokenMissing),
    }
}

/// A time that nobody named has not passed.
fn is_in_future(seconds: Option<u64>, now: SystemTime) -> bool {
    seconds.is_none_or(|expiry| UNIX_EPOCH + Duration::from_secs(expiry) > now)
}

#[cfg(test)]
mod tests {
    use super::{LoginState as S, Proof as P, Renewal as R, *};
    use secrecy::SecretString;

    #[test]
    fn the_state_of_a_login_follows_from_its_grant_and_its_flow() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        for (proof, expires_at, access, refresh, renewal, expected) in TABLE {
            let mut grant = Grant::new("https://as.example", "client", "https://as.example/token");
            grant.proof = *proof;
            grant.expires_at = *expires_at;
            grant.access_token = access.then(|| SecretString::from("access"));
            grant.refresh_token = refresh.then(|| SecretString::from("refresh"));
            let state = state_of(&grant, *renewal, now).0;
            assert_eq!(state, *expected, "{renewal:?} {grant:?}");
        }
    }

    /// Proof, expiry, access token, refresh token, renewal and the state.
    type Row = (P, Option<u64>, bool, bool, R, S);

    const TABLE: &[Row] = &[
        (
            P::Accepted,
            Some(2_000),
            true,
            false,
            R::Refresh,
            S::LoggedIn,
        ),
        (P::Accepted, None, true, false, R::Refresh, S::LoggedIn),
        (
            P::Unproven,
            Some(2_000),
            true,
            true,
            R::Refresh,
            S::LoggedIn,
        ),
        (
            P::Accepted,
            Some(1_000),
            true,
            true,
            R::Refresh,
            S::ExpiredRefreshable,
        ),
        (
            P::Accepted,
            Some(500),
            true,
            false,
            R::Refresh,
            S::LoginRequired,
        ),
        (
            P::Accepted,
            Some(2_000),
            false,
            true,
            R::Refresh,
            S::ExpiredRefreshable,
        ),
        (
            P::Accepted,
            None,
            false,
            false,
            R::Refresh,
            S::LoginRequired,
        ),
        (
            P::Rejected,
            Some(2_000),
            true,
            true,
            R::Refresh,
            S::LoginRequired,
        ),
        (
            P::Accepted,
            Some(2_000),
            true,
            false,
            R::Itself,
            S::LoggedIn,
        ),
        (
            P::Accepted,
            Some(500),
            true,
            false,
            R::Itself,
            S::ExpiredRefreshable,
        ),
        (
            P::Unproven,
            None,
            false,
            false,
            R::Itself,
            S::ExpiredRefreshable,
        ),
        (
            P::Rejected,
            Some(2_000),
            true,
            false,
            R::Itself,
            S::LoginRequired,
        ),
        (
            P::Accepted,
            Some(2_000),
            true,
            false,
            R::SignOn,
            S::LoggedIn,
        ),
        (
            P::Accepted,
            Some(500),
            true,
            true,
            R::SignOn,
            S::LoginRequired,
        ),
    ];
}
