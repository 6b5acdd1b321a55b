//! The tables, how they are brought up to date, and the text of every statement.

use super::cause::Cause;
use super::database::Database;
use crate::Error;

/// The version of the schema that this crate knows: the number of its migrations.
pub(super) const VERSION: i32 = 1;

/// What makes the schema, if it is not there.
const CREATE_SCHEMA: &str = "CREATE SCHEMA IF NOT EXISTS {schema}";

/// What makes the table of the version, if it is not there.
const BOOTSTRAP: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS {schema}.store (
    id integer PRIMARY KEY,
    version integer NOT NULL,
    seal bytea
)",
    "INSERT INTO {schema}.store (id, version) VALUES (1, 0) ON CONFLICT (id) DO NOTHING",
];

/// What brings the schema from each version to the next. None of them is ever changed once it was released; each can be run again.
const MIGRATIONS: [&[&str]; VERSION as usize] = [&[
    "CREATE TABLE IF NOT EXISTS {schema}.records (
    kind text NOT NULL,
    name bytea NOT NULL,
    key bytea NOT NULL,
    generation bigint NOT NULL,
    write_id bytea NOT NULL,
    body bytea NOT NULL,
    saved_at timestamptz NOT NULL,
    PRIMARY KEY (kind, name)
)",
    "CREATE TABLE IF NOT EXISTS {schema}.set_aside (
    kind text NOT NULL,
    name bytea NOT NULL,
    generation bigint NOT NULL,
    key bytea NOT NULL,
    body bytea NOT NULL,
    defect text NOT NULL,
    set_aside_at timestamptz NOT NULL,
    PRIMARY KEY (kind, name, generation)
)",
    "CREATE TABLE IF NOT EXISTS {schema}.locks (
    kind text NOT NULL,
    name bytea NOT NULL,
    owner bytea NOT NULL,
    fence bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (kind, name)
)",
]];

/// The statements of [`PostgresBackend::migrations`](super::PostgresBackend::migrations).
pub(super) fn script(schema: &str) -> Result<String, Cause> {
    let schema = quoted(schema)?;
    let mut script = String::new();
    let mut push = |statement: &str| {
        script.push_str(&statement.replace("{schema}", &schema));
        script.push_str(";\n");
    };
    push(CREATE_SCHEMA);
    BOOTSTRAP.iter().for_each(|statement| push(statement));
    for (version, migration) in (1..).zip(MIGRATIONS) {
        migration.iter().for_each(|statement| push(statement));
        push(&reached(version));
    }
    Ok(script)
}

fn reached(version: i32) -> String {
    let before = version - 1;
    format!("UPDATE {{schema}}.store SET version = {version} WHERE id = 1 AND version = {before}")
}

/// Makes sure that the schema has the version that this crate knows, and makes it so if `migrates`.
pub(super) async fn ensure(database: &Database, migrates: bool) -> Result<(), Error> {
    let mut attempts = database.attempts("migrate");
    loop {
        match ensure_once(database, migrates).await {
            Ok(()) => return Ok(()),
            // Somebody else makes the same at the same moment: both see it made in the end.
            Err(cause) if cause.is_made_twice() => attempts.after(Cause::TimedOut).await?,
            Err(cause) => attempts.after(cause).await?,
        }
    }
}

async fn ensure_once(database: &Database, migrates: bool) -> Result<(), Cause> {
    let mut found = found(database).await?;
    if found.is_none_or(|found| found < VERSION) && !migrates {
        let (found, known) = (found.unwrap_or(0), VERSION);
        return Err(Cause::OlderSchema { found, known });
    }
    if found.is_none() {
        bootstrap(database).await?;
        found = Some(0);
    }
    for (version, migration) in (1..).zip(&database.sql.migrations) {
        if found < Some(version) {
            migrate(database, version, migration).await?;
        }
    }
    Ok(())
}

async fn bootstrap(database: &Database) -> Result<(), Cause> {
    // The right to make schemas is asked for even where this one is there, made by somebody for us.
    let refused = match database.execute(&database.sql.create_schema).await {
        Err(cause) if cause.is_forbidden() => Some(cause),
        made => made.map(|()| None)?,
    };
    for statement in &database.sql.bootstrap {
        match (database.execute(statement).await, &refused) {
            (Err(cause), Some(_)) if cause.is_missing_table() => {
                return Err(refused.unwrap_or(cause));
            }
            (done, _) => done?,
        }
    }
    Ok(())
}

/// The version of the schema, or `None` if there is none.
async fn found(database: &Database) -> Result<Option<i32>, Cause> {
    let rows = match database.query(&database.sql.version, &[]).await {
        Err(cause) if cause.is_missing_table() => return Ok(None),
        rows => rows?,
    };
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let found = row.try_get(0)?;
    if found > VERSION {
        let known = VERSION;
        return Err(Cause::NewerSchema { found, known });
    }
    Ok(Some(found))
}

