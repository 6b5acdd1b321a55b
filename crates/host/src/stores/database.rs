//! The database, connected when it is first used.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use doorkey_store::{
    Backend, BoxFuture, Defect, Error as StoreError, Generation, Listing, LockGuard,
    PostgresBackend, PostgresOptions, Problem, RawRecord, RecordId, RecordKind, SealingKey,
    StoreDescription, read_key_file,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::StoreOpenError;
use crate::assertion;
use crate::child::Withheld;
use crate::config::{NetworkSettings, PostgresSettings, UrlSource};
use crate::environment::Environment;
use crate::error::Error;
use crate::network;

/// A backend that connects with its first operation, and again with the next one if that failed.
pub(super) struct Database {
    url: Url,
    /// All but the URL.
    prepare: Box<dyn Fn(SecretString) -> PostgresOptions + Send + Sync>,
    encrypted: bool,
    connected: OnceCell<PostgresBackend>,
}

/// Where the URL is; of a variable what it says.
enum Url {
    Known(SecretString),
    File(PathBuf),
    Command(PathBuf, Vec<String>, Withheld),
}

impl Database {
    /// The database of these settings. Certificates, keys and variables are read now, the rest with the first use.
    pub(super) fn new(
        environment: &Environment,
        network: &NetworkSettings,
        settings: &PostgresSettings,
    ) -> Result<Self, Error> {
        let url = match &settings.url {
            UrlSource::Variable(name) => {
                match environment.text(name).map_err(StoreOpenError::from)? {
                    Some(text) => Url::Known(SecretString::from(text)),
                    None => {
                        return Err(Error::StoreOpen(StoreOpenError::Unset {
                            table: "store.postgres",
                            key: "url_env",
                            variable: name.clone(),
                        }));
                    }
                }
            }
            UrlSource::File(path) => Url::File(path.clone()),
            UrlSource::Command { program, arguments } => {
                let withheld = environment.withheld().clone();
                Url::Command(program.clone(), arguments.clone(), withheld)
            }
        };
        let key = settings.key_file.as_ref().map(read_key_file).transpose()?;
        let (roots, identity) = network::database_roots(environment, network)?;
        let tls = doorkey_http::tls_config(&roots, identity.as_ref(), ALPN);
        let tls = tls.map_err(|source| StoreOpenError::Tls(Box::new(source)))?;
        let (schema, encrypted) = (settings.schema.clone(), key.is_some());
        let prepare = move |url: SecretString| {
            let mut options = PostgresOptions::new(url.clone());
            if !refuses_tls(&url) {
                options = options.tls(tls.clone());
            }
            if let Some(schema) = &schema {
                options = options.schema(schema.as_str());
            }
            match &key {
                Some(key) => options.sealed_with(SealingKey::clone(key)),
                None => options,
            }
        };
        Ok(Self {
            url,
            prepare: Box::new(prepare),
            encrypted,
            connected: OnceCell::new(),
        })
    }

    async fn connected(&self) -> Result<&PostgresBackend, StoreError> {
        self.connected
            .get_or_try_init(|| async {
                let url = self.url().await.map_err(|error| StoreError::Backend {
                    store: KIND,
                    action: "learn where the database is",
                    transient: error.is_transient(),
                    source: Box::new(error),
                })?;
                PostgresBackend::connect((self.prepare)(url)).await
            })
            .await
    }

    async fn url(&self) -> Result<SecretString, assertion::SourceError> {
        match &self.url {
            Url::Known(url) => Ok(url.clone()),
            Url::File(path) => assertion::written_in(path),
            Url::Command(program, arguments, withheld) => {
                assertion::printed_by(program, arguments, withheld).await
            }
        }
    }
}

/// Everything is passed on to the connected store, or fails with why there is none.
macro_rules! passed_on {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        Box::pin(async move { $self.connected().await?.$method($($argument),*).await })
    };
}

impl Backend for Database {
    fn load<'a>(
        &'a self,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<Option<RawRecord>, StoreError>> {
        passed_on!(self, load(id))
    }

    fn generation<'a>(
        &'a self,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<Option<Generation>, StoreError>> {
        passed_on!(self, generation(id))
    }

    fn save<'a>(
        &'a self,
        id: &'a RecordId,
        bytes: Zeroizing<Vec<u8>>,
        expected: Option<Generation>,
    ) -> BoxFuture<'a, Result<Generation, StoreError>> {
        passed_on!(self, save(id, bytes, expected))
    }

    fn remove<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        passed_on!(self, remove(id, expected))
    }

    fn list(&self, kind: RecordKind) -> BoxFuture<'_, Result<Listing<RecordId>, StoreError>> {
        passed_on!(self, list(kind))
    }

    fn load_all(
        &self,
        kind: RecordKind,
    ) -> BoxFuture<'_, Result<Listing<(RecordId, RawRecord)>, StoreError>> {
        passed_on!(self, load_all(kind))
    }

    fn lock<'a>(
        &'a self,
        id: &'a RecordId,
        limit: Duration,
    ) -> BoxFuture<'a, Result<LockGuard, StoreError>> {
        passed_on!(self, lock(id, limit))
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a RecordId,
        expected: Generation,
        defect: Defect,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        passed_on!(self, set_aside(id, expected, defect))
    }

    fn discard_set_aside<'a>(
        &'a self,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        passed_on!(self, discard_set_aside(id))
    }

    fn problems(&self) -> Vec<Problem> {
        self.connected
            .get()
            .map(Backend::problems)
            .unwrap_or_default()
    }

    fn describe(&self) -> StoreDescription {
        match self.connected.get() {
            Some(connected) => connected.describe(),
            None => StoreDescription::new(KIND, "the database of [store.postgres]", self.encrypted),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("encrypted", &self.encrypted)
            .field("connected", &self.connected.get())
            .finish_non_exhaustive()
    }
}

/// Whether the URL says that there is no TLS, which the store then takes on this machine only.
fn refuses_tls(url: &SecretString) -> bool {
    url.expose_secret().contains("sslmode=disable")
}

const KIND: &str = "postgres";
/// What PostgreSQL is called in a TLS handshake.
const ALPN: &str = "postgresql";
