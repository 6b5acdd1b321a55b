//! A private PostgreSQL server, and databases in it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use doorkey_testkit::Identity;
use tempfile::TempDir;

use crate::LIMIT;
use crate::daemon::{Daemon, User, find};

/// A server of Debian's newest PostgreSQL with `fsync` on. It stops, and its data go, when the value is dropped.
///
/// It is reached over a Unix socket in its own folder and, if it has a certificate, on 127.0.0.1 with TLS alone. Every
/// connection needs the password, which [`Database::connection_string`] holds.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    bin: PathBuf,
    user: User,
    /// Of TCP; without it nothing listens there.
    port: Option<u16>,
    /// `None` while it is stopped or killed.
    daemon: Mutex<Option<Daemon>>,
    made: AtomicU32,
}

/// A database of a server, for one test.
#[derive(Clone, Debug)]
pub struct Database {
    server: Arc<Postgres>,
    name: String,
}

impl Postgres {
    /// A new server, over a Unix socket.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start; the text says what to do.
    #[must_use]
    pub fn start() -> Arc<Self> {
        let server = Self::prepared(None);
        server.restart();
        Arc::new(server)
    }

    /// A new server that is reached on loopback too, with TLS and that certificate, which should name `localhost` or 127.0.0.1.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_tls(identity: &Identity) -> Arc<Self> {
        let server = Self::prepared(Some(identity));
        server.restart();
        Arc::new(server)
    }

    /// The server of all tests that run at the moment in this process. Who kills or stops a server takes one of its own.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn shared() -> Arc<Self> {
        // Not kept for ever: what a static holds is never dropped, and its server would outlive the tests.
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Self::start();
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// A new, empty database.
    ///
    /// # Panics
    /// If the server is not running.
    #[must_use]
    pub fn database(self: &Arc<Self>) -> Database {
        let name = format!("test_{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.sql(MAINTENANCE, &format!("CREATE DATABASE {name}"));
        Database {
            server: Arc::clone(self),
            name,
        }
    }

    /// Ends every process of the server at once, as a crash would. What a client was told is saved is on disk.
    pub fn kill(&self) {
        if let Some(mut daemon) = self.daemon().take() {
            daemon.kill();
        }
    }

    /// Shuts the server down: connections are ended, data are kept.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn stop(&self) {
        if let Some(mut daemon) = self.daemon().take() {
            assert!(
                daemon.end_by("INT", LIMIT),
                "the server ends:\n{}",
                daemon.said()
            );
        }
    }

    /// Starts the server on the data that it had, if it is not running, and returns when it takes connections.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&self) {
        let mut daemon = self.daemon();
        if daemon.is_none() {
            *daemon = Some(self.run());
        }
    }

    /// What the server logged since it was first started.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The folder of its Unix socket: the `host` of a connection string.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The password of the user `postgres`.
    pub(crate) fn password(&self) -> &'static str {
        PASSWORD
    }

    pub(crate) fn user(&self) -> User {
        self.user
    }

    fn daemon(&self) -> MutexGuard<'_, Option<Daemon>> {
        self.daemon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prepared(identity: Option<&Identity>) -> Self {
        let initdb = find("initdb", &["/usr/lib/postgresql/*/bin"], "postgresql");
        let bin = initdb.parent().expect("a program is in a folder");
        let user = User::unprivileged();
        let folder = tempfile::Builder::new()
            .prefix("doorkey-postgres-")
            .tempdir()
            .expect("a temporary folder can be made");
        user.give(folder.path());
        let mut server = Self {
            bin: bin.to_owned(),
            user,
            port: None,
            daemon: Mutex::default(),
            made: AtomicU32::default(),
            folder,
        };
        server.initialize();
        // As late as can be, so that nobody else takes it meanwhile.
        server.port = identity.map(|_| free_port());
        server.configure(identity);
        server
    }

    fn initialize(&self) {
        let password = self.folder.path().join("password");
        self.user.write(&password, PASSWORD);
        let mut command = self.user.command(&self.bin.join("initdb"));
        command
            .current_dir(self.folder.path())
            .args(["--username=postgres", "--auth=scram-sha-256"])
            .args(["--encoding=UTF8", "--no-locale", "--no-sync"])
            .arg("--pgdata")
            .arg(self.data())
            .arg("--pwfile")
            .arg(&password);
        output(&mut command);
    }

    fn configure(&self, identity: Option<&Identity>) {
        let data = self.data();
        let mut settings = format!(
            "listen_addresses = '{}'\n\
             unix_socket_directories = '{}'\n\
             port = {}\n\
             fsync = on\n\
             max_connections = 200\n\
             shared_buffers = 32MB\n\
             dynamic_shared_memory_type = mmap\n\
             log_line_prefix = '%d '\n",
            self.port.map_or("", |_| "127.0.0.1"),
            self.folder.path().display(),
            self.socket_port(),
        );
        let mut access = "local all all scram-sha-256\n".to_owned();
        if let Some(identity) = identity {
            settings.push_str("ssl = on\n");
            access.push_str("hostssl all all 127.0.0.1/32 scram-sha-256\n");
            self.user
                .write(&data.join("server.crt"), identity.certificate_pem());
            self.user
                .write(&data.join("server.key"), identity.key_pem());
        }
        self.user
            .write(&data.join("postgresql.auto.conf"), &settings);
        self.user.write(&data.join("pg_hba.conf"), &access);
    }

    fn run(&self) -> Daemon {
        let log = self.folder.path().join("log");
        let mut command = self.user.command(&self.bin.join("postgres"));
        command
            .current_dir(self.folder.path())
            .arg("-D")
            .arg(self.data());
        let mut daemon = Daemon::start(&mut command, &log);
        let pid_file = self.data().join("postmaster.pid");
        // The server says there who it is and how far it got; a file of one that was killed names another process.
        let is_ready = |id: u32| {
            let state = fs::read_to_string(&pid_file).unwrap_or_default();
            let mut lines = state.lines().map(str::trim);
            lines.next() == Some(id.to_string().as_str()) && lines.next_back() == Some("ready")
        };
        assert!(
            daemon.wait_until(is_ready),
            "PostgreSQL does not start:\n{}",
            daemon.said()
        );
        daemon
    }

    fn sql(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new(self.bin.join("psql"));
        command
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet"])
            .args(["--set=ON_ERROR_STOP=1", "--command", sql])
            .args(["--dbname", &self.connection_string(database)]);
        output(&mut command)
    }

    fn connection_string(&self, database: &str) -> String {
        format!(
            "host={} port={} user=postgres password={PASSWORD} dbname={database}",
            self.folder.path().display(),
            self.socket_port(),
        )
    }

    /// The number in the name of the socket: nothing listens on it, unless there is a port.
    pub(crate) fn socket_port(&self) -> u16 {
        self.port.unwrap_or(5432)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The segment of shared memory by which a server of System V style keeps a second one off its data outlives a
    /// server that is killed.
    fn remove_shared_memory(&self) {
        let state = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let Some(id) = state
            .lines()
            .nth(6)
            .and_then(|line| line.split_whitespace().nth(1))
        else {
            return;
        };
        drop(Command::new("ipcrm").args(["--shmem-id", id]).output());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Without a last checkpoint: nobody needs the data any more. One that does not go in time is killed when it is dropped,
        // in this statement.
        let daemon = self.daemon().take();
        if daemon.is_none_or(|mut daemon| !daemon.end_by("QUIT", QUIT_LIMIT)) {
            self.remove_shared_memory();
        }
    }
}

