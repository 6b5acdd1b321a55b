//! What the server is asked: only what docs/postgres.md says that an engine has to take.

use std::collections::BTreeSet;

use doorkey_store::{Backend as _, Defect, RecordKind};
use services::{Database, Postgres};

use super::{SHORT_LEASE, connect, key, options};
use crate::conformance::{grant, json};

#[tokio::test]
async fn every_statement_is_one_of_the_page_and_leaves_nothing_in_the_session() {
    let server = Postgres::shared();
    let database = server.database();
    let name = database.name();
    database.sql(&format!("ALTER DATABASE {name} SET log_statement = 'all'"));
    do_everything(&database).await;

    let statements = statements(&server.log(), name);
    let beginnings: BTreeSet<_> = statements.iter().map(|said| beginning(said)).collect();
    let others: Vec<_> = beginnings
        .iter()
        .filter(|said| !BEGINNINGS.contains(&said.as_str()))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    let unseen: Vec<_> = BEGINNINGS
        .iter()
        .filter(|known| !beginnings.contains(**known))
        .collect();
    assert!(unseen.is_empty(), "{unseen:?}");
    for statement in &statements {
        let upper = statement.to_uppercase();
        let found = OF_A_SESSION.iter().find(|word| upper.contains(**word));
        assert_eq!(found, None, "{statement}");
    }
}

/// Every operation of the store, on a database that is new.
async fn do_everything(database: &Database) {
    let sealed = || options(database).sealed_with(key(1));
    let store = connect(sealed().lease(SHORT_LEASE)).await.unwrap();
    drop(connect(sealed()).await.unwrap());
    let id = grant("a");
    let lock = store.lock(&id, services::LIMIT).await.unwrap();
    let first = store.save(&id, json(1), None).await.unwrap();
    let second = store.save(&id, json(2), Some(first)).await.unwrap();
    store.generation(&id).await.unwrap();
    store.load(&id).await.unwrap();
    store.list(RecordKind::Grant).await.unwrap();
    let defect = Defect::NotAnObject;
    store.set_aside(&id, second, defect).await.unwrap();
    store.discard_set_aside(&id).await.unwrap();
    let third = store.save(&id, json(3), None).await.unwrap();
    store.remove(&id, third).await.unwrap();
    tokio::time::sleep(SHORT_LEASE).await;
    assert!(lock.is_held(), "it was renewed");
    lock.release().await;
}

/// The statements of one database in the server's log: all of them unnamed.
fn statements(log: &str, database: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in log.lines() {
        let Some(said) = line.strip_prefix(&format!("{database} LOG:  ")) else {
            continue;
        };
        if let Some(statement) = said.strip_prefix("statement: ") {
            found.push(statement.to_owned());
        } else if let Some(executed) = said.strip_prefix("execute ") {
            let (name, statement) = executed.split_once(": ").unwrap();
            assert_eq!(name, "<unnamed>", "{statement}");
            found.push(statement.to_owned());
        }
    }
    found
}

fn beginning(statement: &str) -> String {
    let words: Vec<_> = statement.split_whitespace().take(2).collect();
    words.join(" ")
}

/// How the statements begin that the page names.
const BEGINNINGS: &[&str] = &[
    "COMMIT",
    "CREATE SCHEMA",
    "CREATE TABLE",
    "DELETE FROM",
    "INSERT INTO",
    "SELECT generation",
    "SELECT key,",
    "SELECT name,",
    "SELECT seal",
    "SELECT version",
    "START TRANSACTION",
    "UPDATE \"doorkey\".locks",
    "UPDATE \"doorkey\".records",
    "UPDATE \"doorkey\".store",
    "WITH moved",
];

/// Words of statements that leave something in a session, or that not every engine has.
const OF_A_SESSION: &[&str] = &[
    "ADVISORY",
    "CHECK",
    "COPY",
    "DECLARE",
    "EXTENSION",
    "FUNCTION",
    "LISTEN",
    "NOTIFY",
    "PREPARE",
    "REFERENCES",
    "SAVEPOINT",
    "SEQUENCE",
    "SERIAL",
    "SET SESSION",
    "SET_CONFIG",
    "TEMP",
    "TRIGGER",
];
