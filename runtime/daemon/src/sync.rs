//! Locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks what cannot be left half-changed, even by a thread that panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
