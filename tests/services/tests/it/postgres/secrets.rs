//! What stands in the tables: nothing secret if records are sealed, and nothing that was put into another place is believed.

use doorkey_store::{
    Backend as _, Defect, Generation, Grant, GrantKey, PostgresBackend, ProblemKind, RecordKind,
    Store,
};
use services::{Database, Postgres};

use super::{connect, key, options};
use crate::conformance::{grant, json};

#[tokio::test]
async fn nothing_secret_can_be_read_in_the_tables_of_a_sealed_store() {
    let server = Postgres::shared();
    let (sealed, clear) = (server.database(), server.database());
    fill(connect(options(&clear)).await.unwrap()).await;
    fill(connect(options(&sealed).sealed_with(key(1))).await.unwrap()).await;
    for table in ["records", "set_aside"] {
        for database in [&sealed, &clear] {
            let rows = database.sql(&format!("SELECT count(*) FROM doorkey.{table}"));
            assert_eq!(rows, "1", "{table}");
        }
        // Bytes are printed in hexadecimal.
        let readable = |database: &Database, word: &str| {
            let hex: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
            let rows = database.sql(&format!("SELECT * FROM doorkey.{table}"));
            rows.contains(word) || rows.contains(&hex)
        };
        for word in [ACCESS, REFRESH, IN_URL, "mcp.example"] {
            assert!(readable(&clear, word), "{word} was saved in {table}");
            assert!(!readable(&sealed, word), "{word} can be read in {table}");
        }
    }
    // Nor anywhere else in the database.
    let dump = sealed.dump();
    for word in [ACCESS, REFRESH, IN_URL, "mcp.example"] {
        assert!(!dump.contains(word), "{word} can be read");
    }
}

