//! Turns within one process: only one task at a time asks the server for the lock of a record.
//!
//! The others wait here, in the order in which they came, instead of asking again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use super::name::Name;
use crate::{RecordId, RecordKind};

/// The turns of all records.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queues: Mutex<HashMap<(RecordKind, Name), Weak<Queue>>>,
}

type Queue = tokio::sync::Mutex<()>;

/// It is somebody's turn until this is dropped.
pub(super) type Turn = OwnedMutexGuard<()>;

impl Turns {
    /// Waits for a turn; `None` if it did not come within the limit.
    pub(super) async fn wait(&self, id: &RecordId, limit: Duration) -> Option<Turn> {
        let queue = self.queue(id);
        if let Ok(turn) = Arc::clone(&queue).try_lock_owned() {
            return Some(turn);
        }
        tokio::time::timeout(limit, queue.lock_owned()).await.ok()
    }

    fn queue(&self, id: &RecordId) -> Arc<Queue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (id.kind(), Name::of(id));
        if let Some(queue) = queues.get(&key).and_then(Weak::upgrade) {
            return queue;
        }
        if queues.len() >= QUEUES_SWEPT {
            queues.retain(|_, queue| queue.strong_count() > 0);
        }
        let queue = Arc::default();
        queues.insert(key, Arc::downgrade(&queue));
        queue
    }
}

/// How many queues there are before those that nobody stands in are cleared away.
const QUEUES_SWEPT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_task_at_a_time_and_queues_do_not_pile_up() {
        let turns = Turns::default();
        let id = |number: usize| RecordId::new(RecordKind::Grant, [number.to_string()]);
        let turn = turns.wait(&id(0), Duration::ZERO).await.unwrap();
        assert!(
            turns
                .wait(&id(0), Duration::from_millis(10))
                .await
                .is_none()
        );
        for number in 1..5 * QUEUES_SWEPT {
            assert!(turns.wait(&id(number), Duration::ZERO).await.is_some());
        }
        assert!(turns.queues.lock().unwrap().len() <= QUEUES_SWEPT);
        assert!(turns.wait(&id(0), Duration::ZERO).await.is_none());
        drop(turn);
        assert!(turns.wait(&id(0), Duration::ZERO).await.is_some());
    }
}
