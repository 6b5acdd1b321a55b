//! What a `TokenSource` consists of, and the current grant in it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use doorkey_discovery::{Challenges, Issuer, Scopes};
use doorkey_http::HttpClient;
use doorkey_store::{Grant, GrantKey, Store, Stored};
use http::{HeaderValue, Method};
use secrecy::SecretString;
use url::Url;

use super::backoff::Backoff;
use super::brake::Brake;
use super::builder::TokenSourceBuilder;
use super::class;
use super::flight::{Flights, Tasks};
use super::held::Held;
use super::identity_epoch::Identities;
use super::newest::{Newest, newest};
use super::notice::Looked;
use crate::access_token::AccessToken;
use crate::clock::Clock;
use crate::config::AuthorizationConfig;
use crate::dpop::{Nonces, Proven};
use crate::error::{Error, LoginReason};
use crate::events::tell;
use crate::interaction::{Deny, Interaction};
use crate::quirk::QuirkExplanation;
use crate::random::Random;
use crate::report::LoginReport;
use crate::resource;
use crate::shared::lock;
use crate::sign_in::Parts;
use crate::sign_in::ahead::AskedAhead;

/// The one owner of a grant's tokens. Its behaviour lives in the modules beside this one.
///
/// A gateway holds thousands of them, so that what is rare is not kept in place.
pub(super) struct Inner {
    pub(super) config: AuthorizationConfig,
    pub(super) http: HttpClient,
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) interaction: Option<Arc<dyn Interaction>>,
    pub(super) key: GrantKey,
    pub(super) refreshes: Arc<Flights<Arc<Held>>>,
    pub(super) recoveries: Arc<Flights<Arc<Held>>>,
    pub(super) logins: Arc<Flights<LoginReport>>,
    pub(super) tasks: Tasks,
    /// The nonces of authorization servers and of the resource, apart (DP-14).
    pub(super) server_nonces: Nonces,
    pub(super) resource_nonces: Nonces,
    /// The JWT that an authorization server refused: it is not sent again (WIF-05).
    pub(super) refused_assertion: Mutex<Option<Box<(SecretString, Error)>>>,
    /// A sign-on at an identity provider that the store did not take.
    pub(super) unsaved_identity: Mutex<Option<Box<Grant>>>,
    /// The authorization server that the last login went to, whatever came of it.
    last_issuer: Mutex<Option<Issuer>>,
    /// What the login that comes next asked for already.
    pub(super) ahead: AskedAhead,
    pub(super) backoff: Mutex<Backoff>,
    pub(super) login_brake: Brake,
    pub(super) refresh_brake: Brake,
    /// Scope sets a person refused lately, and when (UP-06).
    pub(super) refused_scopes: Mutex<Vec<(Scopes, SystemTime)>>,
    /// Held by who tries again to save what only memory has.
    pub(super) saving: Arc<tokio::sync::Mutex<()>>,
    /// When the store was last looked at for changes of other processes.
    pub(super) looked: Looked,
    /// Whose grant it is.
    pub(super) identities: Identities,
    /// What the client is held to.
    pub(super) pin: class::Pin,
    current: ArcSwapOption<Held>,
    /// How often the current grant was forgotten. Locked by all who change it, not by who reads it.
    epoch: Mutex<Epoch>,
    problem: Mutex<Option<Box<Error>>>,
}

impl Inner {
    pub(super) fn new(builder: TokenSourceBuilder) -> Self {
        Self {
            key: builder.config.grant_key(),
            config: builder.config,
            http: builder.http,
            store: builder.store,
            clock: builder.clock,
            random: builder.random,
            interaction: builder.interaction,
            refreshes: Arc::new(Flights::new()),
            recoveries: Arc::new(Flights::new()),
            logins: Arc::new(Flights::new()),
            tasks: Tasks::default(),
            server_nonces: Nonces::default(),
            resource_nonces: Nonces::default(),
            refused_assertion: Mutex::new(None),
            unsaved_identity: Mutex::new(None),
            last_issuer: Mutex::new(None),
            ahead: AskedAhead::default(),
            backoff: Mutex::new(Backoff::default()),
            login_brake: Brake::default(),
            refresh_brake: Brake::default(),
            refused_scopes: Mutex::new(Vec::new()),
            saving: Arc::default(),
            looked: Looked::default(),
            identities: Identities::default(),
            pin: class::Pin::default(),
            current: ArcSwapOption::empty(),
            epoch: Mutex::new(Epoch(0)),
            problem: Mutex::new(None),
        }
    }

