//! The servers of the demonstration, a home of its own, and the person who approves.

use std::error::Error;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use doorkey::{
    Browser, Environment, Home, Host, LoopbackInteraction, NewServer, PlatformBrowser, Silent,
};
use doorkey_testkit::{
    AuthorizationServer, Browser as Person, CertificateAuthority, McpServer, RecordedRequest,
    Recorder,
};
use tempfile::TempDir;
use tokio::runtime::Handle;

/// An authorization server and an MCP server on different origins, both behind a private CA.
pub(super) struct World {
    pub(super) authorization: AuthorizationServer,
    pub(super) mcp: McpServer,
    authority: CertificateAuthority,
    recorder: Recorder,
    folder: TempDir,
}

impl World {
    /// Starts both servers; access tokens live for `lifetime`.
    pub(super) async fn start(lifetime: Duration) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let authority = CertificateAuthority::new()?;
        let recorder = Recorder::new();
        let authorization = AuthorizationServer::builder()
            .tls(&authority)
            .access_token_lifetime(lifetime)
            .recorder(&recorder)
            .start()
            .await?;
        let mcp = McpServer::builder()
            .tls(&authority)
            .authorization(&authorization)
            .recorder(&recorder)
            .start()
            .await?;
        let folder = tempfile::Builder::new().prefix("doorkey-demo-").tempdir()?;
        let world = Self {
            authorization,
            mcp,
            authority,
            recorder,
            folder,
        };
        fs::write(world.certificate(), world.authority.pem())?;
        Ok(world)
    }

    pub(super) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server that the configuration can name.
    pub(super) fn server(&self) -> NewServer {
        NewServer::new(SERVER, self.mcp.url())
    }

    /// What a process of its own would start with: nothing but the home and the private CA.
    pub(super) fn host(&self) -> Result<Host, doorkey::Error> {
        let environment = Environment::new([
            ("DOORKEY_HOME", self.home()),
            ("DOORKEY_CA_CERTIFICATE", self.certificate()),
        ]);
        Ok(Host::open(environment)?.with_standalone_stream(false))
    }

    pub(super) fn at_home(&self) -> Home {
        Home::at(self.home())
    }

    /// The loopback listener as a login has it, and in place of a browser one that approves.
    pub(super) fn person(&self) -> Arc<LoopbackInteraction> {
        let (person, runtime) = (Person::new().trusting(&self.authority), Handle::current());
        let browser = PlatformBrowser::new(move |url| {
            runtime
                .block_on(person.open(url))
                .map(|_| ())
                .map_err(io::Error::other)
        });
        let interaction = LoopbackInteraction::new(Browser::Platform(browser), Arc::new(Silent));
        Arc::new(interaction.unattended(true))
    }

    /// What the servers were asked since the last time.
    pub(super) fn requests(&self) -> Vec<RecordedRequest> {
        let requests = self.recorder.requests();
        self.recorder.clear();
        requests
    }
}

/// What the server is called in the configuration.
pub(super) const SERVER: &str = "demo";
