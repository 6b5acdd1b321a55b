//! What a login by a person asks for ahead of the challenge, and connections that are made while they read (DISC-27).

use std::sync::Mutex;
use std::time::Duration;

use doorkey_discovery::{Ahead, Discovery, DiscoveryOptions};
use doorkey_http::{AddressClass, HttpClient, Leg};
use tokio::time::Instant;
use url::Url;

use super::Parts;
use crate::config::AuthorizationConfig;
use crate::shared::lock;

/// The metadata that were asked for ahead of a challenge, for the login that it leads to.
#[derive(Debug, Default)]
pub(crate) struct AskedAhead(Mutex<Option<Box<Asked>>>);

#[derive(Debug)]
struct Asked {
    ahead: Ahead,
    at: Instant,
    /// Of the address that the MCP server answered from.
    class: Option<AddressClass>,
}

impl AskedAhead {
    /// Waits for `asking`, with which a login by a person begins, and asks for the resource metadata beside it.
    pub(crate) async fn beside<T>(
        &self,
        http: &HttpClient,
        config: &AuthorizationConfig,
        asking: impl Future<Output = T>,
    ) -> T {
        let discovery = Discovery::new(http.clone(), config.discovery_options());
        // What is wrong with the URL is said by who asks for more.
        let Ok(mut ahead) = discovery.ahead(&config.server) else {
            return asking.await;
        };
        let at = Instant::now();
        let answer = ahead.beside(asking).await;
        let class = http.resource_class();
        *lock(&self.0) = Some(Box::new(Asked { ahead, at, class }));
        answer
    }

    /// The class of the addresses that the MCP server was asked at, for the login that follows at once.
    pub(crate) fn class(&self) -> Option<AddressClass> {
        let asked = lock(&self.0);
        asked.as_ref().filter(|asked| asked.is_new())?.class
    }

    /// The discovery of the login that follows at once. Any other asks for itself (DISC-19).
    pub(super) fn discovery(&self, http: &HttpClient, options: DiscoveryOptions) -> Discovery {
        let discovery = Discovery::new(http.clone(), options);
        let kept = lock(&self.0).take();
        match kept.filter(|asked| asked.is_new()) {
            Some(asked) => discovery.with_ahead(asked.ahead),
            None => discovery,
        }
    }
}

impl Asked {
    fn is_new(&self) -> bool {
        self.at.elapsed() < FRESH
    }
}

/// Waits for `deciding`, and keeps connections meanwhile to the two servers that are asked next: the token endpoint and
/// the MCP server. They carry nothing until then. One that nobody used for as long as it is kept is made anew, so that
/// none is older than any other that a request finds; a server that ends it earlier does not want it.
pub(super) async fn while_deciding<T>(
    parts: Parts<'_>,
    (leg, token_endpoint): (Leg, &Url),
    deciding: impl Future<Output = T>,
) -> T {
    let keeping = async {
        loop {
            tokio::join!(
                warm(parts.http, leg, token_endpoint),
                warm(parts.http, Leg::Resource, &parts.config.server)
            );
            tokio::time::sleep(HttpClient::IDLE_LIMIT + A_LITTLE).await;
        }
    };
    tokio::select! {
        biased;
        decided = deciding => decided,
        never = keeping => never,
    }
}

/// Makes a connection to the MCP server, if there is none, while the tokens for it are still to be had.
pub(crate) fn warm_resource(http: &HttpClient, config: &AuthorizationConfig) {
    let (http, server) = (http.clone(), config.server.clone());
    // Ends by itself: a connection has its limit.
    drop(tokio::spawn(async move {
        warm(&http, Leg::Resource, &server).await;
    }));
}

async fn warm(http: &HttpClient, leg: Leg, url: &Url) {
    if let Err(error) = http.warm(leg, url).await {
        // Whoever needs the connection says what is wrong with it.
        tracing::debug!(%error, "no connection could be made ahead");
    }
}

/// For how long what was asked ahead is new.
const FRESH: Duration = Duration::from_secs(30);
/// A connection is gone from the pool a moment after its time is over.
const A_LITTLE: Duration = Duration::from_millis(100);
