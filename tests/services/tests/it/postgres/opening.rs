//! Opening a store: migrations, versions, rights, and the key that all hosts must agree on.

use doorkey_store::{Backend as _, PostgresBackend, RecordKind};

use super::{chain, connect, key, options};
use crate::conformance::{grant, json};
use services::Postgres;

#[tokio::test]
async fn a_schema_is_made_once_and_what_is_in_it_stays() {
    let database = Postgres::shared().database();
    let store = connect(options(&database)).await.unwrap();
    store.save(&grant("a"), json(1), None).await.unwrap();
    let again = connect(options(&database)).await.unwrap();
    assert!(again.load(&grant("a")).await.unwrap().is_some());
    // Stores in other schemas are other stores.
    let other = connect(options(&database).schema("other")).await.unwrap();
    assert!(other.load(&grant("a")).await.unwrap().is_none());
    let described = store.describe();
    assert_eq!((described.kind, described.encrypted), ("postgres", false));
    assert!(
        described.location.contains(database.name()),
        "{described:?}"
    );
    assert!(!described.location.contains("user"), "{described:?}");
}

#[tokio::test]
async fn migrations_applied_by_hand_are_enough_and_can_be_applied_again() {
    let database = Postgres::shared().database();
    let by_hand = || options(&database).without_migration();
    let error = connect(by_hand()).await.unwrap_err();
    let said = chain(&error);
    assert!(said.contains("apply the migrations"), "{said}");
    assert!(!error.is_transient());
    let script = PostgresBackend::migrations("doorkey").unwrap();
    database.sql(&script);
    database.sql(&script);
    let store = connect(by_hand()).await.unwrap();
    store.save(&grant("a"), json(1), None).await.unwrap();
}

#[test]
fn the_page_for_operators_shows_the_migrations_as_they_are() {
    let page = include_str!("../../../../../docs/postgres.md");
    let script = PostgresBackend::migrations("doorkey").unwrap();
    for statement in script.split_inclusive(";\n") {
        assert!(page.contains(statement), "it lacks:\n{statement}");
    }
}

#[tokio::test]
async fn a_host_needs_no_more_rights_than_the_page_for_operators_says() {
    let database = Postgres::shared().database();
    database.sql(&PostgresBackend::migrations("doorkey").unwrap());
    database.sql("DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN PASSWORD 'app'");
    let page = include_str!("../../../../../docs/postgres.md");
    let grants: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("GRANT"))
        .collect();
    assert_eq!(grants.len(), 4);
    database.sql(&grants.concat());
    let connection = database
        .connection_string()
        .replace("user=postgres", "user=app")
        .replace("password=only-for-this-test", "password=app");
    let store = connect(super::options_of(connection)).await.unwrap();
    let first = store.save(&grant("a"), json(1), None).await.unwrap();
    let second = store.save(&grant("a"), json(2), Some(first)).await.unwrap();
    let lock = store.lock(&grant("a"), services::LIMIT).await.unwrap();
    lock.release().await;
    let defect = doorkey_store::Defect::NotAnObject;
    store.set_aside(&grant("a"), second, defect).await.unwrap();
    assert_eq!(store.discard_set_aside(&grant("a")).await.unwrap(), 1);
    assert!(
        store
            .list(RecordKind::Grant)
            .await
            .unwrap()
            .entries
            .is_empty()
    );
    drop(store);
    database.sql("DROP OWNED BY app; DROP ROLE app");
}

