//! An error cause that several waiters of one flight hold together.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A cause shared by every caller that waited for the same request.
///
/// It dereferences to the cause, which also is what the error's `source()` returns, so that
/// `downcast_ref` finds the original type.
pub struct Shared<E: ?Sized>(Arc<E>);

impl<E> Shared<E> {
    /// Wraps a cause.
    pub fn new(cause: E) -> Self {
        Self(Arc::new(cause))
    }
}

impl Shared<dyn std::error::Error + Send + Sync> {
    /// Wraps a cause of whatever type.
    pub(crate) fn of(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(cause))
    }
}

impl<E: ?Sized> Clone for Shared<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: ?Sized> Deref for Shared<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.0
    }
}

impl<E: ?Sized + fmt::Debug> fmt::Debug for Shared<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: ?Sized + fmt::Display> fmt::Display for Shared<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E> From<E> for Shared<E> {
    fn from(cause: E) -> Self {
        Self::new(cause)
    }
}

/// A lock whose holder cannot have left anything half done; a poisoned one is as good.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
