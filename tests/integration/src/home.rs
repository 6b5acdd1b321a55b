//! A `DOORKEY_HOME` of its own: configuration, logins, the library and the program on it.

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use doorkey::{Environment, Host};
use doorkey_store::{Grant, GrantKey, Stored};
use tempfile::TempDir;

use crate::World;

/// The bytes of every stored record, by file name.
pub type Records = BTreeMap<String, Vec<u8>>;

/// Somebody's home, with the world's MCP server configured under [`Home::SERVER`].
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    url: String,
    pub(crate) desk: SocketAddr,
}

impl Home {
    /// The name of the server in the configuration.
    pub const SERVER: &'static str = "it";

    /// A home that trusts the world's authority. `settings` go into the server's table, further tables after them.
    ///
    /// # Panics
    /// When there is no place for temporary files.
    pub fn new(world: &World, settings: &str) -> Self {
        let home = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            url: world.mcp.url(),
            desk: world.person.desk(),
        };
        home.write("ca.pem", world.ca.pem().as_bytes());
        home.configure(settings);
        home
    }

    /// Replaces the settings of the server.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn configure(&self, settings: &str) {
        let text = format!(
            "[mcp_servers.{}]\nurl = {:?}\n{settings}\n",
            Self::SERVER,
            self.url
        );
        self.write("config.toml", text.as_bytes());
    }

    /// Writes a file beside the configuration and returns its path.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).expect("a writable folder");
        path
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The environment of every process on this home.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.path().join(name).display().to_string();
        vec![
            ("DOORKEY_HOME", self.path().display().to_string()),
            // The private authority alone: the machine's own certificates have no part in a test.
            ("SSL_CERT_FILE", path("ca.pem")),
            // What is said does not depend on where the tests run.
            ("container", "none".to_owned()),
        ]
    }

    /// Opens the home as a new process does: nothing but what is stored is known.
    ///
    /// # Panics
    /// When the home cannot be opened.
    pub fn host(&self) -> Host {
        Host::open(Environment::new(self.variables())).expect("a home")
    }

    /// The stored grant.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub async fn grant(&self) -> Option<Stored<Grant>> {
        let host = self.host();
        host.store().grant(&self.key()).await.expect("a store")
    }

    /// Lets the stored access token be expired, as if a day had passed.
    ///
    /// # Panics
    /// When there is no grant or the store cannot be written.
    pub async fn expire(&self) {
        self.change(|grant| grant.expires_at = Some(1)).await;
    }

    /// Changes the stored grant.
    ///
    /// # Panics
    /// When there is no grant or the store cannot be written.
    pub async fn change(&self, change: impl FnOnce(&mut Grant)) {
        let store = self.host().store().clone();
        let stored = store.grant(&self.key()).await.expect("a store");
        let Stored {
            mut value,
            generation,
            ..
        } = stored.expect("a grant");
        change(&mut value);
        store
            .save_grant(&self.key(), &value, Some(generation))
            .await
            .expect("a writable store");
    }

    /// The bytes of every stored grant and registration.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn records(&self) -> Records {
        let mut records = Records::new();
        read_records(&self.path().join("state"), &mut records).expect("a readable folder");
        records
    }

    /// The key of the server's grant.
    pub fn key(&self) -> GrantKey {
        GrantKey::new(&self.url, "default")
    }
}

fn read_records(folder: &Path, records: &mut Records) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            read_records(&path, records)?;
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_of_a_login = name.starts_with("grant") || name.starts_with("registration");
        // Beside the records there are their locks, which say nothing.
        if is_of_a_login && path.extension().is_some_and(|it| it == "json") {
            records.insert(name.into_owned(), fs::read(&path)?);
        }
    }
    Ok(())
}
