//! Logout: what is stored is revoked and removed, whatever the configuration says by now (REV-*).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use doorkey_oauth::{Error as AuthorizationError, LogoutOptions, LogoutReport, StepOutcome};
use doorkey_store::{Error as StoreError, UnsafeFile};

use super::{Host, grant_key, identity_key};
use crate::config::{FlowSettings, ServerConfig};
use crate::error::Error;
use crate::facts;
use crate::target::Target;

/// What became of a logout.
#[derive(Debug)]
#[non_exhaustive]
pub enum Logout {
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
    /// whatever the network says. It goes by what is stored: a login from before the server was
    /// given a bearer token is revoked too.
    ///
    /// # Errors
    /// There is no such server, it uses a configured bearer token and no login is stored for it, or
    /// the store fails.
    pub async fn logout(
        &self,
        target: impl Into<Target<'_>>,
        options: LogoutOptions,
    ) -> Result<Logout, Error> {
        let server = &self.server(target.into())?;
        let name = server.name.as_str();
        let outcome = match self.stored_login(server) {
            Ok(tokens) => {
                let report =
                    tokens
                        .logout(options)
                        .await
                        .map_err(|source| Error::Authorization {
                            what: "sign out of",
                            server: name.to_owned(),
                            source: source.into(),
                        })?;
                self.without_link(report)?
            }
            Err(cause) if cause.is_of_settings() => self.remove_local(server, cause).await?,
            Err(error) => return Err(error),
        };
        facts::forget_private(&self.store, server).await;
        match server.bearer_key() {
            Some(key) if !outcome.found_login() => Err(Error::BearerConfigured {
                server: name.to_owned(),
                key,
            }),
            _ => Ok(outcome),
        }
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

    async fn remove_local(&self, server: &ServerConfig, cause: Error) -> Result<Logout, Error> {
        let key = grant_key(server);
        let removed = match self.store.grant(&key).await {
            Ok(Some(stored)) => {
                self.store.remove_grant(&key, stored.generation).await?;
                true
            }
            Ok(None) => false,
            Err(error) => match self.link_of(&error) {
                Some(link) => return remove_link(link),
                None => return Err(error.into()),
            },
        };
        self.store.discard_set_aside_grants(&key).await?;
        self.remove_sign_on(server).await?;
        Ok(Logout::LocalOnly { removed, cause })
    }

    /// The sign-on at an identity provider goes too, unless another server of the configuration
    /// lives on it.
    async fn remove_sign_on(&self, server: &ServerConfig) -> Result<(), Error> {
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
        if let Some(stored) = self.store.grant(&key).await? {
            self.store.remove_grant(&key, stored.generation).await?;
        }
        Ok(())
    }

    fn without_link(&self, report: LogoutReport) -> Result<Logout, Error> {
        if let StepOutcome::Failed(AuthorizationError::Store(error)) = &report.removed_local
            && let Some(link) = self.link_of(error)
        {
            return remove_link(link);
        }
        Ok(Logout::Complete(Box::new(report)))
    }

    /// The link in place of a grant, if that is all that is wrong. It is never followed, and taking
    /// it away harms nothing.
    fn link_of<'a>(&self, error: &'a StoreError) -> Option<&'a Path> {
        let folder = PathBuf::from(self.store.describe().location);
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
}

impl Logout {
    /// Whether anything was stored that a person would call a login.
    fn found_login(&self) -> bool {
        match self {
            Self::Complete(report) => !matches!(report.removed_local, StepOutcome::NothingToDo),
            Self::LocalOnly { removed, .. } => *removed,
            Self::LinkRemoved { .. } => true,
        }
    }
}

fn remove_link(link: &Path) -> Result<Logout, Error> {
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
    Ok(Logout::LinkRemoved {
        link: link.to_owned(),
    })
}
