//! Why a server refused requests, for the test to read.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The latest reasons, one sentence each, oldest first.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<VecDeque<String>>);

impl Refusals {
    pub(crate) fn note(&self, why: String) {
        let mut reasons = self.reasons();
        if reasons.len() == LIMIT {
            reasons.pop_front();
        }
        reasons.push_back(why);
    }

    pub(crate) fn list(&self) -> Vec<String> {
        self.reasons().iter().cloned().collect()
    }

    fn reasons(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many reasons are kept.
const LIMIT: usize = 1000;
