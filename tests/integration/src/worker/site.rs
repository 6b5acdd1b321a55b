//! What workers work against: servers, somebody signed in, and a store to look into.

use std::{path::PathBuf, time::Duration};

use doorkey_oauth::{AuthorizationConfig, Challenges};
use doorkey_store::{Grant, GrantKey, Store, Stored, create_key_file};
use doorkey_testkit::{
    AuthorizationServer, AuthorizationServerBuilder, CertificateAuthority, Fault, FaultRule, Leg,
    McpServer, Recorder,
};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::Place;
use crate::{LIMIT, World, program::beside_the_test};

/// An authorization server that rotates refresh tokens, and ends a login whose token comes twice, and a store with a login.
#[derive(Debug)]
pub struct Site {
    /// The servers, without TLS: what is tested here is not the wire.
    pub world: World,
    /// The store as the test sees it.
    pub store: Store,
    place: Option<Place>,
    folder: TempDir,
    /// What runs as a worker, and how it is told where the store is.
    pub(super) program: PathBuf,
    pub(super) argument: String,
}

impl Site {
    /// With a store of files in the clear.
    pub async fn on_files() -> Self {
        Self::with(|auth| auth, Place::File).await
    }

    /// With a store of encrypted files.
    pub async fn on_encrypted_files() -> Self {
        Self::with(|auth| auth, Place::Encrypted).await
    }

    /// With an authorization server that is otherwise, and a folder of that kind.
    ///
    /// # Panics
    /// When there is no place for temporary files, or no port.
    pub async fn with(
        auth: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
        place: impl FnOnce(PathBuf) -> Place,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = place(folder.path().join("state"));
        if let Place::Encrypted(state) = &place {
            create_key_file(Place::key(state)).expect("a key");
        }
        let site = Self {
            world: servers(auth).await,
            store: place.open(),
            program: beside_the_test("integration-worker", "cargo build -p integration"),
            argument: place.argument(),
            place: Some(place),
            folder,
        };
        site.sign_in().await;
        site
    }

    /// With a store of another kind, and the program that works on it: one that calls [`child::main`](super::child::main) and
    /// finds the store by `argument`.
    ///
    /// # Panics
    /// When there is no place for temporary files, or no port.
    pub async fn on(store: Store, program: PathBuf, argument: String) -> Self {
        let site = Self {
            world: servers(|auth| auth).await,
            store,
            program,
            argument,
            place: None,
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        site.sign_in().await;
        site
    }

    /// The folder.
    ///
    /// # Panics
    /// When the store is none.
    pub fn place(&self) -> &Place {
        self.place.as_ref().expect("a store of files")
    }

    /// Whether another process than the one that asks keeps the records.
    pub fn is_remote(&self) -> bool {
        self.place.is_none()
    }

    /// A folder for the test's own files.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Signs in, anew perhaps.
    ///
    /// # Panics
    /// When that fails.
    pub async fn sign_in(&self) {
        // Some tests lose a login many times a minute.
        let tokens = self
            .world
            .tokens(&self.store, |config| config.logins_per_minute = 1000);
        let source = tokens.build();
        let person = self.world.person.interaction();
        let report = source.login(&Challenges::default(), person).await;
        report.expect("a login");
        let drained = source.drain(LIMIT).await;
        drained.expect("a login that ends");
    }

    /// The stored grant.
    ///
    /// # Panics
    /// When there is none, or the store cannot be read.
    pub async fn grant(&self) -> Stored<Grant> {
        let stored = self.store.grant(&self.key()).await.expect("a store");
        stored.expect("a grant")
    }

    /// Whether the authorization server takes the stored refresh token.
    ///
    /// # Panics
    /// When there is no grant, or the store cannot be read.
    pub async fn is_honoured(&self) -> bool {
        let token = self.grant().await.value.refresh_token;
        token.is_some_and(|token| self.world.auth.honours(token.expose_secret()))
    }

    /// Lets the stored access token be expired, as if a day had passed.
    ///
    /// # Panics
    /// When there is no grant, or the store cannot be written.
    pub async fn expire(&self) {
        let Stored {
            mut value,
            generation,
            ..
        } = self.grant().await;
        (value.issued_at, value.expires_at) = (0, Some(1));
        value.recent_refreshes.clear();
        let key = self.key();
        let saved = self.store.save_grant(&key, &value, Some(generation));
        saved.await.expect("a writable store");
    }

    /// The key of the grant.
    pub fn key(&self) -> GrantKey {
        AuthorizationConfig::new(self.world.url()).grant_key()
    }

    /// Lets refreshes meet with this.
    pub fn fault(&self, fault: Fault) {
        let rule = FaultRule::on(Leg::Token).grant("refresh_token");
        self.world.auth.fault(rule.respond(fault));
    }

    /// Waits until so many refreshes have arrived at the server.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn asked(&self, count: usize) {
        let recorder = &self.world.recorder;
        let waiting = recorder.wait_until(LIMIT, "a refresh", |_| self.requests() >= count);
        waiting.await.expect("a refresh");
    }

    /// Waits until the server has rotated refresh tokens so often.
    ///
    /// # Panics
    /// When it does not.
    pub async fn rotated(&self, count: usize) {
        let (recorder, auth) = (&self.world.recorder, &self.world.auth);
        let waiting = recorder.wait_until(LIMIT, "an answer", |_| auth.refreshes() >= count);
        waiting.await.expect("an answer");
    }

    /// How many refreshes were asked for so far, whether they were answered or not.
    pub fn requests(&self) -> usize {
        let requests = self.world.recorder.of(Leg::Token);
        let is_refresh = |grant: Vec<String>| grant == ["refresh_token"];
        let refreshes = requests.iter();
        refreshes
            .filter(|request| is_refresh(request.form("grant_type")))
            .count()
    }

    /// Whether every record of the store can be read, and nothing had to be set aside.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub async fn is_sound(&self) -> bool {
        let listed = self.store.grants().await.expect("a store");
        listed.entries.len() == 1 && listed.problems.is_empty() && self.store.problems().is_empty()
    }
}

async fn servers(
    auth: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> World {
    let ca = CertificateAuthority::new().expect("a certificate authority");
    let recorder = Recorder::new();
    let base = AuthorizationServer::builder()
        .access_token_lifetime(Duration::from_secs(3600))
        .recorder(&recorder);
    let auth = auth(base).start().await.expect("a free port");
    let base = McpServer::builder()
        .authorization(&auth)
        .recorder(&recorder);
    let mcp = base.start().await.expect("a free port");
    World::of(ca, recorder, auth, mcp).await
}
