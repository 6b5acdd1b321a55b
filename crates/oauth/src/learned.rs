//! What is learned of an authorization server in use and remembered for every login there: how clients
//! with a secret have to authenticate, where that differs from what it says (TOK-05).

use doorkey_store::{ClientAuthMethod, IssuerFacts, Store};

use crate::client::Client;

/// What was learned of that issuer. A store that fails costs one more request, nothing else.
async fn method(store: &Store, issuer: &str) -> Option<ClientAuthMethod> {
    match store.issuer_facts(issuer).await {
        Ok(facts) => facts.and_then(|facts| facts.value.client_auth_method),
        Err(error) => {
            tracing::debug!(%error, "what is known of an issuer could not be read");
            None
        }
    }
}

/// Lets a client that would authenticate by HTTP Basic do as the issuer was found to want it.
pub(crate) async fn apply(store: &Store, issuer: &str, mut client: Client) -> Client {
    let may = client.method == ClientAuthMethod::Basic && client.secret.is_some() && !client.sticks;
    if may && method(store, issuer).await == Some(ClientAuthMethod::Post) {
        client.method = ClientAuthMethod::Post;
        client.learned_at = Some(issuer.to_owned());
    }
    client
}

/// Remembers that the issuer refused one way to authenticate and took the other.
pub(crate) async fn remember(
    store: &Store,
    issuer: &str,
    refused: ClientAuthMethod,
    worked: ClientAuthMethod,
) {
    if worked != refused {
        change(store, issuer, Some(worked)).await;
    }
}

/// Forgets what was learned: the issuer refuses a client that does so, so the next login tries what its
/// metadata say.
pub(crate) async fn forget(store: &Store, issuer: &str) {
    change(store, issuer, None).await;
}

async fn change(store: &Store, issuer: &str, learned: Option<ClientAuthMethod>) {
    let outcome = async {
        let stored = store.issuer_facts(issuer).await?;
        let (mut facts, generation) = match stored {
            Some(stored) => (stored.value, Some(stored.generation)),
            None => (IssuerFacts::default(), None),
        };
        if facts.client_auth_method == learned {
            return Ok(());
        }
        facts.client_auth_method = learned;
        let saved = store.save_issuer_facts(issuer, &facts, generation);
        saved.await.map(drop)
    };
    if let Err(error) = outcome.await {
        let error: doorkey_store::Error = error;
        tracing::debug!(%error, "what was learned of an issuer could not be remembered");
    }
}
