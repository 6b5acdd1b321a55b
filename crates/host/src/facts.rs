//! What a warm start remembers of a server, so that it asks for nothing it knows already.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use doorkey_oauth::Challenges;
use doorkey_rmcp::{Discovery, Remembered, Wire};
use doorkey_store::{ServerFacts, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::ServerConfig;
use crate::error::Error;

/// The URL as configured, without a fragment: what records about a server are keyed by.
pub(crate) fn server_key(server: &ServerConfig) -> String {
    let mut url = server.url.clone();
    url.set_fragment(None);
    url.into()
}

/// The wire that worked last time and, if the server allows it to this account, its answer to `server/discover`.
pub(crate) async fn remembered(
    store: &Store,
    server: &ServerConfig,
) -> Result<Option<Remembered>, Error> {
    let facts = store.facts(&server_key(server)).await?;
    Ok(facts.and_then(|stored| {
        let wire: Wire = stored.value.wire.as_deref()?.parse().ok()?;
        let answer = Answers::of(&stored.value).for_account(&server.account);
        Some(Remembered::new(wire).with_discover(answer))
    }))
}

/// Keeps what a connection showed. Only convenience is lost when that fails, so it is logged.
pub(crate) async fn remember(
    store: &Store,
    server: &ServerConfig,
    wire: Wire,
    discover: Option<&Discovery>,
) {
    let now = SystemTime::now();
    let change = |facts: &mut ServerFacts| {
        facts.wire = Some(wire.as_str().to_owned());
        let mut answers = Answers::of(facts);
        answers.replace(&server.account, discover);
        answers.retain_fresh(now);
        answers.write(facts);
    };
    update(store, server, change).await;
}

/// Forgets what the server said to the account alone: somebody else may be behind it from now on.
pub(crate) async fn forget_private(store: &Store, server: &ServerConfig) {
    let change = |facts: &mut ServerFacts| {
        let mut answers = Answers::of(facts);
        answers.private.remove(&server.account);
        answers.write(facts);
    };
    update(store, server, change).await;
}

/// Keeps whether the server asked for a login when nobody was signed in.
pub(crate) async fn remember_need(store: &Store, server: &ServerConfig, needs_login: bool) {
    update(store, server, |facts| facts.needs_login = Some(needs_login)).await;
}

/// Keeps the challenge of a request that a login does not try, such as a tool call, for the login that follows.
pub(crate) async fn remember_late_challenge(
    store: &Store,
    server: &ServerConfig,
    challenges: &Challenges,
) {
    let shown = challenges.shown();
    let change = |facts: &mut ServerFacts| {
        facts.needs_login = Some(true);
        facts.late_challenge = Some(shown.clone());
    };
    update(store, server, change).await;
}

/// The challenge that a request met which a login does not try.
pub(crate) async fn late_challenge(
    store: &Store,
    server: &ServerConfig,
) -> Result<Option<Challenges>, Error> {
    let facts = store.facts(&server_key(server)).await?;
    let text = facts.and_then(|stored| stored.value.late_challenge);
    Ok(text.map(|text| Challenges::parse([text.as_str()])))
}

/// Forgets a server.
pub(crate) async fn forget(store: &Store, server: &ServerConfig) -> Result<(), Error> {
    let key = server_key(server);
    if let Some(stored) = store.facts(&key).await? {
        store.remove_facts(&key, stored.generation).await?;
    }
    Ok(())
}

async fn update(store: &Store, server: &ServerConfig, change: impl Fn(&mut ServerFacts)) {
    let key = server_key(server);
    for _ in 0..ATTEMPTS {
        let outcome = async {
            let stored = store.facts(&key).await?;
            let (before, generation) = match stored {
                Some(stored) => (stored.value, Some(stored.generation)),
                None => (ServerFacts::default(), None),
            };
            let mut facts = before.clone();
            change(&mut facts);
            if facts == before {
                return Ok(());
            }
            store.save_facts(&key, &facts, generation).await.map(|_| ())
        };
        match outcome.await {
            Ok(()) => return,
            Err(error) if error.is_conflict() => {}
            Err(error) => {
                tracing::warn!(%error, server = %server.name, "cannot remember the server");
                return;
            }
        }
    }
}

/// The answers of one server to `server/discover`, as they are kept in [`ServerFacts::discover`]: one for everybody, or one
/// for each account that asked, as the server said.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Answers {
    #[serde(skip_serializing_if = "Option::is_none")]
    public: Option<Kept>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    private: BTreeMap<String, Kept>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Kept {
    answer: Value,
    /// In seconds since the Unix epoch.
    received_at: u64,
}

impl Answers {
    /// What can be read; anything else is as good as nothing.
    fn of(facts: &ServerFacts) -> Self {
        let kept = facts.discover.clone();
        kept.and_then(|kept| serde_json::from_value(kept).ok())
            .unwrap_or_default()
    }

    fn write(&self, facts: &mut ServerFacts) {
        let is_empty = self.public.is_none() && self.private.is_empty();
        facts.discover = serde_json::to_value(self).ok().filter(|_| !is_empty);
    }

    fn for_account(&self, account: &str) -> Option<Discovery> {
        let kept = self.private.get(account).or(self.public.as_ref());
        kept.map(Kept::discovery)
    }

    /// Puts an answer in the place of what was kept for `account` before.
    fn replace(&mut self, account: &str, discover: Option<&Discovery>) {
        self.private.remove(account);
        self.public = None;
        match discover {
            Some(discovery) if discovery.is_public() => self.public = Some(Kept::of(discovery)),
            Some(discovery) => {
                self.private.insert(account.to_owned(), Kept::of(discovery));
            }
            None => {}
        }
    }

    /// What may not be used any more, or never, is not kept.
    fn retain_fresh(&mut self, now: SystemTime) {
        let is_fresh = |kept: &Kept| kept.discovery().is_fresh(now);
        self.public.take_if(|kept| !is_fresh(kept));
        self.private.retain(|_, kept| is_fresh(kept));
    }
}

impl Kept {
    fn of(discovery: &Discovery) -> Self {
        let received = discovery.received_at.duration_since(UNIX_EPOCH);
        Self {
            answer: discovery.answer.clone(),
            received_at: received.unwrap_or_default().as_secs(),
        }
    }

    fn discovery(&self) -> Discovery {
        // A time that cannot be is as old as can be.
        let received = UNIX_EPOCH.checked_add(Duration::from_secs(self.received_at));
        Discovery::new(self.answer.clone(), received.unwrap_or(UNIX_EPOCH))
    }
}

/// Another process that writes at the same time writes the same.
const ATTEMPTS: usize = 3;

#[cfg(test)]
mod tests;
