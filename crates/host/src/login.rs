//! Login: probe, sign in, and prove the token before anyone says success.

use std::sync::Arc;

use doorkey_oauth::{
    Challenges, Interaction, InteractionError, LoginReport, PendingLogin, StartedLogin, TokenSource,
};
use doorkey_rmcp::{ProbeOutcome, Wire};
use doorkey_store::Proof;

use crate::browser::{BrowserError, check_page};
use crate::error::Error;
use crate::facts;
use crate::host::{Host, Remembering, Session, grant_key};
use crate::loopback::CallbackSettings;
use crate::progress::{LoginStep, Progress};
use crate::target::Target;

/// How a login ended well.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoginOutcome {
    /// The server answers without one.
    NotRequired,
    /// Signed in, and the server took the token.
    SignedIn {
        /// What was granted.
        report: LoginReport,
        /// How many tools the server showed; `None` when it has no `tools/list`.
        tools: Option<usize>,
        /// The revision of MCP it speaks.
        wire: Wire,
    },
}

impl Host {
    /// Signs in to a server through `interaction`, and proves the token: the challenged request
    /// again, then `tools/list`. A flow that needs no person makes no use of `interaction`.
    ///
    /// # Errors
    /// [`Error::Authorization`]: the person or a server said no, or something on the way failed.
    /// [`Error::Rejected`]: the login was completed and is kept, marked as rejected, because the
    /// server does not take its token. [`Error::Unproven`]: it was completed and is kept, and could
    /// not be tried.
    pub async fn login(
        &self,
        target: impl Into<Target<'_>>,
        interaction: Arc<dyn Interaction>,
        progress: &dyn Progress,
    ) -> Result<LoginOutcome, Error> {
        let target = target.into();
        let session = self.session_to_sign_in(target)?;
        let asking = self.challenged(&session, progress);
        let Some(challenges) = session.tokens.asked_by_a_person(asking).await? else {
            return Ok(LoginOutcome::NotRequired);
        };
        let (report, ()) = tokio::join!(
            session.tokens.login(&challenges, interaction),
            self.remember_challenge(&session),
        );
        let report = report.map_err(|source| cannot_sign_in(&session, source))?;
        self.prove(target, &session, report, progress).await
    }

    /// Starts a login that another process may finish: everything up to the page to open. What its answer
    /// is judged by is in the store, so that this process may end; [`Host::finish_login`] completes it within
    /// ten minutes. `None`: the server answers without a login.
    ///
    /// `callback` is the way back, as configured where it is `None`. Nobody listens there; a port that is left open is
    /// found, and of a range it is the first.
    ///
    /// # Errors
    /// As for [`Host::login`]; a flow without a browser cannot be started.
    pub async fn start_login(
        &self,
        target: impl Into<Target<'_>>,
        callback: Option<&CallbackSettings>,
        progress: &dyn Progress,
    ) -> Result<Option<StartedLogin>, Error> {
        let session = self.session_to_sign_in(target.into())?;
        let asking = self.challenged(&session, progress);
        let Some(challenges) = session.tokens.asked_by_a_person(asking).await? else {
            return Ok(None);
        };
        let configured = session.server.oauth.callback();
        let way_back = way_back(callback.unwrap_or(&configured));
        let (started, ()) = tokio::join!(
            session.tokens.start_login(&challenges, way_back),
            self.remember_challenge(&session),
        );
        let started = started.map_err(|source| cannot_sign_in(&session, source))?;
        // What must not be opened is not handed out to be opened either.
        check_page(&started.url).map_err(|refused| {
            let refused = InteractionError::other(BrowserError::from(refused));
            cannot_sign_in(&session, refused.into())
        })?;
        Ok(Some(started))
    }

    /// Finishes a login that [`Host::start_login`] started, here or in another process, and proves the token as
    /// [`Host::login`] does. `callback` is the address at which the browser ended, or its query.
    ///
    /// # Errors
    /// As for [`Host::login`]. An address that is none, or belongs to another login, is an error that leaves the
    /// started login waiting.
    pub async fn finish_login(
        &self,
        target: impl Into<Target<'_>>,
        callback: &str,
        progress: &dyn Progress,
    ) -> Result<LoginOutcome, Error> {
        let target = target.into();
        let session = self.session_to_sign_in(target)?;
        let report = session.tokens.finish_login(callback).await;
        let report = report.map_err(|source| cannot_sign_in(&session, source))?;
        self.prove(target, &session, report, progress).await
    }

    /// The login that was started and can still be finished, if there is one.
    ///
    /// # Errors
    /// There is no such server, its settings cannot be used, or the store fails.
    pub async fn pending_login(
        &self,
        target: impl Into<Target<'_>>,
    ) -> Result<Option<PendingLogin>, Error> {
        let session = self.session_to_sign_in(target.into())?;
        let pending = session.tokens.pending_login().await;
        pending.map_err(|source| cannot_sign_in(&session, source))
    }

    /// The session of a server that one can sign in to.
    fn session_to_sign_in(&self, target: Target<'_>) -> Result<Session, Error> {
        let session = self.session(target)?;
        let server = &session.server;
        if !server.enabled {
            return Err(Error::Disabled {
                server: server.name.clone(),
            });
        }
        match server.bearer_key() {
            Some(key) => Err(Error::BearerConfigured {
                server: server.name.clone(),
                key,
            }),
            None => Ok(session),
        }
    }

