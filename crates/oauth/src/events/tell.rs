//! Where the named events are told: one function for each, so that a name has one place.

use std::time::{Duration, Instant};

use doorkey_discovery::Scopes;
use doorkey_http::RedactedUrl;
use tracing::{Span, debug, error, info, warn};

use super::{GRANT, LOCK, LOGIN, QUIRK, REFRESH, STEP_UP, TOKEN};
use crate::config::AuthorizationConfig;
use crate::error::{Error, LoginReason};
use crate::report::{LoginReport, LogoutReport};

/// The span of a refresh.
pub(crate) fn refresh_span(config: &AuthorizationConfig) -> Span {
    tracing::info_span!(target: "doorkey_oauth", "refresh", server = %server(config), account = config.account)
}

/// The span of a login.
pub(crate) fn login_span(config: &AuthorizationConfig) -> Span {
    tracing::info_span!(target: "doorkey_oauth", "login", server = %server(config), account = config.account)
}

pub(crate) fn refresh_attempted(config: &AuthorizationConfig, issuer: &str, interrupted: bool) {
    info!(target: REFRESH, event = "refresh.attempted", server = %server(config), account = config.account,
        issuer, interrupted, "refreshing");
}

pub(crate) fn refresh_succeeded(
    config: &AuthorizationConfig,
    issuer: &str,
    since: Instant,
    saved: bool,
) {
    info!(target: REFRESH, event = "refresh.succeeded", server = %server(config), account = config.account,
        issuer, elapsed_ms = millis(since.elapsed()), saved, "refreshed");
}

pub(crate) fn refresh_adopted(config: &AuthorizationConfig) {
    info!(target: REFRESH, event = "refresh.adopted", server = %server(config), account = config.account,
        "another holder of the grant was faster, its token is taken");
}

pub(crate) fn refresh_rejected(config: &AuthorizationConfig, reason: &LoginReason) {
    warn!(target: REFRESH, event = "refresh.rejected", server = %server(config), account = config.account,
        code = reason.refusal().map(|refusal| refusal.code.as_str()), %reason, "the refresh was refused for good");
}

pub(crate) fn refresh_unknown(config: &AuthorizationConfig, error: &Error) {
    warn!(target: REFRESH, event = "refresh.unknown", server = %server(config), account = config.account,
        error = %Chain(error), "what became of a refresh is not known");
}

pub(crate) fn refresh_failed(config: &AuthorizationConfig, error: &Error) {
    warn!(target: REFRESH, event = "refresh.failed", server = %server(config), account = config.account,
        error = %Chain(error), retry_after_ms = error.retry_after().map(millis), "a refresh failed, and nothing is lost");
}

pub(crate) fn refresh_delayed(config: &AuthorizationConfig, error: &Error) {
    debug!(target: REFRESH, event = "refresh.delayed", server = %server(config), account = config.account,
        error = %Chain(error), retry_after_ms = error.retry_after().map(millis), "it is too early for a refresh");
}

/// Waits for a lock and tells how long that took. `lock` is its name.
pub(crate) async fn lock_waited<T>(
    config: &AuthorizationConfig,
    lock: &'static str,
    waiting: impl Future<Output = Result<T, doorkey_store::Error>>,
) -> Result<T, doorkey_store::Error> {
    let since = Instant::now();
    let taken = waiting.await;
    let outcome = match &taken {
        Ok(_) => "taken",
        Err(doorkey_store::Error::LockTimeout { .. }) => "timeout",
        Err(_) => "failed",
    };
    debug!(target: LOCK, event = "lock.waited", server = %server(config), account = config.account,
        lock, waited_ms = millis(since.elapsed()), outcome, "waited for a lock");
    taken
}

pub(crate) fn grant_adopted(config: &AuthorizationConfig) {
    debug!(target: GRANT, event = "grant.adopted", server = %server(config), account = config.account,
        "another process changed the grant");
}

pub(crate) fn grant_gone(config: &AuthorizationConfig) {
    info!(target: GRANT, event = "grant.gone", server = %server(config), account = config.account,
        "another process signed out");
}

pub(crate) fn grant_unsaved(config: &AuthorizationConfig, problem: &Error) {
    error!(target: GRANT, event = "grant.unsaved", server = %server(config), account = config.account,
        error = %Chain(problem), "a token could not be saved; it is kept in memory");
}

pub(crate) fn login_started(config: &AuthorizationConfig, cause: &'static str) {
    info!(target: LOGIN, event = "login.started", server = %server(config), account = config.account,
        flow = config.flow.as_str(), cause, "a login begins");
}

pub(crate) fn login_waiting(config: &AuthorizationConfig, limit: Duration) {
    info!(target: LOGIN, event = "login.waiting", server = %server(config), account = config.account,
        limit_ms = millis(limit), "another login for the same account is under way, this one waits");
}

pub(crate) fn login_pending(config: &AuthorizationConfig, issuer: &str) {
    info!(target: LOGIN, event = "login.pending", server = %server(config), account = config.account,
        issuer, "a login waits for the address at which the browser ends");
}

pub(crate) fn login_finished(config: &AuthorizationConfig, report: &LoginReport, saved: bool) {
    info!(target: LOGIN, event = "login.finished", server = %server(config), account = config.account,
        issuer = report.issuer.as_str(), registered = report.registered, refreshable = report.refreshable,
        saved, "signed in");
}

pub(crate) fn login_adopted(config: &AuthorizationConfig, issuer: &str) {
    info!(target: LOGIN, event = "login.adopted", server = %server(config), account = config.account,
        issuer, "another process signed in meanwhile, its login is taken over");
}

pub(crate) fn login_failed(config: &AuthorizationConfig, error: &Error) {
    warn!(target: LOGIN, event = "login.failed", server = %server(config), account = config.account,
        error = %Chain(error), "a login came to nothing");
}

pub(crate) fn logout_finished(config: &AuthorizationConfig, report: &LogoutReport) {
    let revoked = report.revoked_refresh.is_settled() && report.revoked_access.is_settled();
    info!(target: LOGIN, event = "logout.finished", server = %server(config), account = config.account,
        revoked, removed = report.removed_local.is_settled(), "signed out");
}

pub(crate) fn step_up_asked(config: &AuthorizationConfig, scopes: &Scopes) {
    info!(target: STEP_UP, event = "step_up.asked", server = %server(config), account = config.account,
        %scopes, "the server asks for more scopes");
}

pub(crate) fn step_up_granted(config: &AuthorizationConfig) {
    info!(target: STEP_UP, event = "step_up.granted", server = %server(config), account = config.account,
        "a token with more scopes is there");
}

pub(crate) fn step_up_refused(config: &AuthorizationConfig, error: &Error) {
    warn!(target: STEP_UP, event = "step_up.refused", server = %server(config), account = config.account,
        error = %Chain(error), "no token with more scopes is to be had");
}

pub(crate) fn token_rejected(config: &AuthorizationConfig, issuer: &str, expired: bool) {
    warn!(target: TOKEN, event = "token.rejected", server = %server(config), account = config.account,
        issuer, expired, "the server refuses the token");
}

pub(crate) fn quirk_used(config: &AuthorizationConfig, issuer: &str, quirk: &str) {
    info!(target: QUIRK, event = "quirk.used", server = %server(config), account = config.account,
        issuer, quirk, "the server is treated as one that behaves oddly");
}

fn server(config: &AuthorizationConfig) -> RedactedUrl {
    RedactedUrl::from(&config.server)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// An error with its causes, for a log line.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
