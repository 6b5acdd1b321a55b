//! The program itself, with its logins under a real keyring and in a real database.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use doorkey_testkit::{AuthorizationServer, Browser, CertificateAuthority, McpServer};
use services::{Keyring, KeyringState, Postgres};
use tempfile::TempDir;
use tokio::runtime::Runtime;

struct World {
    runtime: Runtime,
    authority: CertificateAuthority,
    _authorization: AuthorizationServer,
    mcp: McpServer,
    folder: TempDir,
    variables: Vec<(String, std::ffi::OsString)>,
}

struct Ran {
    code: i32,
    said: String,
}

impl World {
    fn start(store: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let authority = CertificateAuthority::new().unwrap();
        let (authorization, mcp) = runtime.block_on(async {
            let authorization = AuthorizationServer::builder().tls(&authority);
            let authorization = authorization.start().await.unwrap();
            let mcp = McpServer::builder()
                .tls(&authority)
                .authorization(&authorization);
            (authorization, mcp.start().await.unwrap())
        });
        let world = Self {
            runtime,
            authority,
            _authorization: authorization,
            mcp,
            folder: TempDir::new().unwrap(),
            variables: Vec::new(),
        };
        fs::write(world.folder.path().join("ca.pem"), world.authority.pem()).unwrap();
        world.configure(store);
        world
    }

    fn configure(&self, store: &str) {
        let url = self.mcp.url();
        let config = format!("{store}\n[mcp_servers.one]\nurl = \"{url}\"\n");
        fs::write(self.folder.path().join("config.toml"), config).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("DOORKEY_HOME", self.folder.path())
            .env("DOORKEY_CA_CERTIFICATE", self.folder.path().join("ca.pem"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        Ran {
            code: output.status.code().unwrap(),
            said: String::from_utf8(said).unwrap(),
        }
    }

    fn login(&self) -> Ran {
        let mut child = self
            .command(&["login", "one", "--no-browser"])
            .spawn()
            .unwrap();
        let mut said = String::new();
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            let line = line.unwrap();
            if line.starts_with("  https://") {
                let person = Browser::new().trusting(&self.authority);
                self.runtime.block_on(person.open(line.trim())).unwrap();
            }
            said.push_str(&line);
            said.push('\n');
        }
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        let code = child.wait().unwrap().code().unwrap();
        Ran { code, said }
    }

    fn within(&mut self, keyring: &Keyring) {
        let envs = keyring.envs().into_iter();
        self.variables = envs.map(|(name, value)| (name.to_owned(), value)).collect();
    }
}

impl Ran {
    #[track_caller]
    fn expect(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}", self.said);
        for text in said {
            assert!(
                self.said.contains(text),
                "{text:?} is not in\n{}",
                self.said
            );
        }
        self
    }
}

/// The program, which `cargo xtask services` builds with the database.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().unwrap().parent().unwrap().join("doorkey");
    assert!(
        built.exists(),
        "first: cargo build -p doorkey --features postgres"
    );
    built
}

#[test]
fn auto_keeps_the_key_in_the_keyring_and_never_falls_back_to_an_empty_store() {
    let mut keyring = Keyring::start(KeyringState::Unlocked);
    let mut world = World::start("");
    world.within(&keyring);
    let login = world.login().expect(0, &["signed in to one"]);
    assert!(!login.said.contains("plain text"), "{}", login.said);
    world.run(&["store", "show"]).expect(
        0,
        &["encrypted_file", "the keyring can keep the key", "1 login"],
    );
    world.run(&["tools", "one"]).expect(0, &["echo"]);

    keyring.change(KeyringState::Locked);
    for command in ["tools", "get"] {
        let locked = world.run(&[command, "one"]);
        locked.expect(9, &["the keyring is locked", "next: unlock the keyring"]);
    }
    keyring.change(KeyringState::Absent);
    world
        .run(&["tools", "one"])
        .expect(9, &["no keyring answers", "next: "]);
    let session = std::mem::take(&mut world.variables);
    world.run(&["tools", "one"]).expect(
        9,
        &[
            "DBUS_SESSION_BUS_ADDRESS is not set",
            "next: run it in the session",
        ],
    );
    world.variables = session;
    keyring.change(KeyringState::Unlocked);
    world.run(&["tools", "one"]).expect(0, &["echo"]);
    world
        .run(&["logout", "one"])
        .expect(0, &["login on this machine: removed"]);
}