    /// What the server answers to a request without a token; `None` when it wants no login.
    async fn challenged(
        &self,
        session: &Session,
        progress: &dyn Progress,
    ) -> Result<Option<Challenges>, Error> {
        let server = &session.server;
        progress.report(&LoginStep::Probing {
            server: server.url.clone(),
        });
        let challenges = match self.probe(session).await? {
            ProbeOutcome::Challenged(challenges) => challenges,
            // Calling a tool to find out could do something, so only a call of the person's own can have told.
            _ => match facts::late_challenge(self.store(), server).await? {
                Some(challenges) => challenges,
                None => {
                    facts::remember_need(self.store(), server, false).await;
                    return Ok(None);
                }
            },
        };
        progress.report(&LoginStep::Challenged);
        Ok(Some(challenges))
    }

    /// Keeps that the server wants a login, while that login goes on: nothing of it waits for what is written here.
    async fn remember_challenge(&self, session: &Session) {
        facts::remember_need(self.store(), &session.server, true).await;
    }

    /// Tries the new token on the server before anyone says success.
    async fn prove(
        &self,
        target: Target<'_>,
        session: &Session,
        report: LoginReport,
        progress: &dyn Progress,
    ) -> Result<LoginOutcome, Error> {
        let name = session.server.name.as_str();
        facts::forget_private(self.store(), &session.server).await;
        progress.report(&LoginStep::Proving);
        match self.try_out(target).await {
            Ok((tools, wire)) => {
                record(&session.tokens, name, Proof::Accepted, None).await?;
                Ok(LoginOutcome::SignedIn {
                    report,
                    tools,
                    wire,
                })
            }
            Err(error) => Err(unproven(&session.tokens, name, error).await),
        }
    }

    /// Whether a server wants a login, asked without a token and without starting one.
    ///
    /// # Errors
    /// There is no such server, its settings cannot be used, or it cannot be reached.
    pub async fn probe(&self, session: &Session) -> Result<ProbeOutcome, Error> {
        let server = &session.server;
        let wire = facts::remembered(self.store(), server)
            .await?
            .map(|known| known.wire);
        let probe = doorkey_rmcp::probe(&session.http, &server.url, server.protocol, wire);
        match tokio::time::timeout(server.startup_timeout, probe).await {
            Ok(outcome) => outcome.map_err(|source| Error::Connect {
                server: server.name.clone(),
                source: Box::new(source),
            }),
            Err(_elapsed) => Err(Error::TimedOut {
                what: "the first request",
                server: server.name.clone(),
                limit: server.startup_timeout,
            }),
        }
    }

    /// Connects to a server, lists its tools, and says which revision of MCP it speaks.
    ///
    /// # Errors
    /// As for [`Host::connect`] and [`Connection::list_tools`](crate::Connection::list_tools).
    pub async fn check(&self, target: impl Into<Target<'_>>) -> Result<Wire, Error> {
        let target = target.into();
        let outcome = self.try_out(target).await;
        let server = &self.server(target)?;
        match &outcome {
            Ok(_) if self.store().grant(&grant_key(server)).await?.is_none() => {
                facts::remember_need(self.store(), server, false).await;
            }
            Err(error) if error.needs_login() => {
                facts::remember_need(self.store(), server, true).await;
            }
            _ => {}
        }
        outcome.map(|(_, wire)| wire)
    }

    /// Connects with the new token and lists the tools: some servers let `initialize` through and
    /// challenge only then. An MCP error is an answer: the token was taken.
    async fn try_out(&self, target: Target<'_>) -> Result<(Option<usize>, Wire), Error> {
        self.over_connection(
            target,
            Remembering::Meanwhile,
            async |connection| match connection.list_tools().await {
                Ok(tools) => Ok((Some(tools.len()), connection.wire())),
                Err(error) if error.protocol_error().is_some() => Ok((None, connection.wire())),
                Err(error) => Err(error),
            },
        )
        .await
    }
}

fn cannot_sign_in(session: &Session, source: doorkey_oauth::Error) -> Error {
    Error::Authorization {
        what: "sign in to",
        server: session.server.name.clone(),
        source: Box::new(source),
    }
}

/// The redirect URI, unless any will do.
fn way_back(callback: &CallbackSettings) -> Option<String> {
    let uris = callback.redirect_uris();
    let is_any = *callback == CallbackSettings::default();
    let uri = uris.into_iter().next().filter(|_| !is_any)?;
    // A URL leaves out the port of its scheme, and an address without one would stand for any port.
    match (
        callback.ports.map(crate::CallbackPorts::first),
        url::Url::parse(&uri),
    ) {
        (Some(80), Ok(url)) if url.scheme() == "http" => {
            let host = url.host_str().unwrap_or_default();
            Some(format!("http://{host}:80{}", url.path()))
        }
        _ => Some(uri),
    }
}

/// Keeps the grant, marks it by what the server did, and says so.
async fn unproven(tokens: &TokenSource, name: &str, error: Error) -> Error {
    use doorkey_oauth::Error as E;
    let refused = matches!(
        error.authorization(),
        Some(
            E::LoginRequired { .. }
                | E::TokenRejectedByResource { .. }
                | E::InsufficientScope { .. }
        )
    );
    if !refused {
        return Error::Unproven {
            server: name.to_owned(),
            source: Box::new(error),
        };
    }
    let detail = error.authorization().map(ToString::to_string);
    match record(tokens, name, Proof::Rejected, detail).await {
        Ok(()) => Error::Rejected {
            server: name.to_owned(),
            source: Box::new(error),
        },
        Err(error) => error,
    }
}

async fn record(
    tokens: &TokenSource,
    name: &str,
    proof: Proof,
    detail: Option<String>,
) -> Result<(), Error> {
    tokens
        .record_proof(proof, detail)
        .await
        .map_err(|source| Error::Authorization {
            what: "keep the login to",
            server: name.to_owned(),
            source: Box::new(source),
        })
}
