//! The keys that records are found by: exact strings, computable without the network.

use std::fmt;

use crate::record::Shown;
use crate::{RecordId, RecordKind};

/// The account that a server has when none was named.
pub const DEFAULT_ACCOUNT: &str = "default";

/// Finds a grant: the MCP server's URL as the user configured it, and the account there.
///
/// A warm start computes it without any request. Resource, issuer and client id are fields of the grant, to be verified on use.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct GrantKey {
    /// The URL of the server, character for character as configured.
    pub server: String,
    /// Which of the user's accounts there; [`DEFAULT_ACCOUNT`] if the user has but one.
    pub account: String,
}

impl GrantKey {
    /// The grant of that account at that server.
    pub fn new(server: impl Into<String>, account: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            account: account.into(),
        }
    }

    /// The record it is kept in.
    #[must_use]
    pub fn record_id(&self) -> RecordId {
        RecordId::new(RecordKind::Grant, [&self.server, &self.account])
    }

    /// The key of a grant's record; `None` for a record of another kind or shape.
    #[must_use]
    pub fn from_record_id(id: &RecordId) -> Option<Self> {
        match (id.kind(), id.parts()) {
            (RecordKind::Grant, [server, account]) => Some(Self::new(server, account)),
            _ => None,
        }
    }
}

impl fmt::Debug for GrantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantKey")
            .field("server", &format_args!("{}", Shown(&self.server)))
            .field("account", &format_args!("{}", Shown(&self.account)))
            .finish()
    }
}

/// Finds a registration: the issuer, and the account where it has a registration of its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct RegistrationKey {
    /// The issuer, character for character as the resource or the configuration names it.
    pub issuer: String,
    /// The account whose own registration this is; `None` is the one that accounts share.
    pub account: Option<String>,
}

impl RegistrationKey {
    /// The registration at that issuer which all accounts share.
    pub fn shared(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            account: None,
        }
    }

    /// The registration at that issuer, of that account or (`None`) shared.
    pub fn new(issuer: impl Into<String>, account: Option<String>) -> Self {
        Self {
            issuer: issuer.into(),
            account,
        }
    }

    /// The record it is kept in.
    #[must_use]
    pub fn record_id(&self) -> RecordId {
        RecordId::new(
            RecordKind::Registration,
            std::iter::once(&self.issuer).chain(&self.account),
        )
    }

    /// The key of a registration's record; `None` for a record of another kind or shape.
    #[must_use]
    pub fn from_record_id(id: &RecordId) -> Option<Self> {
        match (id.kind(), id.parts()) {
            (RecordKind::Registration, [issuer]) => Some(Self::shared(issuer)),
            (RecordKind::Registration, [issuer, account]) => {
                Some(Self::new(issuer, Some(account.clone())))
            }
            _ => None,
        }
    }
}

impl fmt::Debug for RegistrationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrationKey")
            .field("issuer", &format_args!("{}", Shown(&self.issuer)))
            .field(
                "account",
                &self
                    .account
                    .as_deref()
                    .map(|account| Shown(account).to_string()),
            )
            .finish()
    }
}

/// The record that the logins of an account are kept in.
pub(crate) fn login_id(key: &GrantKey) -> RecordId {
    RecordId::new(RecordKind::Login, [&key.server, &key.account])
}

/// The key of a login record; `None` for a record of another kind or shape.
pub(crate) fn login_key(id: &RecordId) -> Option<GrantKey> {
    match (id.kind(), id.parts()) {
        (RecordKind::Login, [server, account]) => Some(GrantKey::new(server, account)),
        _ => None,
    }
}

/// The record that the facts of an issuer are kept in.
pub(crate) fn issuer_id(issuer: &str) -> RecordId {
    RecordId::new(RecordKind::Issuer, [issuer])
}

/// The record that the facts of a server are kept in.
pub(crate) fn facts_id(server: &str) -> RecordId {
    RecordId::new(RecordKind::Facts, [server])
}

/// The server of a record of facts; `None` for a record of another kind or shape.
pub(crate) fn facts_server(id: &RecordId) -> Option<String> {
    match (id.kind(), id.parts()) {
        (RecordKind::Facts, [server]) => Some(server.clone()),
        _ => None,
    }
}
