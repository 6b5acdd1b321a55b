//! Locks as leases: a row with an owner and an end by the server's clock, renewed while the guard lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::types::Type;

use super::cause::Cause;
use super::database::{Database, Param, Pauses};
use super::name::Name;
use super::records::{Records, random_id};
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
        let asked = Instant::now();
        claim.is_open = true;
        let failed = match claim.row.acquire().await {
            Ok(Some(fence)) => {
                let valid_until = asked + records.lease;
                let row = claim.take();
                let lease = Lease::start(row, fence, valid_until, turn);
                return Ok(LockGuard::new(lease));
            }
            Ok(None) => {
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
    /// Takes the row if nobody holds it; answers with its fence, or `None` if somebody does.
    async fn acquire(&self) -> Result<Option<i64>, Cause> {
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
            .query(&self.database.sql.acquire, &params)
            .await?;
        rows.first()
            .map(|row| row.try_get(0))
            .transpose()
            .map_err(Cause::from)
    }

    /// Puts the end off; `false` if the lease ran out or is somebody else's.
    async fn renew(&self, fence: i64) -> Result<bool, Cause> {
        let (name, owner) = (self.name.as_bytes(), self.owner.as_slice());
        let length = millis(self.length);
        let params: [Param<'_>; 5] = [
            (&self.kind, Type::TEXT),
            (&name, Type::BYTEA),
            (&owner, Type::BYTEA),
            (&fence, Type::INT8),
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
    state: Arc<State>,
    /// Dropping it ends the task's renewing.
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// What guard and task know of the lease.
#[derive(Debug)]
struct State {
    started: Instant,
    /// Milliseconds after `started` at which the lease ends for us, by our monotonic clock. It counts from before the server was asked, so
    /// that it is never later than the end in the row.
    valid_for: AtomicU64,
    is_lost: AtomicBool,
}

impl State {
    fn is_valid(&self) -> bool {
        !self.is_lost.load(Ordering::Acquire) && !self.left().is_zero()
    }

    fn left(&self) -> Duration {
        let end = Duration::from_millis(self.valid_for.load(Ordering::Acquire));
        end.saturating_sub(self.started.elapsed())
    }

    fn extend(&self, until: Instant) {
        let end = until.saturating_duration_since(self.started);
        let end = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
        self.valid_for.store(end, Ordering::Release);
    }
}

impl Lease {
    fn start(row: LockRow, fence: i64, valid_until: Instant, turn: Turn) -> Self {
        let state = Arc::new(State {
            started: Instant::now(),
            valid_for: AtomicU64::default(),
            is_lost: AtomicBool::default(),
        });
        state.extend(valid_until);
        let (stop, stopped) = oneshot::channel();
        let kept = Arc::clone(&state);
        let task = tokio::spawn(async move {
            tokio::select! {
                () = renew(&row, fence, &kept) => {
                    kept.is_lost.store(true, Ordering::Release);
                    tracing::warn!(kind = row.kind, fence, "the lease of a lock was lost");
                }
                _ = stopped => row.release().await,
            }
            // Whoever of this process comes next finds the row free.
            drop(turn);
        });
        Self {
            state,
            stop: Some(stop),
            task,
        }
    }
}

/// Renews the lease again and again, and returns when it is lost.
async fn renew(row: &LockRow, fence: i64, state: &State) {
    let third = row.length / 3;
    let mut pause = third;
    loop {
        tokio::time::sleep(pause.min(state.left())).await;
        if !state.is_valid() {
            return;
        }
        let asked = Instant::now();
        match tokio::time::timeout(state.left(), row.renew(fence)).await {
            Ok(Ok(true)) => {
                state.extend(asked + row.length);
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
        self.state.is_valid()
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
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// So that adding it to a point in time cannot overflow.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
