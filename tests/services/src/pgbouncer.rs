//! A private PgBouncer in front of a PostgreSQL server.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::daemon::{Daemon, find};
use crate::{Database, Postgres};

/// A pooler in transaction mode: each transaction of a client may run on another connection of the server, so that nothing
/// which belongs to a session lasts. It stops when the value is dropped.
#[derive(Debug)]
pub struct PgBouncer {
    daemon: Daemon,
    folder: TempDir,
    server: Arc<Postgres>,
}

impl PgBouncer {
    /// A new pooler in front of every database of that server, with at most `connections` to each.
    ///
    /// # Panics
    /// If PgBouncer is not installed or does not start; the text says what to do.
    #[must_use]
    pub fn start(server: &Arc<Postgres>, connections: u32) -> Self {
        let program = find("pgbouncer", &["/usr/sbin"], "pgbouncer");
        let user = server.user();
        let folder = tempfile::Builder::new()
            .prefix("doorkey-pgbouncer-")
            .tempdir()
            .expect("a temporary folder can be made");
        user.give(folder.path());
        let at = |name: &str| folder.path().join(name);
        let password = server.password();
        user.write(&at("users"), &format!("\"postgres\" \"{password}\"\n"));
        user.write(
            &at("settings"),
            &settings(folder.path(), server, connections),
        );
        let mut command = user.command(&program);
        command.current_dir(folder.path()).arg(at("settings"));
        let mut daemon = Daemon::start(&mut command, &at("log"));
        let socket = at(&format!(".s.PGSQL.{PORT}"));
        assert!(
            daemon.wait_until(|_| UnixStream::connect(&socket).is_ok()),
            "PgBouncer does not start:\n{}",
            daemon.said()
        );
        Self {
            daemon,
            folder,
            server: Arc::clone(server),
        }
    }

    /// How a client reaches that database of its server through the pooler.
    ///
    /// # Panics
    /// If the database is another server's.
    #[must_use]
    pub fn connection_string(&self, database: &Database) -> String {
        assert!(
            Arc::ptr_eq(&self.server, database.server()),
            "the pooler stands in front of another server"
        );
        format!(
            "host={} port={PORT} user=postgres password={} dbname={}",
            self.folder.path().display(),
            self.server.password(),
            database.name()
        )
    }

    /// Kills it: its clients lose their connections.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }
}

fn settings(folder: &Path, server: &Postgres, connections: u32) -> String {
    let (socket, port) = (server.socket_folder().display(), server.socket_port());
    let folder = folder.display();
    format!(
        "[databases]\n\
         * = host={socket} port={port}\n\
         [pgbouncer]\n\
         listen_addr =\n\
         listen_port = {PORT}\n\
         unix_socket_dir = {folder}\n\
         auth_type = scram-sha-256\n\
         auth_file = {folder}/users\n\
         pool_mode = transaction\n\
         default_pool_size = {connections}\n\
         max_client_conn = 500\n"
    )
}

/// The number in the name of its socket: nothing listens on it.
const PORT: u16 = 6432;