/// Brings the schema to that version in one transaction, unless somebody else did: the row of the version is locked meanwhile.
async fn migrate(database: &Database, version: i32, migration: &[String]) -> Result<(), Cause> {
    let mut client = database.client().await?;
    let work = async {
        let transaction = client.transaction().await?;
        let rows = transaction
            .query_typed(&database.sql.lock_version, &[])
            .await?;
        let found: i32 = rows
            .first()
            .ok_or(Cause::Row("the version is missing"))?
            .try_get(0)?;
        if found < version {
            for statement in migration {
                transaction.batch_execute(statement).await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    };
    match tokio::time::timeout(MIGRATION_LIMIT, work).await {
        Ok(result) => result,
        Err(_) => {
            drop(deadpool_postgres::Object::take(client));
            Err(Cause::TimedOut)
        }
    }
}

/// Every statement of the store, for one schema.
#[derive(Debug)]
pub(super) struct Statements {
    create_schema: String,
    bootstrap: Vec<String>,
    migrations: Vec<Vec<String>>,
    version: String,
    lock_version: String,
    pub(super) seal: String,
    pub(super) claim_seal: String,
    pub(super) load: String,
    pub(super) generation: String,
    pub(super) insert: String,
    pub(super) update: String,
    pub(super) remove: String,
    pub(super) list: String,
    pub(super) list_set_aside: String,
    pub(super) set_aside: String,
    pub(super) discard: String,
    pub(super) acquire: String,
    pub(super) renew: String,
    pub(super) release: String,
}

impl Statements {
    pub(super) fn new(schema: &str) -> Result<Self, Cause> {
        let schema = quoted(schema)?;
        let of = |statement: &str| statement.replace("{schema}", &schema);
        let migration = |(version, statements): (i32, &[&str])| {
            let reached = of(&reached(version));
            statements.iter().map(|s| of(s)).chain([reached]).collect()
        };
        Ok(Self {
            create_schema: of(CREATE_SCHEMA),
            bootstrap: BOOTSTRAP.iter().map(|statement| of(statement)).collect(),
            migrations: (1..).zip(MIGRATIONS).map(migration).collect(),
            version: of("SELECT version FROM {schema}.store WHERE id = 1"),
            lock_version: of("SELECT version FROM {schema}.store WHERE id = 1 FOR UPDATE"),
            seal: of("SELECT seal FROM {schema}.store WHERE id = 1"),
            claim_seal: of("UPDATE {schema}.store SET seal = $1 WHERE id = 1 AND seal IS NULL"),
            load: of(
                "SELECT key, generation, write_id, body FROM {schema}.records \
                 WHERE kind = $1 AND name = $2",
            ),
            generation: of("SELECT generation FROM {schema}.records WHERE kind = $1 AND name = $2"),
            insert: of(
                "INSERT INTO {schema}.records (kind, name, key, generation, write_id, body, saved_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, now()) ON CONFLICT (kind, name) DO NOTHING \
                 RETURNING generation",
            ),
            update: of("UPDATE {schema}.records \
                 SET key = $3, generation = $4, write_id = $5, body = $6, saved_at = now() \
                 WHERE kind = $1 AND name = $2 AND generation = $7 RETURNING generation"),
            remove: of("DELETE FROM {schema}.records \
                 WHERE kind = $1 AND name = $2 AND generation = $3 RETURNING generation"),
            list: of("SELECT name, key FROM {schema}.records WHERE kind = $1"),
            list_set_aside: of(
                "SELECT name, key, generation FROM {schema}.set_aside WHERE kind = $1",
            ),
            set_aside: of("WITH moved AS (DELETE FROM {schema}.records \
                 WHERE kind = $1 AND name = $2 AND generation = $3 RETURNING key, body) \
                 INSERT INTO {schema}.set_aside (kind, name, generation, key, body, defect, set_aside_at) \
                 SELECT $1, $2, $3, key, body, $4, now() FROM moved \
                 ON CONFLICT (kind, name, generation) DO UPDATE SET key = excluded.key, body = excluded.body, \
                 defect = excluded.defect, set_aside_at = excluded.set_aside_at RETURNING generation"),
            discard: of("DELETE FROM {schema}.set_aside \
                 WHERE kind = $1 AND name = $2 RETURNING generation"),
            acquire: of(
                "INSERT INTO {schema}.locks AS held (kind, name, owner, fence, expires_at) \
                 VALUES ($1, $2, $3, 1, now() + $4 * interval '1 millisecond') \
                 ON CONFLICT (kind, name) DO UPDATE \
                 SET owner = excluded.owner, fence = held.fence + 1, expires_at = excluded.expires_at \
                 WHERE held.expires_at <= now() OR held.owner = excluded.owner RETURNING fence",
            ),
            renew: of(
                "UPDATE {schema}.locks SET expires_at = now() + $4 * interval '1 millisecond' \
                 WHERE kind = $1 AND name = $2 AND owner = $3 AND expires_at > now() \
                 RETURNING fence",
            ),
            release: of("UPDATE {schema}.locks SET expires_at = now() \
                 WHERE kind = $1 AND name = $2 AND owner = $3 AND expires_at > now()"),
        })
    }
}

/// The name of a schema as it stands in statements. What needs no quoting is all that is taken.
fn quoted(schema: &str) -> Result<String, Cause> {
    let fits = (1..=63).contains(&schema.len())
        && !schema.starts_with(|c: char| c.is_ascii_digit())
        && schema
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if !fits {
        let instead = "name the schema with a-z, 0-9 and _, up to 63 of them and no digit first";
        return Err(Cause::Options(instead));
    }
    Ok(format!("\"{schema}\""))
}

/// How long one migration may take.
const MIGRATION_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_schema_becomes_another_statement() {
        for name in ["doorkey", "_", "a1", &"x".repeat(63)] {
            assert!(Statements::new(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "1a",
            "A",
            "a b",
            "a\"",
            "a;b",
            "a.b",
            "ä",
            &"x".repeat(64),
        ] {
            assert!(Statements::new(name).is_err(), "{name}");
            assert!(script(name).is_err(), "{name}");
        }
    }
}
