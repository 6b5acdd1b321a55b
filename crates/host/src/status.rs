//! What is known of each server's login, without asking the network.

mod known;
mod shelf;
mod state;

use std::path::Path;
use std::time::SystemTime;

use doorkey_discovery::{
    Issuer, ResourceId, ResourceMatch, ResourceRule, Source, validate_resource,
};
use doorkey_store::Error as StoreError;
use serde::Serialize;

use crate::calendar::rfc3339_of;
use crate::code::ErrorCode;
use crate::config::ServerConfig;
use crate::error::Error;
use crate::facts;
use crate::host::{Host, grant_key};
use crate::quirks::QuirkInForce;
use crate::stores::StoreReason;
use crate::target::Target;

use known::{Known, Renewal};
use shelf::Shelf;

pub use state::LoginState;

/// One server and its login, as `doorkey list --json` prints it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServerStatus {
    /// Its name in the configuration.
    pub name: String,
    /// The MCP URL.
    pub url: String,
    /// Whether the configuration has it switched on.
    pub enabled: bool,
    /// Its login.
    pub auth: AuthStatus,
    /// The logins of other accounts, by name.
    pub other_accounts: Vec<AuthStatus>,
    /// What is known of the server as odd, and whether that is used.
    pub quirks: Vec<QuirkInForce>,
}

/// The login of one server.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AuthStatus {
    /// Where it stands.
    pub status: LoginState,
    /// How tokens are obtained, as in the configuration; none with a configured bearer token.
    pub flow: Option<&'static str>,
    /// Why a person has to sign in, or why nothing can be said.
    pub reason: Option<String>,
    /// The code of that, under which `docs/errors.md` says more.
    pub code: Option<ErrorCode>,
    /// When the access token expires (RFC 3339, UTC), as far as its issuer said.
    pub expires_at: Option<String>,
    /// In how many seconds that is; negative where it is past.
    pub expires_in_sec: Option<i64>,
    /// Whether there is a refresh token.
    pub refreshable: bool,
    /// How the access token is presented: `Bearer`, or `DPoP` when it is bound to a key.
    pub token_type: Option<String>,
    /// The scopes granted, else those asked for.
    pub scopes: Vec<String>,
    /// The authorization server.
    pub issuer: Option<String>,
    /// The `resource` as it was sent; none when it was left out.
    pub resource: Option<String>,
    /// How `resource` relates to the URL: `exact`, or `parent` when tokens for it may serve other
    /// servers of the same origin too.
    pub resource_match: Option<&'static str>,
    /// Which login of several.
    pub account: String,
    /// Whether that is the account that is used where none is named.
    pub is_default: bool,
    /// Who is signed in, as far as the authorization server says.
    pub account_label: Option<String>,
    /// The client the login belongs to.
    pub client_id: Option<String>,
    /// Whether the server took the token: `accepted`, `rejected`, `unproven`.
    pub proof: Option<&'static str>,
    /// What was said last when something about this login failed.
    pub last_error: Option<String>,
    /// Until when a login that was started can be finished (RFC 3339, UTC); none if none was.
    pub started_until: Option<String>,
    /// Where the login is kept.
    pub store: StoreStatus,
}

/// Where logins are kept.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StoreStatus {
    /// The kind, such as `file`.
    pub kind: &'static str,
    /// Where.
    pub location: String,
    /// Whether it is encrypted there.
    pub encrypted: bool,
    /// Why that store: `configured`, or what `auto` found.
    pub reason: &'static str,
}

impl ServerStatus {
    /// Whether a login of any account is stored for it.
    #[must_use]
    pub fn has_login(&self) -> bool {
        let mut all = std::iter::once(&self.auth).chain(&self.other_accounts);
        all.any(|auth| auth.client_id.is_some())
    }
}

impl Host {
    /// Every remote server with what is known of its login; no request is made. A login that cannot
    /// be read is unknown, and its `reason` says what to do.
    ///
    /// # Errors
    /// The store as a whole cannot be read.
    pub async fn list(&self) -> Result<Vec<ServerStatus>, Error> {
        let shelf = Shelf::read(self.store()).await?.of_every_server();
        let store = self.store_status();
        let mut statuses = Vec::new();
        for server in self.config().servers() {
            statuses.push(self.status_of(server, true, &shelf, &store).await?);
        }
        Ok(statuses)
    }

    /// One server with what is known of its login; no request is made.
    ///
    /// # Errors
    /// There is no such server, or the store cannot be read.
    pub async fn status(&self, target: impl Into<Target<'_>>) -> Result<ServerStatus, Error> {
        let server = self.server(target.into())?;
        let is_default = self.config().server(&server.name)?.account == server.account;
        let shelf = Shelf::read(self.store()).await?;
        self.status_of(&server, is_default, &shelf, &self.store_status())
            .await
    }

    /// The accounts that have a login at a server, by name; the configuration names none but the default
    /// one.
    ///
    /// # Errors
    /// There is no such server, or the store cannot be read.
    pub async fn accounts(&self, name: &str) -> Result<Vec<String>, Error> {
        let server = self.config().server(name)?;
        let shelf = Shelf::read(self.store()).await?;
        let url = facts::server_key(server);
        let accounts = shelf.accounts(&url);
        Ok(accounts.map(str::to_owned).collect())
    }

    /// Where logins are kept; nothing is opened for it.
    #[must_use]
    pub fn store_status(&self) -> StoreStatus {
        let found = self.store().describe();
        let choice = self.store_choice();
        StoreStatus {
            kind: match choice.reason {
                StoreReason::Given => found.kind,
                _ => choice.kind.as_str(),
            },
            location: found.location,
            encrypted: found.encrypted,
            reason: choice.reason.as_str(),
        }
    }

