//! What a warm start remembers of a server, so that it asks for nothing it knows already.

use doorkey_rmcp::{Remembered, Wire};
use doorkey_store::{ServerFacts, Store};
use serde_json::Value;

use crate::config::ServerConfig;
use crate::error::Error;

/// The URL as configured, without a fragment: what records about a server are keyed by.
pub(crate) fn server_key(server: &ServerConfig) -> String {
    let mut url = server.url.clone();
    url.set_fragment(None);
    url.into()
}

/// The wire that worked last time and the server's answer to `server/discover`.
pub(crate) async fn remembered(
    store: &Store,
    server: &ServerConfig,
) -> Result<Option<Remembered>, Error> {
    let facts = store.facts(&server_key(server)).await?;
    Ok(facts.and_then(|stored| {
        let wire: Wire = stored.value.wire?.parse().ok()?;
        Some(Remembered::new(wire).with_discover(stored.value.discover))
    }))
}

/// Keeps what a connection showed. Only convenience is lost when that fails, so it is logged.
pub(crate) async fn remember(
    store: &Store,
    server: &ServerConfig,
    wire: Wire,
    discover: Option<&Value>,
) {
    let change = |facts: &mut ServerFacts| {
        facts.wire = Some(wire.as_str().to_owned());
        facts.discover = discover.cloned();
    };
    update(store, server, change).await;
}

/// Keeps whether the server asked for a login when nobody was signed in.
pub(crate) async fn remember_need(store: &Store, server: &ServerConfig, needs_login: bool) {
    update(store, server, |facts| facts.needs_login = Some(needs_login)).await;
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

/// Another process that writes at the same time writes the same.
const ATTEMPTS: usize = 3;
