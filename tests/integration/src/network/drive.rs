//! One leg of the library, driven until it fails.

use std::{collections::HashMap, error::Error as StdError, sync::Arc};

use doorkey_http::HttpClient;
use doorkey_oauth::{
    AssertionError, AssertionSource, AuthorizationConfig, BoxFuture, Challenges, EnterpriseManaged,
    Flow, Identity, Interaction, LogoutOptions, StepOutcome, TokenSource,
};
use doorkey_rmcp::rmcp::{
    model::{ClientCapabilities, ClientConfig, Implementation},
    transport::streamable_http_client::{StreamableHttpClient as _, StreamableHttpError},
};
use doorkey_rmcp::{AuthorizedClient, ClientError, ClientOptions, ConnectOptions};
use doorkey_store::Store;
use secrecy::SecretString;

use super::Leg;
use crate::{HandClock, IdentityProvider, World};

/// A client of the whole stack on a network that can be spoilt.
pub(super) struct Rig {
    pub(super) world: World,
    pub(super) provider: IdentityProvider,
    clock: Arc<HandClock>,
    tokens: TokenSource,
    http: HttpClient,
}

impl Rig {
    pub(super) fn new(world: World, provider: IdentityProvider, http: HttpClient) -> Self {
        let clock = Arc::new(HandClock::default());
        let config = AuthorizationConfig::new(world.url());
        let tokens = TokenSource::builder(config, http.clone(), Store::memory())
            .clock(Arc::clone(&clock) as _)
            .build();
        Self {
            world,
            provider,
            clock,
            tokens,
            http,
        }
    }

    /// Does what has to come before `leg`: a login for the legs that need a grant.
    pub(super) async fn prepare(&self, leg: Leg) {
        let is_late = [Leg::Refresh, Leg::Revocation, Leg::Deregistration].contains(&leg);
        if is_late {
            let login = self.login().await;
            login.expect("a login while nothing is spoilt");
        }
        if leg == Leg::Refresh {
            self.clock.advance(std::time::Duration::from_secs(7200));
        }
    }

    /// Goes through `leg` and says how it failed; `None` if it did not.
    pub(super) async fn failure(&self, leg: Leg) -> Option<Failure> {
        match leg {
            Leg::McpPost => self.connect().await.err().map(|error| Failure::of(&error)),
            Leg::McpStream | Leg::McpDelete => self.adapter(leg).await.err(),
            Leg::Refresh => {
                let token = self.tokens.token().await;
                token.err().map(|error| Failure::of(&error))
            }
            Leg::Revocation | Leg::Deregistration => self.logout(leg).await,
            Leg::DeviceAuthorization => {
                self.failure_of(Flow::Device, self.world.person.typing())
                    .await
            }
            Leg::IdentityProvider => self.identity().await,
            _ => self.login().await.err().map(|error| Failure::of(&error)),
        }
    }

    async fn login(&self) -> Result<(), doorkey_oauth::Error> {
        let challenges = Challenges::default();
        let person = self.world.person.interaction();
        self.tokens.login(&challenges, person).await.map(drop)
    }

    /// How a login by another flow fails, with a store of its own.
    async fn failure_of(&self, flow: Flow, person: Arc<dyn Interaction>) -> Option<Failure> {
        let mut config = AuthorizationConfig::new(self.world.url());
        if matches!(flow, Flow::EnterpriseManaged(_)) {
            config.client = IdentityProvider::client_choice(&self.world.auth);
        }
        config.flow = flow;
        let tokens = TokenSource::builder(config, self.http.clone(), Store::memory()).build();
        let login = tokens.login(&Challenges::default(), person).await;
        login.err().map(|error| Failure::of(&error))
    }

    /// The exchange of an identity that was handed over, and the sign-on that brings one: it fails as both do.
    async fn identity(&self) -> Option<Failure> {
        let mut handed = self.provider.settings();
        let token = self.provider.identity_token();
        handed.identity = Identity::IdToken(Arc::new(Handed(token.into())));
        let (exchange, sign_on) = tokio::join!(
            Box::pin(self.signing_on(handed)),
            Box::pin(self.signing_on(self.provider.settings())),
        );
        Some(exchange?.and(&sign_on?))
    }

