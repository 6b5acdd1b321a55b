//! Servers to sign in to, a person who approves, and homes for the programs that do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use doorkey::Home;
use doorkey_store::Store;
use doorkey_testkit::{
    AuthorizationServer, Browser, CertificateAuthority, McpServer, RecordedRequest, Recorder,
};
use secrecy::ExposeSecret as _;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::runner::Invocation;
use crate::{BoxError, Context};

/// An authorization server, an MCP server and somebody at a browser, over http or over TLS of a private authority.
pub(crate) struct World {
    mcp: McpServer,
    _authorization: AuthorizationServer,
    recorder: Recorder,
    desk: String,
    person: JoinHandle<()>,
    folder: PathBuf,
    /// The file of the private authority, if there is one.
    authority: Option<PathBuf>,
}

impl World {
    /// Starts all of it; `name` is that of its folder.
    pub(crate) async fn start(context: &Context, name: &str, tls: bool) -> Result<Self, BoxError> {
        let folder = context.folder(name)?;
        let recorder = Recorder::new();
        let mut authorization = AuthorizationServer::builder().recorder(&recorder);
        let mut mcp = McpServer::builder().recorder(&recorder);
        let mut browser = Browser::new();
        let mut authority = None;
        if tls {
            let made = CertificateAuthority::new()?;
            let file = folder.join("ca.pem");
            fs::write(&file, made.pem())?;
            (authorization, mcp) = (authorization.tls(&made), mcp.tls(&made));
            browser = browser.trusting(&made);
            authority = Some(file);
        }
        let authorization = authorization.start().await?;
        let mcp = mcp.authorization(&authorization).start().await?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let desk = listener.local_addr()?.to_string();
        let person = tokio::spawn(approve_all(listener, browser));
        Ok(Self {
            mcp,
            _authorization: authorization,
            recorder,
            desk,
            person,
            folder,
            authority,
        })
    }

    /// The URL of the MCP server.
    pub(crate) fn url(&self) -> String {
        self.mcp.url()
    }

    /// The file of the private authority, if there is one.
    pub(crate) fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    /// A new home with this configuration.
    pub(crate) fn home(&self, name: &str, configuration: &str) -> Result<PathBuf, BoxError> {
        let home = self.folder.join(name);
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        fs::create_dir_all(&home)?;
        fs::write(home.join("config.toml"), configuration)?;
        Ok(home)
    }

    /// A program on a home, with the person at hand. Variables are the caller's, but for these.
    pub(crate) fn at(
        &self,
        context: &Context,
        program: &Path,
        home: &Path,
    ) -> Result<Invocation, BoxError> {
        Ok(Invocation::new(program)
            .env("HOME", home)
            .env("BROWSER", context.program("bench-browser")?)
            .env("BENCH_DESK", &self.desk))
    }

    /// What the servers were asked since the last time.
    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        let requests = self.recorder.requests();
        self.recorder.clear();
        requests
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.person.abort();
    }
}

/// Opens every page that is brought, and approves.
async fn approve_all(listener: TcpListener, browser: Browser) {
    // A page that fails is noticed by the program whose login nobody approves.
    while let Ok((mut stream, _)) = listener.accept().await {
        let browser = browser.clone();
        tokio::spawn(async move {
            let mut page = String::new();
            if stream.read_to_string(&mut page).await.is_ok() {
                drop(tokio::time::timeout(PERSON, browser.open(&page)).await);
            }
        });
    }
}

/// The access token that a home has for a server.
pub(crate) async fn token(home: &Path) -> Result<String, BoxError> {
    let store = Store::file(Home::at(home).state_folder())?;
    let grants = store.grants().await?.entries;
    let grant = grants.into_iter().next().ok_or("nobody signed in")?.1.value;
    let token = grant.access_token.ok_or("a login without a token")?;
    Ok(token.expose_secret().to_owned())
}

const PERSON: Duration = Duration::from_secs(20);
