//! Connections to the database, single statements over them, and the attempts of an operation.

use std::time::{Duration, Instant};

use deadpool_postgres::{Client, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::cause::Cause;
use super::options::{Checked, PostgresOptions};
use super::schema::Statements;
use crate::{Error, seal};

/// A value for a statement, and the type that it is sent as.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// The connections, and how long each wait may take.
pub(super) struct Database {
    pool: Pool,
    location: String,
    /// The text of every statement, for the schema of this store.
    pub(super) sql: Statements,
    attempt: Duration,
    limit: Duration,
}

impl Database {
    /// Connects to nothing yet.
    pub(super) fn new(options: &PostgresOptions) -> Result<Self, Cause> {
        let Checked {
            config,
            location,
            attempt,
        } = options.checked()?;
        let sql = Statements::new(&options.schema)?;
        let recycling = ManagerConfig {
            // A query would double the round trips. A connection that died unseen costs one attempt.
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = match &options.tls {
            None => Manager::from_config(config, NoTls, recycling),
            Some(tls) => {
                let mut tls = (**tls).clone();
                // Newer servers refuse a client that offers other protocols, as one made for HTTP does.
                tls.alpn_protocols = vec![ALPN.to_vec()];
                Manager::from_config(config, MakeRustlsConnect::new(tls), recycling)
            }
        };
        let pool = Pool::builder(manager)
            .max_size(options.connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(attempt))
            .create_timeout(Some(attempt))
            .recycle_timeout(Some(attempt))
            .build()
            .map_err(|_| Cause::Closed)?;
        Ok(Self {
            pool,
            location: format!("{location} (schema {})", options.schema),
            sql,
            attempt,
            limit: options.limit,
        })
    }

    /// Where it is, for people: hosts, database and schema.
    pub(super) fn location(&self) -> &str {
        &self.location
    }

    /// One statement in one round trip, once, in the time of one attempt.
    pub(super) async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Cause> {
        self.query_within(self.attempt, sql, params).await
    }

    /// As [`Self::query`], for an operation that has no more time than that.
    pub(super) async fn query_within(
        &self,
        limit: Duration,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Cause> {
        let deadline = tokio::time::Instant::now() + limit.min(self.attempt);
        let client = match tokio::time::timeout_at(deadline, self.client()).await {
            Ok(client) => client?,
            Err(_) => return Err(Cause::TimedOut),
        };
        let busy = Busy::new(client);
        match tokio::time::timeout_at(deadline, busy.client()?.query_typed(sql, params)).await {
            Ok(answer) => busy.idle(answer),
            Err(_) => Err(Cause::TimedOut),
        }
    }

    /// Statements without values in one transaction of their own, once.
    pub(super) async fn execute(&self, sql: &str) -> Result<(), Cause> {
        let busy = Busy::new(self.client().await?);
        match tokio::time::timeout(self.attempt, busy.client()?.batch_execute(sql)).await {
            Ok(answer) => busy.idle(answer),
            Err(_) => Err(Cause::TimedOut),
        }
    }

    /// A connection for a transaction of several statements.
    pub(super) async fn client(&self) -> Result<Client, Cause> {
        Ok(self.pool.get().await?)
    }

    /// The attempts of one operation, beginning now.
    pub(super) fn attempts(&self, action: &'static str) -> Attempts {
        Attempts {
            action,
            deadline: Instant::now() + self.limit,
            pauses: Pauses::new(FIRST_PAUSE, LONGEST_PAUSE),
        }
    }

    /// One statement in one round trip, repeated while that may help: for what does no harm when it is done twice.
    pub(super) async fn repeat(
        &self,
        action: &'static str,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Error> {
        let mut attempts = self.attempts(action);
        loop {
            match self.query_within(attempts.left(), sql, params).await {
                Ok(rows) => return Ok(rows),
                Err(cause) => attempts.after(cause).await?,
            }
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// A connection that waits for an answer. Where that is given up, by us or by who dropped the future, the connection is closed: nobody
/// knows what it is still busy with, and whoever got it next would wait behind that.
pub(super) struct Busy(Option<Client>);

impl Busy {
    pub(super) fn new(client: Client) -> Self {
        Self(Some(client))
    }

    pub(super) fn client(&self) -> Result<&Client, Cause> {
        self.0.as_ref().ok_or(Cause::Closed)
    }

    /// The answer came: others may have the connection.
    fn idle<T>(mut self, answer: Result<T, tokio_postgres::Error>) -> Result<T, Cause> {
        drop(self.0.take());
        Ok(answer?)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Object::take(client));
        }
    }
}

/// How often an operation may still be tried.
#[derive(Debug)]
pub(super) struct Attempts {
    action: &'static str,
    deadline: Instant,
    pauses: Pauses,
}

impl Attempts {
    /// The time that is left.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Waits before the next attempt, or fails if there is to be none.
    pub(super) async fn after(&mut self, cause: Cause) -> Result<(), Error> {
        let pause = self.pauses.next();
        if !cause.is_transient() || self.left() <= pause {
            return Err(cause.during(self.action));
        }
        tracing::debug!(%cause, action = self.action, "the database store tries again");
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// Pauses between attempts: each twice as long as the one before, up to a bound, and shortened at random by up to a half, so that those
/// who failed together do not come back together.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            next: first,
            longest,
        }
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        let mut random = [0; 1];
        // Without randomness the pause is whole, which is safe.
        drop(seal::fill_random(&mut random));
        pause - pause / 2 * u32::from(random[0]) / 255
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The protocol's name in TLS, as PostgreSQL 17 checks it.
const ALPN: &[u8] = b"postgresql";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_differ() {
        let (first, longest) = (Duration::from_millis(20), Duration::from_millis(100));
        let mut pauses = Pauses::new(first, longest);
        let mut whole = first;
        let mut shortened = 0;
        for _ in 0..50 {
            let pause = pauses.next();
            assert!(pause <= whole && pause >= whole / 2, "{pause:?}");
            shortened += u32::from(pause < whole);
            whole = (whole * 2).min(longest);
        }
        assert!(shortened > 0);
    }
}