    async fn signing_on(&self, settings: EnterpriseManaged) -> Option<Failure> {
        let flow = Flow::EnterpriseManaged(Arc::new(settings));
        self.failure_of(flow, self.world.person.interaction()).await
    }

    async fn logout(&self, leg: Leg) -> Option<Failure> {
        let options = LogoutOptions::default().forget_client(true);
        let report = self.tokens.logout(options).await.expect("a report");
        let step = match leg {
            Leg::Revocation => report.revoked_refresh,
            _ => report.registration,
        };
        match step {
            StepOutcome::Failed(error) | StepOutcome::LocalOnly(error) => Some(Failure::of(&error)),
            _ => None,
        }
    }

    fn client(&self) -> AuthorizedClient {
        AuthorizedClient::new(
            self.http.clone(),
            self.tokens.clone(),
            ClientOptions::default(),
        )
    }

    async fn connect(&self) -> Result<(), doorkey_rmcp::ConnectError> {
        let implementation = Implementation::new("matrix", "1.0");
        let handler = ClientConfig::new(ClientCapabilities::default(), implementation);
        let url = self.world.url();
        let options = ConnectOptions::default();
        let connected = doorkey_rmcp::connect(self.client(), &url, options, handler);
        Box::pin(connected).await.map(drop)
    }

    /// The stream and the end of a session, through the trait that rmcp calls.
    async fn adapter(&self, leg: Leg) -> Result<(), Failure> {
        let client = self.client();
        let uri: Arc<str> = self.world.mcp.url().into();
        let session: Arc<str> = "a-session".into();
        let outcome = match leg {
            Leg::McpStream => {
                let opened = client.get_stream(uri, Some(session), None, None, HashMap::new());
                opened.await.map(drop)
            }
            _ => {
                let ended = client.delete_session(uri, session, None, HashMap::new());
                ended.await
            }
        };
        match outcome {
            Err(StreamableHttpError::Client(ClientError::Exchange(error))) => {
                Err(Failure::of(&*error))
            }
            Err(error) => Err(Failure::of(&error)),
            Ok(()) => Ok(()),
        }
    }
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

/// How a leg failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// The leg of the request that failed, if it was a request.
    pub(super) leg: Option<doorkey_http::Leg>,
    pub(super) is_tls: bool,
    pub(super) is_timeout: bool,
    /// Refused by the address rules, with the settings named that allow it.
    pub(super) is_address: bool,
}

impl Failure {
    pub(super) fn of(error: &(dyn StdError + 'static)) -> Self {
        let error = doorkey_rmcp::authorization_error(error);
        let http = error.and_then(doorkey_oauth::Error::http);
        let refused = match error {
            Some(doorkey_oauth::Error::PageRefused { source, .. }) => source.downcast_ref(),
            _ => http.and_then(doorkey_http::Error::refused_address),
        };
        Self {
            leg: http.and_then(doorkey_http::Error::leg),
            is_tls: http.is_some_and(doorkey_http::Error::is_tls),
            is_timeout: http.is_some_and(doorkey_http::Error::is_timeout),
            is_address: refused.is_some_and(is_address),
        }
    }

    /// What two failures have in common.
    fn and(self, other: &Self) -> Self {
        Self {
            leg: self.leg.filter(|leg| other.leg == Some(*leg)),
            is_tls: self.is_tls && other.is_tls,
            is_timeout: self.is_timeout && other.is_timeout,
            is_address: self.is_address && other.is_address,
        }
    }
}

/// The rule says what is wrong with the address, and what a person can do if it is meant.
fn is_address(refused: &doorkey_http::AddressRefused) -> bool {
    let told = refused.to_string();
    [
        "a loopback address",
        "public",
        "`allow_origins`",
        "`allow_networks`",
    ]
    .iter()
    .all(|part| told.contains(part))
}
