//! Goes through one leg with the library, and says how it ended.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use doorkey_http::HttpClient;
use doorkey_oauth::{
    AssertionError, AssertionSource, AuthorizationConfig, BoxFuture, EnterpriseManaged, Flow,
    Identity, Interaction, LogoutOptions, LogoutReport, StepOutcome, TokenSource,
};
use doorkey_rmcp::{
    AuthorizedClient, ClientOptions, ConnectOptions, Limits, ProbeOutcome, Protocol,
    rmcp::{
        model::{CallToolRequestParams, ClientCapabilities, ClientConfig, Implementation},
        service::{QuitReason, ServiceError},
    },
};
use doorkey_rmcp::{Event, EventStream};
use doorkey_store::{Grant, GrantKey};
use doorkey_testkit::{Leg as Recorded, RecordedRequest};
use futures_util::FutureExt as _;
use http::Method;
use integration::IdentityProvider;
use secrecy::SecretString;
use tokio::task::JoinError;

use super::{
    failure::{Failure, SERVER},
    leg::Leg,
    stage::{BODY, Stage},
    visitor::Typist,
};
use crate::sentinel::{Evidence, Overheard, Place};

/// A client of the whole stack on a stage.
pub(super) struct Driver<'a> {
    stage: &'a Stage,
    leg: Leg,
    http: HttpClient,
    tokens: TokenSource,
    overheard: Arc<Overheard>,
    typist: Arc<Typist>,
    /// What is told of a session beside its requests.
    heard: Mutex<Vec<String>>,
    /// How the end of a session went wrong.
    unclosed: Mutex<Option<String>>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(stage: &'a Stage, leg: Leg) -> Self {
        let http = stage.http();
        let mut config = AuthorizationConfig::new(stage.url());
        config.flow = flow(stage, leg);
        config.interaction_limit = match stage.is_impatient() {
            true => ANSWER,
            false => PERSON,
        };
        if stage.provider.is_some() {
            config.client = IdentityProvider::client_choice(&stage.auth);
        }
        let tokens = TokenSource::builder(config, http.clone(), stage.store.clone())
            .clock(Arc::clone(&stage.clock) as _)
            .build();
        let typist = Arc::new(Typist::new(&stage.auth));
        let person: Arc<dyn Interaction> = match leg {
            Leg::Device | Leg::Poll => Arc::clone(&typist) as _,
            _ => stage.visitor.interaction(),
        };
        Self {
            stage,
            leg,
            http,
            tokens,
            overheard: Arc::new(Overheard::new(person)),
            typist,
            heard: Mutex::default(),
            unclosed: Mutex::default(),
        }
    }

    /// Does what has to come before the leg: a login, or a grant of another time that a login must not harm.
    pub(super) async fn prepare(&self) {
        if self.leg.is_signed_in() {
            let login = self.login().await;
            login.unwrap_or_else(|failure| panic!("before anything is hostile: {failure:?}"));
        } else {
            let key = GrantKey::new(self.stage.mcp.url(), "default");
            let saved = self.stage.store.save_grant(&key, &earlier(), None).await;
            saved.expect("a writable store");
        }
        if self.leg == Leg::Refresh {
            self.stage.clock.advance(Duration::from_secs(2 * 60 * 60));
        }
    }

    /// Goes through the leg.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let outcome = match self.leg {
            leg if leg.is_session() => self.session().await,
            Leg::Refresh => match self.tokens.token().await {
                Ok(_) => Ok(()),
                Err(error) => Err(Failure::of_login("use", error)),
            },
            Leg::Revocation | Leg::Deregistration => self.logout().await,
            _ => self.login().await,
        };
        let drained = self.tokens.drain(DRAIN).await;
        drained.expect("no task goes on");
        outcome
    }

    /// What a person saw and heard.
    pub(super) fn evidence(&self) -> Vec<Evidence> {
        let text = self.typist.shown().join("\n");
        let codes = Evidence::new(Place::Text, "the code for a device", text);
        let heard = Evidence::new(Place::Text, "events", self.events().join("\n"));
        vec![self.overheard.evidence(), codes, heard]
    }

    /// What was told of a session beside its requests.
    pub(super) fn events(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.clone()
    }

    /// What was shown of a login on another device.
    pub(super) fn shown(&self) -> Vec<String> {
        self.typist.shown()
    }

    async fn login(&self) -> Result<(), Failure> {
        let url = self.stage.url();
        let protocol = Protocol::V2025_11_25;
        let probe = doorkey_rmcp::probe(&self.http, &url, protocol, None);
        let limit = self.patience();
        let challenges = match tokio::time::timeout(limit, probe).await {
            Ok(Ok(ProbeOutcome::Challenged(challenges))) => challenges,
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => return Err(Failure::of_connect(error)),
            Err(_) => return Err(Failure::of_host(&timed_out("the first request", limit))),
        };
        let person = Arc::clone(&self.overheard) as _;
        let login = self.tokens.login(&challenges, person).await;
        login
            .map(drop)
            .map_err(|error| Failure::of_login("sign in to", error))
    }

    /// A session of MCP: with its stream and its end, as a program has it.
    async fn session(&self) -> Result<(), Failure> {
        let handler = ClientConfig::new(
            ClientCapabilities::default(),
            Implementation::new("hostile", "1.0"),
        );
        let url = self.stage.url();
        let mut options = ConnectOptions::default().with_protocol(Protocol::V2025_11_25);
        options.startup_limit = self.patience();
        let client = self.client();
        let (mut events, mut faults) = (client.events(), client.events());
        let connected = Box::pin(doorkey_rmcp::connect(client, &url, options, handler)).await;
        let mut connected = connected.map_err(Failure::of_connect)?;
        if self.leg == Leg::Stream {
            self.await_stream().await;
        }
        let outcome = match self.leg {
            Leg::ToolsCall => {
                let call = CallToolRequestParams::new("echo");
                self.within("tools/call", &mut faults, connected.service.call_tool(call))
                    .await
            }
            _ => {
                self.within(
                    "tools/list",
                    &mut faults,
                    connected.service.list_all_tools(),
                )
                .await
            }
        };
        self.note_close(connected.service.close_with_timeout(CLOSE).await);
        while let Some(event) = events.next().now_or_never().flatten() {
            self.hear(&event);
        }
        outcome
    }

    /// With the host's own limit, and its own word for a connection that too large an event ended.
    async fn within<T>(
        &self,
        what: &'static str,
        faults: &mut EventStream,
        request: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<(), Failure> {
        let limit = self.patience();
        match tokio::time::timeout(limit, request).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(match (&error, faults.overflow_of_answer()) {
                (ServiceError::TransportClosed, Some(limit)) => {
                    let server = SERVER.to_owned();
                    Failure::of_host(&doorkey::Error::EventTooLarge {
                        what,
                        server,
                        url: (&self.stage.url()).into(),
                        limit,
                    })
                }
                _ => Failure::of_request(what, error),
            }),
            Err(_) => Err(Failure::of_host(&timed_out(what, limit))),
        }
    }

    /// Until the stream was asked for, and for as long as its first bytes take.
    async fn await_stream(&self) {
        let asked = |requests: &[RecordedRequest]| {
            let mut streams = requests.iter();
            streams
                .any(|request| request.method == Method::GET && request.leg == Recorded::Resource)
        };
        let asked = self.stage.recorder.wait_until(CLOSE, "a stream", asked);
        asked.await.expect("the stream is asked for");
        tokio::time::sleep(QUIET).await;
    }

    /// A session comes to its end in time, whatever the server makes of that.
    fn note_close(&self, close: Result<Option<QuitReason>, JoinError>) {
        let mut kept = self.unclosed.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = wrong_end(close);
    }

    /// How the end of a session went wrong, if it did.
    pub(super) fn unclosed(&self) -> Option<String> {
        let kept = self.unclosed.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }

    fn hear(&self, event: &Event) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(event.to_string());
        heard.push(format!("{event:?}"));
    }

    fn patience(&self) -> Duration {
        match self.stage.is_impatient() {
            true => ANSWER,
            false => PERSON,
        }
    }

    async fn logout(&self) -> Result<(), Failure> {
        let options = LogoutOptions::default().forget_client(true);
        let report = self.tokens.logout(options).await;
        let report = report.map_err(|error| Failure::of_login("sign out of", error))?;
        assert!(matches!(report.removed_local, StepOutcome::Done));
        let LogoutReport {
            revoked_refresh,
            registration,
            ..
        } = report;
        let step = match self.leg {
            Leg::Revocation => revoked_refresh,
            _ => registration,
        };
        match step {
            StepOutcome::Failed(error) | StepOutcome::LocalOnly(error) => {
                Err(Failure::of_login("sign out of", error))
            }
            _ => Ok(()),
        }
    }

    fn client(&self) -> AuthorizedClient {
        let mut limits = Limits::default();
        (limits.sse_event, limits.json_body) = (BODY, BODY);
        let options = ClientOptions::default()
            .with_standalone_stream(self.leg == Leg::Stream)
            .with_limits(limits)
            .with_stream_silence(SILENCE);
        AuthorizedClient::new(self.http.clone(), self.tokens.clone(), options)
    }
}

