//! Puts a `TokenSource` together.

use std::sync::Arc;

use doorkey_http::HttpClient;
use doorkey_store::Store;

use crate::clock::{Clock, SystemClock};
use crate::config::AuthorizationConfig;
use crate::interaction::Interaction;
use crate::random::{OsRandom, Random};
use crate::source::inner::Inner;
use crate::source::{Kind, TokenSource};

/// Builds a [`TokenSource`]; everything but the three arguments of [`TokenSource::builder`] has a default.
#[derive(Debug)]
pub struct TokenSourceBuilder {
    pub(super) config: AuthorizationConfig,
    pub(super) http: HttpClient,
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) interaction: Option<Arc<dyn Interaction>>,
}

impl TokenSourceBuilder {
    pub(super) fn new(config: AuthorizationConfig, http: HttpClient, store: Store) -> Self {
        Self {
            config,
            http,
            store,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            interaction: None,
        }
    }

    /// The clock; [`SystemClock`] unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The randomness; [`OsRandom`] unless set.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Lets a rejected request and a step-up reach a person by themselves. Without it both return
    /// [`Error::LoginRequired`](crate::Error::LoginRequired) or
    /// [`Error::InsufficientScope`](crate::Error::InsufficientScope) (law 11).
    #[must_use]
    pub fn interaction(mut self, interaction: Arc<dyn Interaction>) -> Self {
        self.interaction = Some(interaction);
        self
    }

    /// The finished source. Reads nothing yet; a setting that cannot be right shows at first use.
    #[must_use]
    pub fn build(self) -> TokenSource {
        TokenSource(Kind::Granted(Arc::new(Inner::new(self))))
    }
}
