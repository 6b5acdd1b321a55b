//! Several runs side by side: most of a run is waiting.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The answers of `task` for each item, in the order of the items; as many at a time as there are cores.
pub(super) fn each<T: Sync, R: Send>(items: &[T], task: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(items.len()));
    let work = || {
        while let Some((index, item)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            items.get(index).map(|item| (index, item))
        } {
            let answer = task(item);
            // A task that panicked takes the scope with it: nobody sees what it left locked.
            if let Ok(mut answers) = answers.lock() {
                answers.push((index, answer));
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let mut answers = answers.into_inner().unwrap_or_default();
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_answered_once_and_in_its_order() {
        let items: Vec<u64> = (0..40).collect();
        let answers = each(&items, |item| {
            thread::sleep(std::time::Duration::from_millis(40 - item));
            item * 2
        });
        assert_eq!(
            answers,
            items.iter().map(|item| item * 2).collect::<Vec<_>>()
        );
    }
}