/// One grant that is stored, and one that was set aside.
async fn fill(backend: PostgresBackend) {
    let store = Store::new(backend.clone());
    for account in ["default", "broken"] {
        let server = format!("https://mcp.example/mcp?token={IN_URL}");
        let mut grant = Grant::new("https://as.example", "client", "https://as.example/token");
        grant.access_token = Some(ACCESS.into());
        grant.refresh_token = Some(REFRESH.into());
        let key = GrantKey::new(server, account);
        let generation = store.save_grant(&key, &grant, None).await.unwrap();
        let listed = store.grants().await.unwrap();
        assert!(listed.entries.iter().any(|(listed, _)| *listed == key));
        if account == "broken" {
            let (id, defect) = (key.record_id(), Defect::NotAnObject);
            backend.set_aside(&id, generation, defect).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_row_that_was_set_aside_and_restored_can_be_set_aside_again() {
    let database = Postgres::shared().database();
    let store = connect(options(&database)).await.unwrap();
    let id = grant("a");
    let generation = store.save(&id, json(1), None).await.unwrap();
    let set_aside = || store.set_aside(&id, generation, Defect::NotAnObject);
    for word in ["first", "second"] {
        set_aside().await.unwrap();
        database.sql(&format!(
            "INSERT INTO doorkey.records \
             SELECT kind, name, key, generation, 'w', '\"{word}\"', now() FROM doorkey.set_aside"
        ));
    }
    set_aside().await.unwrap();
    assert!(store.load(&id).await.unwrap().is_none());
    // What was there last is what a person finds.
    let kept = database.sql("SELECT convert_from(body, 'UTF8') FROM doorkey.set_aside");
    assert_eq!(kept, "\"second\"");
    assert_eq!(store.discard_set_aside(&id).await.unwrap(), 1);
}

#[tokio::test]
async fn a_sealed_row_that_was_copied_put_back_or_changed_is_set_aside_and_kept() {
    let database = Postgres::shared().database();
    let store = connect(options(&database).sealed_with(key(1)))
        .await
        .unwrap();
    let kept = |table: &str| database.sql(&format!("SELECT count(*) FROM doorkey.{table}"));
    // Another record's bytes; an older version's; a bit that was flipped; bytes in the clear.
    let tampering = [
        "UPDATE doorkey.records SET body = (SELECT body FROM doorkey.records r WHERE r.kind = 'facts')",
        "UPDATE doorkey.records SET generation = generation + 1 WHERE kind = 'grant'",
        "UPDATE doorkey.records SET body = set_byte(body, 50, get_byte(body, 50) # 1) WHERE kind = 'grant'",
        "UPDATE doorkey.records SET body = '{\"n\":1}' WHERE kind = 'grant'",
    ];
    let other = doorkey_store::RecordId::new(RecordKind::Facts, ["https://a.example"]);
    store.save(&other, json(7), None).await.unwrap();
    for (round, sql) in (1..).zip(tampering) {
        store.save(&grant("a"), json(1), None).await.unwrap();
        database.sql(sql);
        assert!(store.load(&grant("a")).await.unwrap().is_none(), "{sql}");
        assert_eq!(kept("set_aside"), round.to_string(), "{sql}");
        assert!(store.load(&other).await.unwrap().is_some(), "{sql}");
    }
    let problems = store.problems();
    for defect in [Defect::SealBroken, Defect::NotSealed] {
        let is_told = problems.iter().any(|problem| {
            matches!(&problem.kind, ProblemKind::SetAside { defect: told, .. } if *told == defect)
        });
        assert!(is_told, "{defect}: {problems:?}");
    }
    // A login over what was broken works, and a logout leaves nothing.
    store.save(&grant("a"), json(2), None).await.unwrap();
    assert_eq!(store.discard_set_aside(&grant("a")).await.unwrap(), 4);
}

#[tokio::test]
async fn a_row_that_a_newer_version_sealed_is_neither_used_nor_overwritten_st_07() {
    let database = Postgres::shared().database();
    let store = connect(options(&database).sealed_with(key(1)))
        .await
        .unwrap();
    let first = store.save(&grant("a"), json(1), None).await.unwrap();
    database.sql("UPDATE doorkey.records SET body = set_byte(body, 6, 9)");
    assert!(store.load(&grant("a")).await.unwrap().is_none());
    let error = store.save(&grant("a"), json(2), None).await.unwrap_err();
    assert!(
        matches!(error, doorkey_store::Error::NewerVersion { found: 9, .. }),
        "{error}"
    );
    let error = store
        .remove(&grant("a"), Generation::new(7))
        .await
        .unwrap_err();
    assert!(
        matches!(error, doorkey_store::Error::NewerVersion { .. }),
        "{error}"
    );
    let left = database.sql("SELECT generation FROM doorkey.records");
    assert_eq!(left, first.to_string());
}

#[tokio::test]
async fn a_row_in_the_clear_that_holds_another_record_is_set_aside() {
    let database = Postgres::shared().database();
    let store = connect(options(&database)).await.unwrap();
    store.save(&grant("a"), json(1), None).await.unwrap();
    database.sql("UPDATE doorkey.records SET key = '[\"https://b.example\",\"default\"]'");
    let listed = store.list(RecordKind::Grant).await.unwrap();
    assert!(
        listed.entries.is_empty() && listed.problems.len() == 1,
        "{listed:?}"
    );
    assert!(store.load(&grant("a")).await.unwrap().is_none());
    assert_eq!(database.sql("SELECT count(*) FROM doorkey.set_aside"), "1");
}

#[tokio::test]
async fn a_record_that_is_larger_than_any_may_be_is_refused() {
    let database = Postgres::shared().database();
    let store = connect(options(&database)).await.unwrap();
    let huge = format!("{{\"n\":\"{}\"}}", "x".repeat(1024 * 1024));
    let save = store
        .save(&grant("a"), huge.into_bytes().into(), None)
        .await;
    let error = save.unwrap_err();
    assert!(
        matches!(error, doorkey_store::Error::TooLarge { .. }),
        "{error}"
    );
    let large = format!("{{\"n\":\"{}\"}}", "x".repeat(1000 * 1024)).into_bytes();
    store
        .save(&grant("a"), large.clone().into(), None)
        .await
        .unwrap();
    assert_eq!(
        *store.load(&grant("a")).await.unwrap().unwrap().bytes,
        large
    );
}

const ACCESS: &str = "acc3ss-sentinel";
const REFRESH: &str = "r3fresh-sentinel";
const IN_URL: &str = "url-s3ntinel";
