//! Servers far away, a home that knows them, and somebody who approves.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use doorkey::store::GrantKey;
use doorkey::{Browser, Environment, Host, LoopbackInteraction, PlatformBrowser, Silent};
use doorkey_testkit::{
    AuthorizationServer, CertificateAuthority, Distance, Leg, McpServer, McpServerBuilder,
    RecordedRequest, Recorder,
};
use tokio::runtime::Handle;

use crate::{BoxError, Context};

/// A world of one round.
pub(super) struct Far {
    ca: CertificateAuthority,
    pub(super) recorder: Recorder,
    auth: AuthorizationServer,
    to_auth: Arc<Distance>,
    to_mcp: Arc<Distance>,
    home: PathBuf,
    /// When the page was opened.
    opened: Arc<Mutex<Option<Instant>>>,
    mcp: McpServer,
}

impl Far {
    /// An MCP server that differs from the default in what `mcp` says, configured with `settings`.
    pub(super) async fn start(
        context: &Context,
        settings: &str,
        mcp: impl FnOnce(McpServerBuilder) -> McpServerBuilder,
    ) -> Result<Self, BoxError> {
        let ca = CertificateAuthority::new()?;
        let recorder = Recorder::new();
        let to_auth = Arc::new(Distance::of(ONE_WAY).await?);
        let to_mcp = Arc::new(Distance::of(ONE_WAY).await?);
        let auth = AuthorizationServer::builder()
            .tls(&ca)
            .behind(&to_auth)
            .issuer_path("/tenant1")
            .recorder(&recorder)
            .start()
            .await?;
        let base = McpServer::builder()
            .tls(&ca)
            .behind(&to_mcp)
            .authorization(&auth)
            .recorder(&recorder);
        let mcp = mcp(base).start().await?;
        let home = context.folder("distance")?;
        std::fs::write(home.join("ca.pem"), ca.pem())?;
        let config = format!(
            "[mcp_servers.{SERVER}]\nurl = {:?}\n{settings}\n",
            mcp.url()
        );
        std::fs::write(home.join("config.toml"), config)?;
        Ok(Self {
            ca,
            recorder,
            auth,
            to_auth,
            to_mcp,
            home,
            opened: Arc::default(),
            mcp,
        })
    }

    /// The home as a new process finds it.
    pub(super) fn host(&self) -> Result<Host, BoxError> {
        let path = |name: &str| self.home.join(name).display().to_string();
        let variables = [
            ("DOORKEY_HOME", self.home.display().to_string()),
            ("SSL_CERT_FILE", path("ca.pem")),
        ];
        let host = Host::open(Environment::new(variables))?;
        Ok(host.with_standalone_stream(false).with_late_closing())
    }

    /// Signs in. Returns how long that took without the browser, in round trips.
    pub(super) async fn login(&self, host: &Host) -> Result<f64, BoxError> {
        let browser = doorkey_testkit::Browser::new().trusting(&self.ca);
        let (opened, runtime) = (Arc::clone(&self.opened), Handle::current());
        let browser = PlatformBrowser::new(move |url| {
            *opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            let (browser, url) = (browser.clone(), url.to_owned());
            runtime.spawn(async move { browser.open(&url).await });
            Ok(())
        });
        let person = LoopbackInteraction::new(Browser::Platform(browser), Arc::new(Silent));
        let began = Instant::now();
        host.login(SERVER, Arc::new(person), &Silent).await?;
        let ended = Instant::now();
        let opened = *self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = opened.ok_or("no page was opened")?;
        let came_back = self.left_the_page().ok_or("no page was answered")? + ONE_WAY;
        let taken = (opened - began) + ended.saturating_duration_since(came_back);
        Ok(self.in_round_trips(taken))
    }

    /// Lists the tools. Returns how long that took, in round trips.
    pub(super) async fn tools(&self, host: &Host) -> Result<f64, BoxError> {
        let began = Instant::now();
        host.with_connection(SERVER, async |connection| connection.list_tools().await)
            .await?;
        Ok(self.in_round_trips(began.elapsed()))
    }

    /// Lets a day pass.
    pub(super) async fn expire(&self, host: &Host) -> Result<(), BoxError> {
        let key = GrantKey::new(self.mcp.url(), "default");
        let stored = host.store().grant(&key).await?.ok_or("no grant")?;
        let mut grant = stored.value;
        grant.expires_at = Some(1);
        host.store()
            .save_grant(&key, &grant, Some(stored.generation))
            .await?;
        self.auth.expire_access_tokens();
        Ok(())
    }

    /// The requests of the stack.
    pub(super) fn requests(&self) -> Vec<RecordedRequest> {
        let mut requests = self.recorder.requests();
        requests.retain(|request| request.leg != Leg::Authorization);
        requests
    }

    /// The requests of the critical path, in a word each.
    pub(super) fn path(&self) -> Vec<String> {
        let chain = self.to_mcp.longest_chain(&self.requests());
        let name = |request: RecordedRequest| match request.rpc_method {
            Some(method) => method,
            None => request.leg.to_string(),
        };
        chain.into_iter().map(name).collect()
    }

    /// How many connections were made since the browser was sent back, if there was a page.
    pub(super) fn connections_after_the_page(&self) -> Option<usize> {
        let left = self.left_the_page()?;
        let made = [self.to_auth.connections(), self.to_mcp.connections()];
        Some(made.iter().flatten().filter(|made| **made > left).count())
    }

    fn left_the_page(&self) -> Option<Instant> {
        let pages = self.recorder.of(Leg::Authorization);
        pages.iter().filter_map(|page| page.answered).max()
    }

    fn in_round_trips(&self, time: Duration) -> f64 {
        time.as_secs_f64() / self.to_mcp.round_trip().as_secs_f64()
    }
}

/// The name of the server in the configuration.
const SERVER: &str = "far";
const ONE_WAY: Duration = Duration::from_millis(50);
