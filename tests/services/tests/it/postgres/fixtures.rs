//! The rows of the first version, read for ever. Another implementation wrote them; none is ever changed.

use doorkey_store::{Backend as _, PostgresBackend, RecordId, RecordKind};
use serde_json::Value;
use services::Postgres;

use super::{connect, key, options};

#[tokio::test]
async fn rows_of_the_first_version_in_the_clear_are_read_for_ever() {
    let rows = include_str!("../../../../../crates/store/tests/fixtures/v1/postgres/plain.sql");
    are_read(rows, false).await;
}

#[tokio::test]
async fn sealed_rows_of_the_first_version_are_read_for_ever() {
    let rows = include_str!("../../../../../crates/store/tests/fixtures/v1/postgres/sealed.sql");
    are_read(rows, true).await;
}

async fn are_read(rows: &str, sealed: bool) {
    let server = Postgres::shared();
    let database = server.database();
    database.sql(&PostgresBackend::migrations("doorkey").unwrap());
    database.sql(rows);
    let mut options = options(&database);
    if sealed {
        options = options.sealed_with(key(7));
    }
    let store = connect(options).await.unwrap();
    let mut read = 0;
    for (id, value, generation) in envelopes() {
        let record = store.load(&id).await.unwrap().unwrap();
        assert_eq!(record.generation.number(), generation, "{id}");
        assert_eq!(
            serde_json::from_slice::<Value>(&record.bytes).unwrap(),
            value,
            "{id}"
        );
        assert!(
            store.list(id.kind()).await.unwrap().entries.contains(&id),
            "{id}"
        );
        read += 1;
    }
    assert_eq!((read, store.problems()), (7, Vec::new()));
}

/// Id, value and generation of the records that every kind of store has as fixtures.
fn envelopes() -> Vec<(RecordId, Value, u64)> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../crates/store/tests/fixtures/v1/plain"
    );
    let files = std::fs::read_dir(folder).unwrap();
    let read = |file: std::io::Result<std::fs::DirEntry>| {
        let envelope = std::fs::read(file.unwrap().path()).unwrap();
        let envelope: Value = serde_json::from_slice(&envelope).unwrap();
        let kind = RecordKind::from_name(envelope["kind"].as_str().unwrap()).unwrap();
        let id = RecordId::from_key(kind, &envelope["key"].to_string()).unwrap();
        let generation = envelope["generation"].as_u64().unwrap();
        (id, envelope["value"].clone(), generation)
    };
    files.map(read).collect()
}
