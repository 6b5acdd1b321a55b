//! Logout: what is stored is revoked and removed, whatever the configuration says by now (REV-*).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use doorkey_oauth::{
    Error as AuthorizationError, LogoutOptions, LogoutReport, StepOutcome, TokenSource,
};
use doorkey_store::{Error as StoreError, Store, UnsafeFile};

use super::{Host, grant_key, identity_key};
use crate::config::{FlowSettings, ServerConfig};
use crate::error::Error;
use crate::facts;
use crate::stores::StoreKind;
use crate::target::Target;

/// What became of a logout.
#[derive(Debug)]
#[non_exhaustive]
pub struct Logout {
    /// The login that is in use.
    pub login: LogoutOutcome,
    /// What other stores of this machine had of the same account at the same server.
    pub copies: Vec<RemovedCopy>,
}

/// A copy of a login in another store than the one in use.
#[derive(Debug)]
#[non_exhaustive]
pub struct RemovedCopy {
    /// The store.
    pub kind: StoreKind,
    /// Where it is.
    pub location: String,
    /// What became of it; an error is a store that could not be looked into, or a copy that is still there.
    pub outcome: Result<LogoutOutcome, Error>,
}

/// What became of one login.
#[derive(Debug)]
#[non_exhaustive]
pub enum LogoutOutcome {
    /// Each step with its outcome.
    Complete(Box<LogoutReport>),
    /// The settings cannot be used, so that nothing could be revoked; the local copy is gone.
    LocalOnly {
        /// Whether there was a login.
        removed: bool,
        /// Why nothing was revoked.
        cause: Error,
    },
    /// There was a symbolic link where the login should be: the link is gone, what it pointed to is
    /// as it was, and nothing was revoked.
    LinkRemoved {
        /// The link.
        link: PathBuf,
    },
}

impl Host {
    /// Signs out: revokes what the authorization server can revoke and removes every local copy,
    /// whatever the network says, those in other stores of this home included. It goes by what is stored: a
    /// login from before the server was given a bearer token is revoked too.
    ///
    /// # Errors
    /// There is no such server, it uses a configured bearer token and no login is stored for it, or
    /// the store fails. Trouble with another store is part of the answer.
    pub async fn logout(
        &self,
        target: impl Into<Target<'_>>,
        options: LogoutOptions,
    ) -> Result<Logout, Error> {
        let server = &self.server(target.into())?;
        // Whatever becomes of the login itself.
        let copies = self.remove_copies(server, options).await;
        let login = self.logout_of(server, options).await?;
        facts::forget_private(&self.store, server).await;
        match server.bearer_key() {
            Some(key) if !login.found_login() && copies.is_empty() => {
                Err(Error::BearerConfigured {
                    server: server.name.clone(),
                    key,
                })
            }
            _ => Ok(Logout { login, copies }),
        }
    }

    async fn logout_of(
        &self,
        server: &ServerConfig,
        options: LogoutOptions,
    ) -> Result<LogoutOutcome, Error> {
        match self.stored_login(server) {
            Ok(tokens) => sign_out(&tokens, server, &self.store, options).await,
            Err(cause) if cause.is_of_settings() => {
                self.remove_local(server, &self.store, cause).await
            }
            Err(error) => Err(error),
        }
    }

    /// A copy may be another login than the one in use, so it is revoked as well.
    async fn remove_copies(
        &self,
        server: &ServerConfig,
        options: LogoutOptions,
    ) -> Vec<RemovedCopy> {
        let mut copies = Vec::new();
        for (kind, store) in self.unused_stores() {
            let outcome = match store {
                Ok(store) => self.remove_copy(server, &store, options).await,
                Err(error) => Err(error),
            };
            if let Some(outcome) = outcome.transpose() {
                copies.push(RemovedCopy {
                    kind,
                    location: self.stores().location(kind),
                    outcome,
                });
            }
        }
        copies
    }

    async fn remove_copy(
        &self,
        server: &ServerConfig,
        store: &Store,
        options: LogoutOptions,
    ) -> Result<Option<LogoutOutcome>, Error> {
        let key = grant_key(server);
        if store.grant(&key).await?.is_none() {
            // What is left of one, or of a login that was started there, may still hold a secret.
            store.erase_grant(&key, ERASE_LIMIT).await?;
            self.remove_sign_on(server, store).await?;
            return Ok(None);
        }
        let outcome = match self.login_in(server, store.clone()) {
            Ok(tokens) => sign_out(&tokens, server, store, options).await?,
            Err(cause) if cause.is_of_settings() => self.remove_local(server, store, cause).await?,
            Err(error) => return Err(error),
        };
        Ok(Some(outcome))
    }

