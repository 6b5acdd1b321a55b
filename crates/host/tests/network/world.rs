//! A host in this process, its home, and a person with a browser.

use std::error::Error as StdError;
use std::fs;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorkey::store::Store;
use doorkey::{
    Browser, Config, Connection, Environment, Error, Home, Host, LoopbackInteraction,
    PlatformBrowser, Silent,
};
use doorkey_testkit::CertificateAuthority;
use tempfile::TempDir;
use tokio::runtime::Handle;

pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file into the home in one step, as somebody does who renews a certificate.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// A host with this configuration.
    pub(crate) fn host(&self, config: &str) -> Host {
        let home = Home::at(self.folder.path());
        let config = Config::parse(&home, config).unwrap();
        assert!(config.warnings().is_empty(), "{:?}", config.warnings());
        let host = Host::new(Environment::default(), home, config, Store::memory());
        host.with_standalone_stream(false)
    }
}

/// Whoever signs in at a server of that authority.
pub(crate) fn person(authority: &CertificateAuthority) -> Arc<LoopbackInteraction> {
    let runtime = Handle::current();
    let authority = authority.clone();
    let browser = PlatformBrowser::new(move |url| {
        let visit = doorkey_testkit::Browser::new().trusting(&authority);
        let visited = runtime.block_on(visit.open(url));
        visited.map(drop).map_err(io::Error::other)
    });
    Arc::new(LoopbackInteraction::new(
        Browser::Platform(browser),
        Arc::new(Silent),
    ))
}

/// Whether a server can be reached and used now.
pub(crate) fn works<'a>(
    host: &'a Host,
    server: &'a str,
) -> Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>> {
    Box::pin(async move {
        let connection = host.connect(server).await?;
        let outcome = connection.list_tools().await.map(drop);
        close(connection).await;
        outcome
    })
}

pub(crate) async fn close(connection: Connection<doorkey::rmcp::model::ClientConfig>) {
    connection.close(Duration::from_secs(5)).await;
}

/// Tries until it is so: what changed is seen within a second, on a machine that is not busy.
pub(crate) async fn in_time<T>(mut attempt: impl AsyncFnMut() -> Result<T, Error>) -> T {
    let limit = Instant::now() + LIMIT;
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < limit, "{}", told(&error)),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The message with all its causes.
pub(crate) fn told(error: &Error) -> String {
    let first: &(dyn StdError + 'static) = error;
    let all = std::iter::successors(Some(first), |&error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap()
}

const LIMIT: Duration = Duration::from_secs(30);