    /// The token that may be handed out without a thought. Takes no lock.
    pub(super) fn fresh(&self) -> Option<AccessToken> {
        let current = self.current.load();
        current.as_ref()?.fresh_token(self.clock.now()).cloned()
    }

    pub(super) fn current(&self) -> Option<Arc<Held>> {
        self.current.load_full()
    }

    /// The current grant, read from the store when there is none in memory.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::LoginRequired`] when what is stored is not what is configured.
    pub(super) async fn current_or_stored(&self) -> Result<Option<Arc<Held>>, Error> {
        match self.current() {
            Some(held) => Ok(Some(held)),
            None => Box::pin(self.take_over(None)).await,
        }
    }

    /// Takes over what the store has, if the current grant still is `known` by then.
    pub(super) async fn take_over(
        &self,
        known: Option<&Arc<Held>>,
    ) -> Result<Option<Arc<Held>>, Error> {
        let epoch = self.epoch();
        if let Newest::Other(held) = newest(known, self.stored().await)? {
            self.replace(known, *held, epoch);
        }
        Ok(self.current())
    }

    /// Makes `held` the current grant if the current one is `known` and was not forgotten since
    /// `epoch`.
    pub(super) fn replace(&self, known: Option<&Arc<Held>>, held: Held, epoch: Epoch) {
        let now = lock(&self.epoch);
        let same = match (self.current(), known) {
            (None, None) => true,
            (Some(current), Some(known)) => Arc::ptr_eq(&current, known),
            _ => false,
        };
        if same && *now == epoch {
            self.set(Arc::new(held));
        }
    }

    /// Makes `held` the current grant. The caller holds the lock of the epoch.
    fn set(&self, held: Arc<Held>) {
        class::pin(self, &held.grant);
        self.identities.note(&held.grant);
        self.looked.at(self.clock.now());
        self.current.store(Some(held));
    }

    /// Makes the next version of the current grant the current one. Only who holds the grant's lock
    /// does so. A grant that was forgotten meanwhile stays so: it has no next version.
    pub(super) fn publish(&self, held: Held) -> Arc<Held> {
        let held = Arc::new(held);
        let _epoch = lock(&self.epoch);
        if self.current.load().is_some() {
            self.set(Arc::clone(&held));
        }
        held
    }

    /// Makes what was read from the store the current grant. `None`: the grant was forgotten since
    /// `epoch`, so what was read before is no more.
    pub(super) fn publish_read(&self, held: Held, epoch: Epoch) -> Option<Arc<Held>> {
        let now = lock(&self.epoch);
        (*now == epoch).then(|| {
            let held = Arc::new(held);
            self.set(Arc::clone(&held));
            held
        })
    }

    /// Makes the grant of a login the current one, whatever was before.
    pub(super) fn publish_login(&self, held: Held) {
        let _epoch = lock(&self.epoch);
        self.set(Arc::new(held));
    }

    /// Ends the use of the current grant, also by who read it from the store before this.
    pub(super) fn forget(&self) {
        let mut epoch = lock(&self.epoch);
        self.end(&mut epoch);
    }

