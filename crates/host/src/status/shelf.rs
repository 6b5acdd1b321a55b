//! The records that the status of every login is made of, each read once.

use std::collections::BTreeMap;
use std::sync::Arc;

use doorkey_store::{Error as StoreError, Grant, GrantKey, Login, ServerFacts, Store};
use tokio::sync::OnceCell;

/// What the store has of grants and of logins that were started.
pub(super) struct Shelf<'a> {
    store: &'a Store,
    grants: BTreeMap<GrantKey, Arc<Grant>>,
    logins: BTreeMap<GrantKey, Login>,
    /// Whether every grant could be read: what is not here is then not there.
    is_whole: bool,
    /// What is remembered of every server, for a command that shows them all.
    facts: Option<OnceCell<Option<BTreeMap<String, ServerFacts>>>>,
}

impl<'a> Shelf<'a> {
    /// A login record that cannot be read is no login that could be finished; the store reports it.
    pub(super) async fn read(store: &'a Store) -> Result<Self, StoreError> {
        let grants = store.grants().await?;
        let logins = store.logins().await.unwrap_or_default();
        Ok(Self {
            store,
            is_whole: grants.problems.is_empty(),
            grants: grants
                .entries
                .into_iter()
                .map(|(key, stored)| (key, Arc::new(stored.value)))
                .collect(),
            logins: logins
                .entries
                .into_iter()
                .map(|(key, stored)| (key, stored.value))
                .collect(),
            facts: None,
        })
    }

    /// The same for a command that shows every server: what is remembered of them is read all at once, for the first
    /// one that has no login.
    pub(super) fn of_every_server(mut self) -> Self {
        self.facts = Some(OnceCell::new());
        self
    }

    /// Whether a server was found to need a login, if anybody has looked.
    pub(super) async fn needs_login(&self, server: &str) -> Result<Option<bool>, StoreError> {
        if let Some(facts) = &self.facts
            && let Some(facts) = facts.get_or_init(|| self.all_facts()).await
        {
            return Ok(facts.get(server).and_then(|facts| facts.needs_login));
        }
        let stored = self.store.facts(server).await?;
        Ok(stored.and_then(|stored| stored.value.needs_login))
    }

    /// What is remembered of every server. Where one cannot be read, each is asked for, and tells for itself.
    async fn all_facts(&self) -> Option<BTreeMap<String, ServerFacts>> {
        let read = self.store.all_facts().await.ok()?;
        let entries = read.entries.into_iter();
        let entries = entries.map(|(url, stored)| (url, stored.value));
        read.problems.is_empty().then(|| entries.collect())
    }

    /// The grant of that key; the error is one of this record, or of a store that went away.
    pub(super) async fn grant(&self, key: &GrantKey) -> Result<Option<Arc<Grant>>, StoreError> {
        if let Some(grant) = self.grants.get(key) {
            return Ok(Some(Arc::clone(grant)));
        }
        if self.is_whole {
            return Ok(None);
        }
        let stored = self.store.grant(key).await?;
        Ok(stored.map(|stored| Arc::new(stored.value)))
    }

    /// What is known of the logins of that account.
    pub(super) fn login(&self, key: &GrantKey) -> Option<&Login> {
        self.logins.get(key)
    }

    /// The accounts with a grant at the server of that URL, by name.
    pub(super) fn accounts(&self, server: &str) -> impl Iterator<Item = &str> {
        let first = GrantKey::new(server, "");
        let keys = self.grants.range(first..).map(|(key, _)| key);
        keys.take_while(move |key| key.server == server)
            .map(|key| key.account.as_str())
    }
}
