//! That the daemons are what the other tests take them for.

use std::process::Command;

use services::{Keyring, KeyringState, PgBouncer, Postgres, Process, say, told};

#[test]
fn a_server_that_is_killed_or_stopped_has_its_data_when_it_is_started_again() {
    let server = Postgres::start();
    let database = server.database();
    assert_eq!(database.sql("SHOW fsync"), "on");
    drop(database.sql("CREATE TABLE t (n integer); INSERT INTO t VALUES (1)"));
    server.kill();
    server.restart();
    drop(database.sql("INSERT INTO t VALUES (2)"));
    server.stop();
    server.restart();
    assert_eq!(database.sql("SELECT n FROM t ORDER BY n"), "1\n2");
    let folder = server.socket_folder().to_owned();
    drop((database, server));
    assert!(!folder.exists());
}

#[test]
fn databases_of_one_server_are_apart() {
    let server = Postgres::shared();
    let (one, other) = (server.database(), server.database());
    drop(one.sql("CREATE TABLE t (n integer)"));
    assert!(one.dump().contains("CREATE TABLE"));
    assert!(!other.dump().contains("CREATE TABLE"));
}

#[test]
fn a_pooler_hands_the_session_of_one_client_to_the_next() {
    let server = Postgres::shared();
    let database = server.database();
    let pooler = PgBouncer::start(&server, 1);
    let psql = |sql: &str| {
        let output = Command::new("psql")
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet"])
            .args(["--dbname", &pooler.connection_string(&database)])
            .args(["--command", sql])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let first = psql("SELECT pg_backend_pid()");
    assert!(first.trim().parse::<u32>().is_ok(), "{first}");
    assert_eq!(psql("SELECT pg_backend_pid()"), first);
    drop(psql("SET work_mem = '7MB'"));
    assert_eq!(psql("SHOW work_mem").trim(), "7MB", "sessions are shared");
}

#[test]
fn a_keyring_is_unlocked_locked_absent_or_killed() {
    let secret = |keyring: &Keyring, args: &[&str]| {
        let mut command = Command::new("dbus-send");
        command
            .args(["--session", "--print-reply", "--reply-timeout=5000"])
            .args(["--dest=org.freedesktop.secrets"])
            .arg("/org/freedesktop/secrets/aliases/default")
            .args(args)
            .envs(keyring.envs());
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let locked = [
        "org.freedesktop.DBus.Properties.Get",
        "string:org.freedesktop.Secret.Collection",
        "string:Locked",
    ];
    let mut keyring = Keyring::start(KeyringState::Locked);
    assert!(secret(&keyring, &locked).contains("boolean true"));
    keyring.change(KeyringState::Unlocked);
    assert!(secret(&keyring, &locked).contains("boolean false"));
    assert!(keyring.files().join("login.keyring").is_file());
    keyring.kill();
    assert_eq!(secret(&keyring, &locked), "");
    keyring.change(KeyringState::Locked);
    assert!(secret(&keyring, &locked).contains("boolean true"));
    keyring.change(KeyringState::Absent);
    assert_eq!(secret(&keyring, &locked), "");
}

#[test]
fn a_process_is_told_its_part_answers_and_is_paused_and_killed() {
    let mut process = Process::start("daemons::child", [("role", "count")]);
    assert_eq!(process.said(), "0");
    process.pause();
    process.resume();
    assert_eq!(process.said(), "1");
    process.kill();
    Process::start("daemons::child", []).passed();
}

/// What the process above does. It is no test of its own: without a role it does nothing.
#[test]
fn child() {
    if told("role").is_none() {
        return;
    }
    for number in 0..1_000_000 {
        say(&number.to_string());
    }
}