    /// The same, unless the current grant is another one by now.
    pub(super) fn forget_if(&self, known: &Arc<Held>) {
        let mut epoch = lock(&self.epoch);
        if self
            .current
            .load()
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(held, known))
        {
            self.end(&mut epoch);
        }
    }

    fn end(&self, epoch: &mut Epoch) {
        epoch.0 += 1;
        self.current.store(None);
        self.identities.end();
        class::forget(self);
    }

    /// The time between two forgettings that it is now.
    pub(super) fn epoch(&self) -> Epoch {
        *lock(&self.epoch)
    }

    /// Whether a stored grant is what the configuration asks for (ST-02).
    pub(super) fn check_grant(&self, grant: &Grant) -> Result<(), Error> {
        let checked = self.config.check(grant);
        checked.map_err(|reason| self.login_required(reason, None))
    }

    /// The stored grant, if there is one that is what the configuration asks for.
    pub(super) async fn stored(&self) -> Result<Option<Stored<Grant>>, Error> {
        self.fitting(self.store.grant(&self.key).await?)
    }

    /// The same for who would forget a grant that is absent: one that a newer version wrote is an error.
    pub(super) async fn stored_or_newer(&self) -> Result<Option<Stored<Grant>>, Error> {
        self.fitting(self.store.known_grant(&self.key).await?)
    }

    fn fitting(&self, stored: Option<Stored<Grant>>) -> Result<Option<Stored<Grant>>, Error> {
        if let Some(stored) = &stored {
            self.check_grant(&stored.value)?;
        }
        Ok(stored)
    }

    pub(super) fn login_required(&self, reason: LoginReason, cause: Option<Error>) -> Error {
        Error::LoginRequired {
            server: Box::new(resource::without_secrets(&self.config.server)),
            reason,
            challenges: Challenges::default(),
            cause: cause.map(Box::new),
        }
    }

    /// What a quirk knows of a refusal of the server that the last login went to, else of the one that the grant
    /// came from.
    pub(super) fn explain(&self, error: &Error) -> Option<QuirkExplanation> {
        let issuer = self.issuer();
        let quirks = &self.config.quirks;
        let (quirk, explanation) = quirks.explain(&self.config.server, issuer.as_deref(), error)?;
        Some(QuirkExplanation {
            quirk: quirk.id.clone(),
            means: explanation.means.clone(),
            next: explanation.next.clone(),
        })
    }

    /// The server that the last login went to, else the one that the grant came from.
    pub(super) fn issuer(&self) -> Option<String> {
        let last = lock(&self.last_issuer).clone();
        let granted = || {
            let current = self.current.load();
            current.as_ref().map(|held| held.grant.issuer.clone())
        };
        last.map(|issuer| issuer.as_str().to_owned())
            .or_else(granted)
    }

    pub(super) fn covers(&self, url: &Url) -> bool {
        let current = self.current.load();
        let resource = current
            .as_ref()
            .and_then(|held| held.grant.resource.as_deref());
        resource::covers(&self.config.server, resource, url)
    }

    pub(super) fn accepted(&self, token: &AccessToken) {
        let current = self.current.load();
        if let Some(held) = current.as_ref()
            && held.token() == Some(token)
        {
            held.accept();
        }
    }

    pub(super) fn parts(&self) -> Parts<'_> {
        Parts {
            config: &self.config,
            http: &self.http,
            store: &self.store,
            clock: self.clock.as_ref(),
            random: self.random.as_ref(),
            nonces: &self.server_nonces,
            refused_assertion: &self.refused_assertion,
            unsaved_identity: &self.unsaved_identity,
            last_issuer: &self.last_issuer,
            ahead: &self.ahead,
        }
    }

    /// Whether a token can be had without asking anybody: by a person who is there, or by the
    /// program itself.
    pub(super) fn may_sign_in(&self) -> bool {
        self.interaction.is_some() || self.config.flow.is_unattended()
    }

    /// Whether the token of `held` can be replaced without a login.
    pub(super) fn is_renewable(&self, held: &Held) -> bool {
        if self.config.flow.is_unattended() {
            return held.refusal().is_none();
        }
        held.refresh_token().is_some()
    }

    /// A proof that the bearer of `token` holds its key, for one request; `None` for a bearer token.
    pub(super) fn proof(
        &self,
        token: &AccessToken,
        method: &Method,
        url: &Url,
    ) -> Result<Option<HeaderValue>, Error> {
        let Some(key) = token.key() else {
            return Ok(None);
        };
        let nonce = self.resource_nonces.of(url);
        let proven = Proven {
            method,
            url,
            token: Some(token.secret()),
            nonce: nonce.as_deref(),
        };
        key.proof(proven, self.clock.now(), self.random.as_ref())
            .map(Some)
    }

    pub(super) fn store_problem(&self) -> Option<Error> {
        lock(&self.problem).as_deref().cloned()
    }

    /// Notes whether the store works, so that trouble is survived but never hidden.
    pub(super) fn note_store(&self, problem: Option<Error>) {
        if let Some(problem) = &problem {
            tell::grant_unsaved(&self.config, problem);
        }
        *lock(&self.problem) = problem.map(Box::new);
    }

    /// Notes a failure, so that the next attempt waits a while: longer each time, and as long as the
    /// server asked.
    pub(super) fn wait_after(&self, error: Error) -> Error {
        let now = self.clock.now();
        lock(&self.backoff).failed(error.clone(), now, self.random.as_ref());
        error
    }

    /// Through whom a login may go by itself: a person who is there, or nobody where none is needed.
    pub(super) fn way_in(&self) -> Option<Arc<dyn Interaction>> {
        let nobody = || Arc::new(Deny) as Arc<dyn Interaction>;
        let unattended = self.config.flow.is_unattended();
        self.interaction.clone().or_else(|| unattended.then(nobody))
    }

    /// The failure that says to wait with the next refresh, if it is too early for one.
    pub(super) fn backed_off(&self) -> Option<Error> {
        lock(&self.backoff).active(self.clock.now())
    }
}

/// A time in which the current grant was not forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(u64);

/// How long what was refused lately is remembered.
pub(super) const REFUSAL_MEMORY: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests;