impl Database {
    /// How a client reaches it over the Unix socket, as the superuser: `key=value` pairs, the password among them.
    #[must_use]
    pub fn connection_string(&self) -> String {
        self.server.connection_string(&self.name)
    }

    /// How a client reaches it on loopback with TLS, by that name of the host.
    ///
    /// # Panics
    /// If the server was started without a certificate.
    #[must_use]
    pub fn tls_connection_string(&self, host: &str) -> String {
        let port = self.server.port.expect("the server has a certificate");
        let name = &self.name;
        format!("host={host} port={port} user=postgres password={PASSWORD} dbname={name}")
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server that it is in.
    #[must_use]
    pub fn server(&self) -> &Arc<Postgres> {
        &self.server
    }

    /// What `psql` prints of these statements: a row a line, columns divided by `|`.
    ///
    /// # Panics
    /// If one of them fails.
    pub fn sql(&self, sql: &str) -> String {
        self.server.sql(&self.name, sql)
    }

    /// Everything in it, as text: what `pg_dump` writes.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    pub fn dump(&self) -> String {
        let mut command = Command::new(self.server.bin.join("pg_dump"));
        command.args(["--inserts", "--dbname", &self.connection_string()]);
        output(&mut command)
    }
}

/// Runs a command that ends by itself, and returns what it printed.
fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("loopback has a free port")
        .port()
}

/// How long a server may take to go when nobody needs its data any more; then it is killed.
const QUIT_LIMIT: Duration = Duration::from_secs(10);
/// Only of the private server, which nobody else can reach.
const PASSWORD: &str = "only-for-this-test";
/// The database that every server has.
const MAINTENANCE: &str = "postgres";