#[test]
fn auto_takes_plain_files_where_no_keyring_is_and_says_why() {
    let why = "no keyring answers";
    let keyring = Keyring::start(KeyringState::Absent);
    let mut world = World::start("");
    world.within(&keyring);
    world.login().expect(0, &["plain text", why]);
    world
        .run(&["store", "show"])
        .expect(0, &["no usable keyring", why, "1 login"]);
    let moved = world.run(&["store", "migrate", "--to", "encrypted_file"]);
    moved.expect(
        9,
        &["would be in the keyring, which cannot be used", "new-key"],
    );
    world.run(&["tools", "one"]).expect(0, &["echo"]);
}

#[test]
fn auto_chooses_nothing_while_the_keyring_is_locked_and_says_what_to_write() {
    let keyring = Keyring::start(KeyringState::Locked);
    let mut world = World::start("");
    world.within(&keyring);
    for _ in 0..2 {
        world.login().expect(
            9,
            &[
                "is locked",
                "next: unlock the keyring",
                "passphrase_env = ",
                "backend = \"file\"",
            ],
        );
        assert!(!world.folder.path().join("state/store.json").exists());
    }
    world.configure("[store]\nbackend = \"file\"");
    world.login().expect(0, &["signed in to one"]);
}

#[test]
fn logins_move_into_the_keyring_and_out_of_it_and_a_logout_finds_them_there() {
    let keyring = Keyring::start(KeyringState::Unlocked);
    let mut world = World::start("[store]\nbackend = \"file\"");
    world.within(&keyring);
    world.login().expect(0, &["plain text"]);
    world
        .run(&["store", "migrate", "--to", "keyring"])
        .expect(0, &["write backend = \"keyring\" under [store]"]);
    world.configure("[store]\nbackend = \"keyring\"");
    world.run(&["tools", "one"]).expect(0, &["echo"]);
    world
        .run(&["store", "migrate", "--to", "encrypted_file"])
        .expect(0, &["copied: "]);
    world.configure("[store]\nbackend = \"encrypted_file\"");
    world
        .run(&[
            "store",
            "migrate",
            "--from",
            "keyring",
            "--to",
            "encrypted_file",
        ])
        .expect(0, &["encrypted_file is the store in use"]);
    world.run(&["tools", "one"]).expect(0, &["echo"]);

    // A second login of the same account, left in the keyring.
    world.configure("[store]\nbackend = \"keyring\"");
    world.login().expect(0, &["signed in to one"]);
    world.configure("[store]\nbackend = \"encrypted_file\"");
    world
        .run(&["logout", "one"])
        .expect(0, &["copy in the keyring store"]);
    world.configure("[store]\nbackend = \"keyring\"");
    world
        .run(&["tools", "one"])
        .expect(3, &["next: doorkey login one"]);
}

#[test]
fn homes_share_the_logins_of_a_database_that_is_away_for_a_moment() {
    let server = Postgres::start();
    let database = server.database();
    let url = database.connection_string();
    let postgres = "[store]\nbackend = \"postgres\"\n[store.postgres]\nurl_env = \"DATABASE\"\n\
                    key_file = \"database.key\"";
    let mut world = World::start("");
    let key = world.folder.path().join("database.key");
    world
        .run(&["store", "new-key", key.to_str().unwrap()])
        .expect(0, &[]);
    world.configure(postgres);
    world.variables = vec![("DATABASE".to_owned(), url.into())];
    world.login().expect(0, &["signed in to one"]);
    world
        .run(&["store", "show"])
        .expect(0, &["postgres", "1 login"]);
    world
        .run(&["list", "--json"])
        .expect(0, &["\"encrypted\": true", "\"kind\": \"postgres\""]);

    let elsewhere = TempDir::new().unwrap();
    for name in ["config.toml", "ca.pem", "database.key"] {
        fs::copy(world.folder.path().join(name), elsewhere.path().join(name)).unwrap();
    }
    let here = std::mem::replace(&mut world.folder, elsewhere);
    world.run(&["tools", "one"]).expect(0, &["echo"]);
    server.stop();
    world
        .run(&["tools", "one"])
        .expect(6, &["the server cannot be reached", "next: try again"]);
    server.restart();
    world
        .run(&["logout", "one"])
        .expect(0, &["login on this machine: removed"]);
    world.folder = here;
    world
        .run(&["tools", "one"])
        .expect(3, &["next: doorkey login one"]);
}
