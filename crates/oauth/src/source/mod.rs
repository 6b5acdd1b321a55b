//! `TokenSource`: the one owner of a grant's tokens, from which everybody else borrows.

mod backoff;
mod brake;
mod builder;
pub(crate) mod class;
mod conclude;
mod flight;
mod held;
mod identity;
mod identity_epoch;
mod inner;
mod login;
mod logout;
mod newest;
mod notice;
mod on_record;
mod pace;
mod recovery;
mod refresh;
mod refusal;
mod save;
mod started;
mod step_up;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use doorkey_discovery::Challenges;
use doorkey_http::HttpClient;
use doorkey_store::{Grant, Proof, Store, Stored};
use http::{HeaderMap, HeaderValue, Method};
use secrecy::SecretString;
use url::Url;

pub use builder::TokenSourceBuilder;
use inner::Inner;

use crate::access_token::AccessToken;
use crate::config::AuthorizationConfig;
use crate::error::Error;
use crate::interaction::Interaction;
use crate::quirk::QuirkExplanation;
use crate::report::{
    DrainTimeout, LoginReport, LogoutOptions, LogoutReport, PendingLogin, StartedLogin,
};

/// The tokens of one account at one MCP server. A cheap handle: clone it, keep one owner.
///
/// Refresh, step-up, login and logout run in tasks of their own (law 5), so a caller may drop its
/// future at any time without losing a rotated token. They need a tokio runtime.
#[derive(Clone)]
pub struct TokenSource(Kind);

#[derive(Clone)]
enum Kind {
    Fixed(Arc<Fixed>),
    Granted(Arc<Inner>),
}

struct Fixed {
    server: Url,
    token: AccessToken,
    /// Who makes the proofs for a token that is bound to a key.
    prover: Option<Arc<Inner>>,
}

impl TokenSource {
    /// Starts a source that keeps its grant in `store` and sends everything through `http`.
    #[must_use]
    pub fn builder(
        config: AuthorizationConfig,
        http: HttpClient,
        store: Store,
    ) -> TokenSourceBuilder {
        TokenSourceBuilder::new(config, http, store)
    }

    /// A bearer token from configuration: there is no OAuth for this server (USE-09).
    #[must_use]
    pub fn fixed(server: Url, bearer: SecretString) -> Self {
        Self(Kind::Fixed(Arc::new(Fixed {
            server,
            token: AccessToken::configured(bearer),
            prover: None,
        })))
    }

    /// A source of this one token of this one, which neither replaces, renews nor judges it: to see what a server
    /// says of it, while nothing is changed. A token that is bound to a key is sent with its proofs.
    #[must_use]
    pub fn holding(&self, token: AccessToken) -> Self {
        let prover = match &self.0 {
            Kind::Fixed(fixed) => fixed.prover.clone(),
            Kind::Granted(inner) => Some(Arc::clone(inner)),
        };
        Self(Kind::Fixed(Arc::new(Fixed {
            server: self.server().clone(),
            token,
            prover,
        })))
    }

    /// The token that is stored, as it is: it is not refreshed, even where that is due.
    ///
    /// # Errors
    /// [`Error::Store`]; what is wrong with the stored grant.
    pub async fn stored_token(&self) -> Result<Option<AccessToken>, Error> {
        match &self.0 {
            Kind::Fixed(fixed) => Ok(Some(fixed.token.clone())),
            Kind::Granted(inner) => {
                let held = inner.current_or_stored().await?;
                Ok(held.and_then(|held| held.token().cloned()))
            }
        }
    }

    /// The token to send now. `None`: nothing is stored, send the request without.
    ///
    /// While the token is fresh this takes no lock and makes no request. When it is due, it is
    /// refreshed, or the result of another process that did so is adopted. As long as the token is
    /// valid, trouble with its refresh is no error here. Once in a while
    /// ([`AuthorizationConfig::notice_interval`]) the store is asked whether another process signed in
    /// or out, or refreshed; what it did then holds here too.
    ///
    /// # Errors
    /// [`Error::LoginRequired`] when what is stored can no longer be used; otherwise what kept the
    /// refresh of an expired token from succeeding: the grant is kept, try again later.
    pub async fn token(&self) -> Result<Option<AccessToken>, Error> {
        match &self.0 {
            Kind::Fixed(fixed) => Ok(Some(fixed.token.clone())),
            Kind::Granted(inner) => refresh::token(inner).await,
        }
    }

