//! Locks as leases: a row with an owner and an end by the server's clock, renewed while the guard lives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::types::Type;

use super::cause::Cause;
use super::database::{Database, Param, Pauses};
use super::name::Name;
use super::records::{Records, random_id};
use super::term::{Moment, Term};
use super::turns::Turn;
use crate::{BoxFuture, Error, HeldLock, LockGuard, RecordId};

/// Waits for the lock of a record and starts to renew it.
pub(super) async fn lock(
    records: &Records,
    id: &RecordId,
    limit: Duration,
) -> Result<LockGuard, Error> {
    let deadline = Instant::now() + limit.min(LONGEST_WAIT);
    let timeout = || Error::LockTimeout {
        id: id.clone(),
        location: records.location("locks", id.kind(), Name::of(id).as_bytes()),
        limit,
    };
    let Some(turn) = records.turns.wait(id, limit.min(LONGEST_WAIT)).await else {
        return Err(timeout());
    };
    let mut claim = Claim::new(records, id)?;
    let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let asked = Moment::now();
        claim.is_open = true;
        let left = deadline.saturating_duration_since(Instant::now());
        let failed = match claim.row.acquire(left.max(SHORTEST_ATTEMPT)).await {
            Ok(true) => {
                let lease = Lease::start(claim.take(), asked, turn);
                return Ok(LockGuard::new(lease));
            }
            Ok(false) => {
                claim.is_open = false;
                None
            }
            Err(cause) if cause.is_transient() => Some(cause),
            Err(cause) => return Err(cause.during(ACTION)),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(failed.map_or_else(timeout, |cause| cause.during(ACTION)));
        }
        tokio::time::sleep(pauses.next().min(left)).await;
    }
}

/// The row of a lock, for one owner.
#[derive(Clone, Debug)]
struct LockRow {
    database: Arc<Database>,
    kind: &'static str,
    name: Name,
    owner: [u8; ID_BYTES],
    length: Duration,
}

impl LockRow {
    /// Takes the row if nobody holds it; `false` if somebody does.
    async fn acquire(&self, limit: Duration) -> Result<bool, Cause> {
        let (name, owner) = (self.name.as_bytes(), self.owner.as_slice());
        let length = millis(self.length);
        let params: [Param<'_>; 4] = [
            (&self.kind, Type::TEXT),
            (&name, Type::BYTEA),
            (&owner, Type::BYTEA),
            (&length, Type::INT8),
        ];
        let rows = self
            .database
            .query_within(limit, &self.database.sql.acquire, &params)
            .await?;
        Ok(!rows.is_empty())
    }

    /// Puts the end off; `false` if the lease ran out or is somebody else's. The owner tells that alone, for it is drawn anew by
    /// each claim: the fence, which a late attempt of our own may raise as well, must not count.
    async fn renew(&self) -> Result<bool, Cause> {
        let (name, owner) = (self.name.as_bytes(), self.owner.as_slice());
        let length = millis(self.length);
        let params: [Param<'_>; 4] = [
            (&self.kind, Type::TEXT),
            (&name, Type::BYTEA),
            (&owner, Type::BYTEA),
            (&length, Type::INT8),
        ];
        let rows = self
            .database
            .query(&self.database.sql.renew, &params)
            .await?;
        Ok(!rows.is_empty())
    }

    /// Ends the lease now. What stays is the row with its fence.
    async fn release(&self) {
        let (name, owner) = (self.name.as_bytes(), self.owner.as_slice());
        let params: [Param<'_>; 3] = [
            (&self.kind, Type::TEXT),
            (&name, Type::BYTEA),
            (&owner, Type::BYTEA),
        ];
        let sql = &self.database.sql.release;
        if let Err(error) = self.database.repeat("release a lock", sql, &params).await {
            tracing::debug!(%error, "a lock could not be released; its lease will end");
        }
    }
}

/// An attempt to get a lock. Where it is given up while nobody knows whether it was got, it is released.
struct Claim {
    row: LockRow,
    /// Whether the server was asked and has not said no.
    is_open: bool,
}

impl Claim {
    fn new(records: &Records, id: &RecordId) -> Result<Self, Error> {
        Ok(Self {
            row: LockRow {
                database: Arc::clone(&records.database),
                kind: id.kind().as_str(),
                name: Name::of(id),
                owner: random_id()?,
                length: records.lease,
            },
            is_open: false,
        })
    }

    fn take(&mut self) -> LockRow {
        self.is_open = false;
        self.row.clone()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        // Without a runtime the lease, if there is one, ends by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let row = self.row.clone();
            drop(runtime.spawn(async move { row.release().await }));
        }
    }
}

/// A lease that a task renews until the guard is dropped, and then releases.
#[derive(Debug)]
struct Lease {
    term: Arc<Term>,
    /// Dropping it ends the task's renewing.
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Lease {
    fn start(row: LockRow, asked: Moment, turn: Turn) -> Self {
        let term = Arc::new(Term::new(asked, row.length));
        let (stop, stopped) = oneshot::channel();
        let kept = Arc::clone(&term);
        let task = tokio::spawn(async move {
            tokio::select! {
                () = renew(&row, &kept) => {
                    kept.end();
                    tracing::warn!(kind = row.kind, "the lease of a lock was lost");
                }
                _ = stopped => row.release().await,
            }
            // Whoever of this process comes next finds the row free.
            drop(turn);
        });
        Self {
            term,
            stop: Some(stop),
            task,
        }
    }
}

/// Renews the lease again and again, and returns when it is lost.
async fn renew(row: &LockRow, term: &Term) {
    let third = row.length / 3;
    let mut pause = third;
    loop {
        tokio::time::sleep(pause.min(term.left())).await;
        let left = term.left();
        if left.is_zero() {
            return;
        }
        let asked = Moment::now();
        match tokio::time::timeout(left, row.renew()).await {
            Ok(Ok(true)) => {
                term.renew(asked);
                pause = third;
            }
            Ok(Ok(false)) | Err(_) => return,
            Ok(Err(cause)) => {
                tracing::debug!(%cause, "a lease could not be renewed yet");
                pause = third / 10;
            }
        }
    }
}

impl HeldLock for Lease {
    fn is_held(&self) -> bool {
        !self.term.left().is_zero()
    }

    fn release(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.stop = None;
            // The task has limits of its own. Where it was cancelled, the runtime ends and the lease will.
            drop((&mut self.task).await);
        })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Bytes of an owner's and of a write's id.
pub(super) const ID_BYTES: usize = 16;
const ACTION: &str = "lock";
/// What one attempt may take at least, however little time the caller has: less, and a lock that is free could not be had over a
/// slow network.
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// So that adding it to a point in time cannot overflow.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