    async fn status_of(
        &self,
        server: &ServerConfig,
        is_default: bool,
        shelf: &Shelf<'_>,
        store: &StoreStatus,
    ) -> Result<ServerStatus, Error> {
        let mut other_accounts = Vec::new();
        if server.bearer_key().is_none() {
            let url = facts::server_key(server);
            let default = match is_default {
                true => server.account.as_str(),
                false => self.config().server(&server.name)?.account.as_str(),
            };
            for account in shelf.accounts(&url).filter(|one| *one != server.account) {
                let mut other = server.clone();
                account.clone_into(&mut other.account);
                let is_default = account == default;
                other_accounts.push(self.auth_of(&other, is_default, shelf, store).await?);
            }
        }
        let auth = self.auth_of(server, is_default, shelf, store).await?;
        let issuer = server.oauth.bound_issuer().map(Issuer::as_str);
        let quirks = match server.bearer_key() {
            Some(_) => Vec::new(),
            None => self.quirks_at(server, issuer.or(auth.issuer.as_deref())),
        };
        Ok(ServerStatus {
            name: server.name.clone(),
            url: server.url.to_string(),
            enabled: server.enabled,
            auth,
            other_accounts,
            quirks,
        })
    }

    async fn auth_of(
        &self,
        server: &ServerConfig,
        is_default: bool,
        shelf: &Shelf<'_>,
        store: &StoreStatus,
    ) -> Result<AuthStatus, Error> {
        let now = SystemTime::now();
        let known = match self.look_up(server, shelf, now).await {
            Ok(known) => known,
            // One bad record says nothing about the others.
            Err(error) if self.is_of_one_record(&error) => Known::unreadable(error),
            Err(error) => return Err(error.into()),
        };
        let mut auth = auth_status(server, is_default, known, store.clone(), now);
        auth.started_until = started_until(server, shelf, now);
        Ok(auth)
    }

    async fn look_up(
        &self,
        server: &ServerConfig,
        shelf: &Shelf<'_>,
        now: SystemTime,
    ) -> Result<Known, StoreError> {
        if server.bearer_key().is_some() {
            return Ok(Known::of_state(LoginState::BearerEnv));
        }
        let renewal = known::renewal(shelf, server, now).await?;
        if let Some(grant) = shelf.grant(&grant_key(server)).await? {
            return Ok(Known::of_grant(server, grant, renewal, now));
        }
        let needs_login = shelf.needs_login(&facts::server_key(server)).await?;
        Ok(Known::of_state(match (needs_login, renewal) {
            (Some(false), _) => LoginState::NotRequired,
            (_, Renewal::Itself) => LoginState::Unattended,
            (Some(true), _) => LoginState::LoginRequired,
            (None, _) => LoginState::Unknown,
        }))
    }

    /// Whether a failure concerns the file it names and not the store as a whole.
    pub(crate) fn is_of_one_record(&self, error: &StoreError) -> bool {
        match error {
            StoreError::UnsafeFile { path, .. } | StoreError::Io { path, .. } => {
                path != Path::new(&self.store().describe().location)
            }
            StoreError::InTheWay { .. } | StoreError::LockTimeout { .. } => true,
            _ => false,
        }
    }
}

fn started_until(server: &ServerConfig, shelf: &Shelf<'_>, now: SystemTime) -> Option<String> {
    let until = shelf
        .login(&grant_key(server))?
        .pending
        .as_ref()?
        .expires_at;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (now.as_secs() < until).then(|| rfc3339_of(until))?
}

fn auth_status(
    server: &ServerConfig,
    is_default: bool,
    known: Known,
    store: StoreStatus,
    now: SystemTime,
) -> AuthStatus {
    let Known {
        state,
        reason,
        code,
        grant,
    } = known;
    let grant = grant.as_deref();
    let scopes = grant.map(|grant| {
        grant
            .granted_scopes
            .clone()
            .unwrap_or_else(|| grant.requested_scopes.clone())
    });
    AuthStatus {
        status: state,
        flow: (state != LoginState::BearerEnv).then(|| server.oauth.flow.as_str()),
        reason,
        code,
        expires_at: grant
            .and_then(|grant| grant.expires_at)
            .and_then(rfc3339_of),
        expires_in_sec: grant
            .and_then(|grant| grant.expires_at)
            .and_then(|until| seconds_until(until, now)),
        refreshable: grant.is_some_and(|grant| grant.refresh_token.is_some()),
        token_type: grant
            .filter(|grant| grant.access_token.is_some())
            .map(|grant| grant.token_type.clone()),
        scopes: scopes.unwrap_or_default(),
        issuer: grant.map(|grant| grant.issuer.clone()),
        resource: grant.and_then(|grant| grant.resource.clone()),
        resource_match: grant
            .and_then(|grant| grant.resource.as_deref())
            .and_then(|resource| {
                let rule = ResourceRule::new(Source::PathWellKnown, ResourceMatch::Parent);
                let kind = validate_resource(&ResourceId::new(resource), &server.url, rule).ok()?;
                Some(kind.as_str())
            }),
        account: server.account.clone(),
        is_default,
        account_label: grant.and_then(|grant| grant.account_label.clone()),
        client_id: grant.map(|grant| grant.client_id.clone()),
        proof: grant.map(|grant| grant.proof.as_str()),
        last_error: grant.and_then(|grant| grant.last_error.clone()),
        started_until: None,
        store,
    }
}

/// From now on until a time in seconds since 1970.
fn seconds_until(until: u64, now: SystemTime) -> Option<i64> {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    i64::try_from(until)
        .ok()?
        .checked_sub(i64::try_from(now).ok()?)
}

#[cfg(test)]
mod tests;