    /// What is known of a refusal, if the words of the server are those that a quirk explains
    /// ([`AuthorizationConfig::quirks`]).
    #[must_use]
    pub fn explain(&self, error: &Error) -> Option<QuirkExplanation> {
        match &self.0 {
            Kind::Fixed(_) => None,
            Kind::Granted(inner) => inner.explain(error),
        }
    }

    /// The authorization server that the last login of this process went to, else the one that the tokens in use
    /// came from. `None` as long as neither is known.
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        match &self.0 {
            Kind::Fixed(_) => None,
            Kind::Granted(inner) => inner.issuer(),
        }
    }

    /// Whether the token may be sent to `url`: the origin of the MCP server, at or under its path
    /// or that of the granted resource (USE-03).
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        match &self.0 {
            Kind::Fixed(fixed) => crate::resource::covers(&fixed.server, None, url),
            Kind::Granted(inner) => inner.covers(url),
        }
    }

    /// Another token to repeat a request with after a 401 (CH-01, CH-02, REF-06).
    ///
    /// `sent` is the token that was sent, which need not be the current one. Callers that bring
    /// the same token share one recovery (CH-10).
    ///
    /// # Errors
    /// [`Error::LoginRequired`]; [`Error::TokenRejectedByResource`] when the token was only just
    /// issued; a transient error when the refresh could not be completed (nothing is lost).
    pub async fn rejected(
        &self,
        sent: Option<&AccessToken>,
        challenges: &Challenges,
    ) -> Result<AccessToken, Error> {
        match &self.0 {
            Kind::Fixed(fixed) => Err(Error::BearerRejected {
                server: crate::resource::without_secrets(&fixed.server),
                challenges: challenges.clone(),
            }),
            Kind::Granted(inner) => recovery::rejected(inner, sent, challenges).await,
        }
    }

    /// A token with more scopes after a 403 `insufficient_scope` (UP-01 to UP-10).
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] when the union of requested and challenged scopes adds nothing
    /// or no person may be asked; what kept the authorization from succeeding otherwise. The old
    /// token stays usable.
    pub async fn insufficient_scope(
        &self,
        sent: &AccessToken,
        challenges: &Challenges,
    ) -> Result<AccessToken, Error> {
        match &self.0 {
            Kind::Fixed(_) => Err(Error::InsufficientScope {
                required: challenges.scope().unwrap_or_default(),
                challenges: challenges.clone(),
            }),
            Kind::Granted(inner) => step_up::insufficient_scope(inner, sent, challenges).await,
        }
    }

    /// Signs in: discovery, registration if needed, browser, token; saved before it returns.
    ///
    /// `challenges` are those of the MCP server's 401 (may be empty). Concurrent callers share one
    /// login (AZ-22). So do processes: while another one signs in the same account, this one waits
    /// ([`Interaction::waiting`]) and takes over what fits ([`LoginReport::adopted`]). When every caller
    /// has gone away, the wait for the browser ends; once a code has arrived, the login is completed in
    /// any case.
    ///
    /// What kind of address the MCP server has is fixed anew by this call, which a person asked for: so they say that it
    /// has moved into their own network. A login that comes out of a challenge by itself, in
    /// [`rejected`](Self::rejected), keeps to what the last one fixed.
    ///
    /// # Errors
    /// Any [`Error`]; a grant that was stored before stays in place (TOK-21).
    pub async fn login(
        &self,
        challenges: &Challenges,
        interaction: Arc<dyn Interaction>,
    ) -> Result<LoginReport, Error> {
        let inner = self.granted("login")?;
        login::anew(inner, challenges, interaction).await
    }

    /// Waits for `asking`, requests over the client of this source with which a login by a person begins, such as
    /// one that finds out whether the server wants a login. Meanwhile the client is not held to the
    /// class of addresses that the MCP server had at the last login (SEC-05): a person who signs in
    /// may mean a server that has moved. [`login`](Self::login) does the same for itself.
    ///
    /// Beside `asking` the resource metadata are asked for at their first well-known place, once. A login that begins
    /// within half a minute has them then, if the challenge names that place or none; otherwise it asks as it would have.
    pub async fn asked_by_a_person<T>(&self, asking: impl Future<Output = T> + Send) -> T {
        match &self.0 {
            Kind::Fixed(_) => asking.await,
            Kind::Granted(inner) => {
                let anew = class::Anew::begin(inner);
                let answer = inner.ahead.beside(&inner.http, &inner.config, asking).await;
                anew.restore().await;
                answer
            }
        }
    }

    /// Starts a login that is finished elsewhere: everything up to the page to open. What its answer is
    /// judged by is kept in the store, so that this process may end; [`finish_login`](Self::finish_login)
    /// completes it within ten minutes, in any process with the same store. A login that was started
    /// before can no longer be finished then.
    ///
    /// `challenges` are those of the MCP server's 401 (may be empty). The browser is sent to
    /// `redirect_uri`, loopback or https; `None`: to a loopback address that is registered already, or
    /// to one with a port that nobody can guess. Nobody needs to listen there: the person copies the
    /// address at which the browser ends.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::Configuration`] for every flow but that of a browser.
    pub async fn start_login(
        &self,
        challenges: &Challenges,
        redirect_uri: Option<String>,
    ) -> Result<StartedLogin, Error> {
        started::start(self.granted("login")?, challenges, redirect_uri).await
    }

    /// Finishes a login that [`start_login`](Self::start_login) started, here or in another process.
    ///
    /// `callback` is the address at which the browser ended, or its query. It is judged as an answer
    /// that arrives by itself is: by `state`, then `iss`, then what it says (RSP-16). The request is
    /// taken out of the store before its code is used, so that it is used once.
    ///
    /// # Errors
    /// [`Error::NoPendingLogin`]; [`Error::InvalidAuthorizationResponse`] or [`Error::IssuerMismatch`]
    /// for what is no answer to the request, which then still waits, unless it has expired;
    /// [`Error::Denied`] or [`Error::AuthorizationResponse`] when the answer is a refusal; what the
    /// exchange of the code came to otherwise. A grant that was stored before stays in place (TOK-21).
    pub async fn finish_login(&self, callback: &str) -> Result<LoginReport, Error> {
        started::finish(self.granted("login")?, callback).await
    }

    /// The login that was started and can still be finished, if there is one.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn pending_login(&self) -> Result<Option<PendingLogin>, Error> {
        match &self.0 {
            Kind::Fixed(_) => Ok(None),
            Kind::Granted(inner) => started::pending(inner).await,
        }
    }

    /// Whether the authorization server still knows the client that registered itself for the stored
    /// grant, where it says so (RFC 7592 §2.1); `None` otherwise. Nothing is registered or removed.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Http`], [`Error::Endpoint`]: the question was not answered.
    pub async fn client_is_known(&self) -> Result<Option<bool>, Error> {
        match &self.0 {
            Kind::Fixed(_) => Ok(None),
            Kind::Granted(inner) => login::client_is_known(inner).await,
        }
    }

    /// Records what the MCP server thought of the current token. Does nothing when the store has
    /// another token by now, say of a login in another process: that one is still to be tried.
    ///
    /// # Errors
    /// [`Error::LoginRequired`] when there is no grant; [`Error::Store`].
    pub async fn record_proof(&self, proof: Proof, detail: Option<String>) -> Result<(), Error> {
        match &self.0 {
            Kind::Fixed(_) => Ok(()),
            Kind::Granted(inner) => save::record_proof(inner, proof, detail).await,
        }
    }

    /// Notes that the MCP server accepted `token`, so that a later rejection counts as its end and
    /// not as a token that never worked. Takes no lock.
    pub fn accepted(&self, token: &AccessToken) {
        if let Kind::Granted(inner) = &self.0 {
            inner.accepted(token);
        }
    }

    /// Signs out: revokes both tokens, removes the local copies whatever the network said, and
    /// reports each step.
    ///
    /// # Errors
    /// [`Error::Configuration`] for a fixed bearer; [`Error::NoRuntime`]. Everything else is in
    /// the report.
    pub async fn logout(&self, options: LogoutOptions) -> Result<LogoutReport, Error> {
        logout::logout(self.granted("logout")?, options).await
    }

    /// Counts how often it changed who is signed in: a sign-out, or a login of somebody who is known to be
    /// another person (by `sub`, else by the name the server gave). What was begun under one number, such
    /// as an MCP session, must not go on under another (USE-12). Takes no lock and makes no request.
    #[must_use]
    pub fn identity_epoch(&self) -> u64 {
        match &self.0 {
            Kind::Fixed(_) => 0,
            Kind::Granted(inner) => inner.identities.changes(),
        }
    }

    /// The grant as the store has it now.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn grant(&self) -> Result<Option<Stored<Grant>>, Error> {
        match &self.0 {
            Kind::Fixed(_) => Ok(None),
            Kind::Granted(inner) => Ok(inner.store.grant(&inner.key).await?),
        }
    }

    /// Waits until no refresh, login or logout is running, and saves what an earlier store failure
    /// kept from being saved. A program calls it before it exits.
    ///
    /// # Errors
    /// [`DrainTimeout`] when tasks still run after `limit`.
    pub async fn drain(&self, limit: Duration) -> Result<(), DrainTimeout> {
        match &self.0 {
            Kind::Fixed(_) => Ok(()),
            Kind::Granted(inner) => save::drain(inner, limit).await,
        }
    }

    /// The last failure of the store that was survived by keeping a token in memory only, until a
    /// later save succeeds.
    #[must_use]
    pub fn store_problem(&self) -> Option<Error> {
        match &self.0 {
            Kind::Fixed(_) => None,
            Kind::Granted(inner) => inner.store_problem(),
        }
    }

    /// The configuration; `None` for a fixed bearer.
    #[must_use]
    pub fn config(&self) -> Option<&AuthorizationConfig> {
        match &self.0 {
            Kind::Fixed(_) => None,
            Kind::Granted(inner) => Some(&inner.config),
        }
    }

    /// The MCP server's URL.
    #[must_use]
    pub fn server(&self) -> &Url {
        match &self.0 {
            Kind::Fixed(fixed) => &fixed.server,
            Kind::Granted(inner) => &inner.config.server,
        }
    }

    /// Whether [`rejected`](Self::rejected) and [`insufficient_scope`](Self::insufficient_scope)
    /// may sign in by themselves: through a person who is there, or because the
    /// [`Flow`](crate::Flow) needs none.
    #[must_use]
    pub fn may_sign_in(&self) -> bool {
        match &self.0 {
            Kind::Fixed(_) => false,
            Kind::Granted(inner) => inner.may_sign_in(),
        }
    }

    /// Whether the token at hand is bound to a key (RFC 9449). Makes no request; where nothing was
    /// read from the store yet, it is read.
    pub async fn is_bound(&self) -> bool {
        match &self.0 {
            Kind::Fixed(fixed) => fixed.token.key().is_some(),
            // Trouble with the store is told to whoever asks for the token.
            Kind::Granted(inner) => matches!(inner.current_or_stored().await,
                Ok(Some(held)) if held.is_bound()),
        }
    }

    /// The `DPoP` header that goes with `token` in one request to `url` (RFC 9449 §7.1): another one
    /// is made for each attempt. `None` for a bearer token, which needs none.
    ///
    /// # Errors
    /// [`Error::Signing`], [`Error::Random`].
    pub fn proof(
        &self,
        token: &AccessToken,
        method: &Method,
        url: &Url,
    ) -> Result<Option<HeaderValue>, Error> {
        match &self.0 {
            Kind::Fixed(fixed) => match &fixed.prover {
                Some(inner) => inner.proof(token, method, url),
                None => Ok(None),
            },
            Kind::Granted(inner) => inner.proof(token, method, url),
        }
    }

    /// Keeps the nonce that an answer of `url` brought, for the next proof there (RFC 9449 §9).
    /// Whether there was one.
    pub fn note_nonce(&self, url: &Url, headers: &HeaderMap) -> bool {
        match &self.0 {
            Kind::Fixed(fixed) => {
                let inner = fixed.prover.as_ref();
                inner.is_some_and(|inner| inner.resource_nonces.note(url, headers))
            }
            Kind::Granted(inner) => inner.resource_nonces.note(url, headers),
        }
    }

    fn granted(&self, what: &'static str) -> Result<&Arc<Inner>, Error> {
        match &self.0 {
            Kind::Granted(inner) => Ok(inner),
            Kind::Fixed(_) => Err(Error::Configuration {
                setting: "bearer",
                why: format!("{what} does not apply to a server with a configured bearer token"),
            }),
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("server", &doorkey_http::RedactedUrl::from(self.server()))
            .field("fixed", &matches!(self.0, Kind::Fixed(_)))
            .finish_non_exhaustive()
    }
}