    /// The other servers that are signed in to by the same login: same URL, same account, no bearer
    /// token of their own. A logout of one is a logout of all.
    ///
    /// # Errors
    /// There is no such server.
    pub fn sharing_login<'a>(&self, target: impl Into<Target<'a>>) -> Result<Vec<&str>, Error> {
        let server = self.server(target.into())?;
        let (name, key) = (&server.name, grant_key(&server));
        let others = self.config.servers().iter().filter(|other| {
            other.name != *name && other.bearer_key().is_none() && grant_key(other) == key
        });
        Ok(others.map(|other| other.name.as_str()).collect())
    }

    async fn remove_local(
        &self,
        server: &ServerConfig,
        store: &Store,
        cause: Error,
    ) -> Result<LogoutOutcome, Error> {
        let key = grant_key(server);
        let removed = match store.grant(&key).await {
            Ok(Some(stored)) => {
                store.remove_grant(&key, stored.generation).await?;
                true
            }
            Ok(None) => false,
            Err(error) => match link_of(store, &error) {
                Some(link) => return remove_link(link),
                None => return Err(error.into()),
            },
        };
        // With all that was set aside of it, and with a login that was started.
        store.erase_grant(&key, ERASE_LIMIT).await?;
        self.remove_sign_on(server, store).await?;
        Ok(LogoutOutcome::LocalOnly { removed, cause })
    }

    /// The sign-on at an identity provider goes too, unless another server of the configuration
    /// lives on it.
    async fn remove_sign_on(&self, server: &ServerConfig, store: &Store) -> Result<(), Error> {
        let key_of = |server: &ServerConfig| match &server.oauth.flow {
            FlowSettings::EnterpriseManaged(provider) => Some(identity_key(server, provider)),
            _ => None,
        };
        let Some(key) = key_of(server) else {
            return Ok(());
        };
        let mut others = self.config.servers().iter();
        if others.any(|other| other.name != server.name && key_of(other).as_ref() == Some(&key)) {
            return Ok(());
        }
        store.erase_grant(&key, ERASE_LIMIT).await?;
        Ok(())
    }
}

async fn sign_out(
    tokens: &TokenSource,
    server: &ServerConfig,
    store: &Store,
    options: LogoutOptions,
) -> Result<LogoutOutcome, Error> {
    let report = tokens
        .logout(options)
        .await
        .map_err(|source| Error::Authorization {
            what: "sign out of",
            server: server.name.clone(),
            source: source.into(),
        })?;
    if let StepOutcome::Failed(AuthorizationError::Store(error)) = &report.removed_local
        && let Some(link) = link_of(store, error)
    {
        return remove_link(link);
    }
    Ok(LogoutOutcome::Complete(Box::new(report)))
}

/// The link in place of a grant, if that is all that is wrong. It is never followed, and taking
/// it away harms nothing.
fn link_of<'a>(store: &Store, error: &'a StoreError) -> Option<&'a Path> {
    let folder = PathBuf::from(store.describe().location);
    match error {
        StoreError::UnsafeFile {
            path,
            why: UnsafeFile::SymbolicLink,
        } if path.parent() == Some(&folder)
            && path
                .extension()
                .is_some_and(|extension| extension == "json") =>
        {
            Some(path)
        }
        _ => None,
    }
}

impl LogoutOutcome {
    /// Whether anything was stored that a person would call a login.
    fn found_login(&self) -> bool {
        match self {
            Self::Complete(report) => !matches!(report.removed_local, StepOutcome::NothingToDo),
            Self::LocalOnly { removed, .. } => *removed,
            Self::LinkRemoved { .. } => true,
        }
    }
}

fn remove_link(link: &Path) -> Result<LogoutOutcome, Error> {
    let removed = fs::symlink_metadata(link).and_then(|found| {
        if found.is_symlink() {
            fs::remove_file(link)
        } else {
            Err(io::Error::other("it is no symbolic link any more"))
        }
    });
    removed.map_err(|source| {
        Error::Store(StoreError::Io {
            action: "remove",
            path: link.to_owned(),
            source,
        })
    })?;
    Ok(LogoutOutcome::LinkRemoved {
        link: link.to_owned(),
    })
}

/// How long somebody who refreshes or signs in with a store is waited for, until a logout says that it is not done.
const ERASE_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);