/// What is wrong with how a session ended, if something is.
pub(super) fn wrong_end(close: Result<Option<QuitReason>, JoinError>) -> Option<String> {
    match close {
        Ok(Some(QuitReason::Closed | QuitReason::Cancelled)) => None,
        Ok(None) => Some(format!("the session did not end within {CLOSE:?}")),
        other => Some(format!("the session ended in another way: {other:?}")),
    }
}

fn timed_out(what: &'static str, limit: Duration) -> doorkey::Error {
    doorkey::Error::TimedOut {
        what,
        server: SERVER.to_owned(),
        limit,
    }
}

fn flow(stage: &Stage, leg: Leg) -> Flow {
    match &stage.provider {
        Some(provider) => {
            let mut settings: EnterpriseManaged = provider.settings();
            let token = provider.identity_token();
            settings.identity = Identity::IdToken(Arc::new(Handed(token.into())));
            Flow::EnterpriseManaged(Arc::new(settings))
        }
        None if matches!(leg, Leg::Device | Leg::Poll) => Flow::Device,
        None => Flow::AuthorizationCode,
    }
}

/// A grant of another client at another server, which a login replaces if it succeeds and else leaves alone.
fn earlier() -> Grant {
    let mut grant = Grant::new(
        "https://earlier.test",
        "earlier-client",
        "https://earlier.test/token",
    );
    grant.access_token = Some(SecretString::from(super::secrets::EARLIER_ACCESS));
    grant.refresh_token = Some(SecretString::from(super::secrets::EARLIER_REFRESH));
    grant
}

/// An identity token of somebody who signed on elsewhere.
#[derive(Debug)]
struct Handed(SecretString);

impl AssertionSource for Handed {
    fn assertion<'a>(
        &'a self,
        _: &'a HttpClient,
    ) -> BoxFuture<'a, Result<SecretString, AssertionError>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

/// How long an MCP request may take where something is late on purpose.
const ANSWER: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(2);
/// How long nobody may answer: less than a case may take.
const PERSON: Duration = Duration::from_secs(15);
const DRAIN: Duration = Duration::from_secs(15);
const CLOSE: Duration = Duration::from_secs(5);
/// How long a hostile stream has to say something.
const QUIET: Duration = Duration::from_millis(300);
