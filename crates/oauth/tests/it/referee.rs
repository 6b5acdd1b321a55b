//! The testkit's servers in front of the crate: real sockets, and a referee that says what it refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use doorkey_http::{Body, HttpClient, HttpProfile};
use doorkey_oauth::{
    AuthorizationConfig, AuthorizationLayer, BoxFuture, Callback, Challenges, Channel, Clock,
    DevicePrompt, Error, Interaction, InteractionError, InteractionRequest, LoginReport, Prompt,
    TokenSource,
};
use doorkey_store::{Grant, Store, Stored};
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, Leg, McpServer, McpServerBuilder,
    RecordedRequest, Recorder,
};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use serde_json::json;
use tower::{Layer as _, ServiceExt as _};
use url::Url;

/// An authorization server, an MCP server that it guards, and a store.
pub(crate) struct Referee {
    pub(crate) auth: AuthorizationServer,
    pub(crate) mcp: McpServer,
    pub(crate) recorder: Recorder,
    pub(crate) store: Store,
    pub(crate) clock: Arc<Shifted>,
}

impl Referee {
    pub(crate) async fn with(auth: AuthorizationServerBuilder, mcp: McpServerBuilder) -> Self {
        let recorder = Recorder::new();
        let auth = auth.recorder(&recorder).start().await.unwrap();
        let mcp = mcp.authorization(&auth).recorder(&recorder);
        let mcp = mcp.start().await.unwrap();
        Self {
            auth,
            mcp,
            recorder,
            store: Store::memory(),
            clock: Arc::default(),
        }
    }

    pub(crate) fn server(&self) -> Url {
        self.mcp.url().parse().unwrap()
    }

    pub(crate) fn config(&self) -> AuthorizationConfig {
        AuthorizationConfig::new(self.server())
    }

    fn http(&self) -> HttpClient {
        HttpClient::new(&HttpProfile::new(self.server())).unwrap()
    }

    /// A source as a process of its own has it: what it knows it has from the store.
    pub(crate) fn source(&self, config: AuthorizationConfig) -> TokenSource {
        TokenSource::builder(config, self.http(), self.store.clone())
            .clock(self.clock.clone())
            .build()
    }

    /// The same where a person is there all the time.
    pub(crate) fn attended(
        &self,
        config: AuthorizationConfig,
        person: &Arc<Person>,
    ) -> TokenSource {
        TokenSource::builder(config, self.http(), self.store.clone())
            .clock(self.clock.clone())
            .interaction(person.clone())
            .build()
    }

    /// One MCP request through the authorization layer.
    pub(crate) async fn call(&self, tokens: &TokenSource) -> Result<Response<Body>, Error> {
        let ping = json!({
            "jsonrpc": "2.0", "id": 1, "method": "server/discover",
            "params": { "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            } },
        });
        let request = Request::post(self.mcp.url())
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "server/discover")
            .body(Body::from(ping.to_string()))
            .unwrap();
        let service = AuthorizationLayer::new(tokens.clone()).layer(self.http());
        service.oneshot(request).await
    }

    /// A request that gets through.
    pub(crate) async fn calls(&self, tokens: &TokenSource) {
        let answer = self.call(tokens).await.unwrap();
        let refusals = self.mcp.refusals();
        assert_eq!(answer.status(), StatusCode::OK, "{refusals:?}");
    }

    pub(crate) async fn grant(&self) -> Stored<Grant> {
        let key = self.config().grant_key();
        self.store.grant(&key).await.unwrap().unwrap()
    }

    pub(crate) fn tokens(&self) -> Vec<RecordedRequest> {
        self.recorder.of(Leg::Token)
    }

    /// Puts both servers and the client ahead.
    pub(crate) fn advance(&self, by: Duration) {
        self.auth.advance(by);
        self.mcp.advance(by);
        self.clock.advance(by);
    }

    /// Nothing that was sent gave a server reason to refuse it.
    pub(crate) fn spotless(&self) {
        assert_eq!(self.auth.refusals(), [] as [String; 0]);
    }
}

/// Signs in as the challenge of a plain request asks for.
pub(crate) async fn login<P: Interaction + 'static>(
    referee: &Referee,
    tokens: &TokenSource,
    person: &Arc<P>,
) -> Result<LoginReport, Error> {
    let challenges = match referee.call(tokens).await {
        Err(error) => error.challenges().cloned().unwrap_or_default(),
        Ok(_) => Challenges::default(),
    };
    tokens.login(&challenges, person.clone()).await
}

/// A clock that stands still between two changes, so that no brake runs out while a test is slow.
#[derive(Debug)]
pub(crate) struct Shifted {
    start: SystemTime,
    ahead: AtomicU64,
}

impl Default for Shifted {
    fn default() -> Self {
        Self {
            start: SystemTime::now(),
            ahead: AtomicU64::new(0),
        }
    }
}

impl Shifted {
    pub(crate) fn advance(&self, by: Duration) {
        self.ahead.fetch_add(by.as_secs(), Ordering::Relaxed);
    }
}

impl Clock for Shifted {
    fn now(&self) -> SystemTime {
        self.start + Duration::from_secs(self.ahead.load(Ordering::Relaxed))
    }
}

/// A person with a browser, who approves everything, and counts how often they were asked.
#[derive(Debug)]
pub(crate) struct Person {
    port: u16,
    asked: Arc<AtomicUsize>,
    pub(crate) codes: tokio::sync::mpsc::UnboundedSender<DevicePrompt>,
}

impl Person {
    /// One whose browser comes back to this port.
    pub(crate) fn at(port: u16) -> Arc<Self> {
        Self::with_codes(port).0
    }

    /// One who types codes on another device: the prompts arrive at the receiver.
    pub(crate) fn with_codes(
        port: u16,
    ) -> (
        Arc<Self>,
        tokio::sync::mpsc::UnboundedReceiver<DevicePrompt>,
    ) {
        let (codes, prompts) = tokio::sync::mpsc::unbounded_channel();
        let asked = Arc::default();
        (Arc::new(Self { port, asked, codes }), prompts)
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Interaction for Person {
    fn open<'a>(
        &'a self,
        _: InteractionRequest,
    ) -> BoxFuture<'a, Result<Box<dyn Channel>, InteractionError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let redirect_uri = format!("http://127.0.0.1:{}/callback", self.port);
        Box::pin(async move {
            Ok(Box::new(Tab {
                redirect_uri,
                query: None,
            }) as Box<dyn Channel>)
        })
    }

    fn shows_codes(&self) -> Result<(), InteractionError> {
        Ok(())
    }

    fn present_code<'a>(
        &'a self,
        prompt: &'a DevicePrompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        drop(self.codes.send(prompt.clone()));
        Box::pin(async { Ok(()) })
    }
}

struct Tab {
    redirect_uri: String,
    query: Option<String>,
}

impl Channel for Tab {
    fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    fn present<'a>(
        &'a mut self,
        prompt: &'a Prompt,
    ) -> BoxFuture<'a, Result<(), InteractionError>> {
        Box::pin(async move {
            let browser = doorkey_testkit::Browser::new().stop_before_callback();
            let visit = browser.open(prompt.url.as_str()).await;
            let visit = visit.map_err(InteractionError::other)?;
            let callback = Url::parse(&visit.callback).map_err(InteractionError::other)?;
            self.query = callback.query().map(str::to_owned);
            Ok(())
        })
    }

    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Callback, InteractionError>> {
        Box::pin(async move {
            match self.query.take() {
                Some(query) => Ok(Callback::new(query)),
                None => std::future::pending().await,
            }
        })
    }
}