#[tokio::test]
async fn a_newer_schema_is_refused_clearly_and_left_alone() {
    let database = Postgres::shared().database();
    drop(connect(options(&database)).await.unwrap());
    database.sql("UPDATE doorkey.store SET version = 1000");
    let before = database.dump();
    let error = connect(options(&database)).await.unwrap_err();
    let said = chain(&error);
    assert!(
        said.contains("version 1000") && said.contains("update doorkey"),
        "{said}"
    );
    assert!(!error.is_transient());
    let comparable = |dump: &str| {
        let lines = dump.lines().filter(|line| !line.starts_with('\\'));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(comparable(&database.dump()), comparable(&before));
}

#[tokio::test]
async fn hosts_agree_on_the_key_or_are_refused_before_they_touch_a_record() {
    let server = Postgres::shared();
    let (sealed, clear) = (server.database(), server.database());
    let store = connect(options(&sealed).sealed_with(key(1))).await.unwrap();
    store.save(&grant("a"), json(1), None).await.unwrap();
    assert!(store.describe().encrypted);
    drop(connect(options(&clear)).await.unwrap());
    let cases = [
        (options(&sealed).sealed_with(key(2)), "another key"),
        (options(&sealed), "give the key"),
        (options(&clear).sealed_with(key(1)), "not sealed"),
    ];
    for (options, expected) in cases {
        let error = connect(options).await.unwrap_err();
        let said = chain(&error);
        assert!(said.contains(expected), "{said}");
        assert!(!error.is_transient(), "{said}");
    }
    let again = connect(options(&sealed).sealed_with(key(1))).await.unwrap();
    assert!(again.load(&grant("a")).await.unwrap().is_some());
    assert_eq!(again.problems(), []);
}

/// An operator makes the schema anew, and hosts restart one by one.
#[tokio::test]
async fn a_host_whose_key_is_outdated_is_told_and_sets_nothing_aside() {
    let database = Postgres::shared().database();
    let (clear, one, two) = (
        || options(&database),
        || options(&database).sealed_with(key(1)),
        || options(&database).sealed_with(key(2)),
    );
    let cases = [
        (one(), two(), "another key"),
        (clear(), two(), "give the key"),
        (one(), clear(), "not sealed"),
    ];
    for (before, after, expected) in cases {
        let old = connect(before).await.unwrap();
        database.sql("DROP SCHEMA doorkey CASCADE");
        let new = connect(after).await.unwrap();
        let saved = new.save(&grant("a"), json(1), None).await.unwrap();
        let error = old.load(&grant("a")).await.unwrap_err();
        let said = chain(&error);
        assert!(said.contains(expected), "{said}");
        assert!(!error.is_transient() && !error.needs_login(), "{said}");
        assert_eq!(old.problems(), [], "{expected}");
        let aside = database.sql("SELECT count(*) FROM doorkey.set_aside");
        assert_eq!(aside, "0", "{expected}");
        let kept = new.load(&grant("a")).await.unwrap().unwrap();
        assert_eq!(kept.generation, saved, "{expected}");
        // Where nothing says how records are sealed, nobody can tell who is outdated.
        database.sql("UPDATE doorkey.store SET seal = NULL");
        let error = old.load(&grant("a")).await.unwrap_err();
        assert!(!error.is_transient(), "{}", chain(&error));
        database.sql("DROP SCHEMA doorkey CASCADE");
    }
}

#[tokio::test]
async fn who_owns_an_empty_schema_and_may_create_no_other_makes_the_tables_in_it() {
    let database = Postgres::shared().database();
    database.sql("DROP ROLE IF EXISTS tenant; CREATE ROLE tenant LOGIN PASSWORD 'tenant'");
    let connection = database
        .connection_string()
        .replace("user=postgres", "user=tenant")
        .replace("password=only-for-this-test", "password=tenant");
    let open = || connect(super::options_of(connection.clone()));
    let error = open().await.unwrap_err();
    let said = chain(&error);
    assert!(said.contains("42501") && !error.is_transient(), "{said}");
    database.sql("CREATE SCHEMA doorkey AUTHORIZATION tenant");
    let store = open().await.unwrap();
    store.save(&grant("a"), json(1), None).await.unwrap();
    drop((store, open().await.unwrap()));
    database.sql("DROP OWNED BY tenant CASCADE; DROP ROLE tenant");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_transient_error() {
    let nowhere = "host=/nonexistent user=app dbname=d".to_owned();
    let limit = std::time::Duration::from_millis(500);
    let error = connect(super::options_of(nowhere).limit(limit))
        .await
        .unwrap_err();
    assert!(error.is_transient(), "{}", chain(&error));
    let database = Postgres::shared().database();
    let wrong = database
        .connection_string()
        .replace("password=only-for-this-test", "password=s3ntinel");
    let error = connect(super::options_of(wrong)).await.unwrap_err();
    let said = format!("{} {error:?}", chain(&error));
    assert!(!error.is_transient(), "{said}");
    assert!(!said.contains("s3ntinel"), "{said}");
}
