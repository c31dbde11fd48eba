//! What a run's threads let others see while they work. Nobody on the way from a sample to its decision waits here: the
//! engine's thread only counts, and the other locks are held for a copy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::notify::Heartbeat;
use crate::engine::Decision;
use crate::publish::api::{OutputView, SourceState};
use crate::sense::StreamCounts;

/// Shared by all threads of a run.
pub(super) struct Live {
    /// Clock time at which the run began.
    pub(super) started: Duration,
    /// Beaten by the engine's thread.
    pub(super) heartbeat: Heartbeat,
    pub(super) source: SourceHealth,
    pub(super) decided: Counter,
    pub(super) failed: Counter,
    pub(super) switches: Counter,
    pub(super) published: Counter,
    /// Decided, and overtaken on the way to the output or lost there.
    pub(super) lost: Counter,
    pub(super) misses: Counter,
    sensed: Mutex<Sensed>,
    output: Mutex<OutputView>,
    latest: Mutex<Option<Decision>>,
}

/// What the sensing thread has counted so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sensed {
    /// What became of the samples.
    pub(super) stream: StreamCounts,
    /// Complete windows.
    pub(super) produced: u64,
    /// Windows overtaken by a newer one.
    pub(super) dropped: u64,
    /// Clock time of the latest sample.
    pub(super) latest: Option<Duration>,
}

/// How a source is; shared with those who ask.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceHealth(Arc<Mutex<Health>>);

/// How a source is, apart from whether samples flow.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    /// Never [`SourceState::Streaming`] or [`SourceState::Silent`]: that the samples tell.
    pub(super) state: SourceState,
    /// What is wrong, and when it is tried again.
    pub(super) detail: Option<String>,
    /// How often it could not be opened, failed or ended.
    pub(super) failures: u64,
}

impl SourceHealth {
    pub(super) fn get(&self) -> Health {
        lock(&self.0).clone()
    }

    pub(super) fn set(&self, state: SourceState, detail: Option<String>) {
        let mut health = lock(&self.0);
        (health.state, health.detail) = (state, detail);
    }

    pub(super) fn failed(&self, detail: String) {
        let mut health = lock(&self.0);
        (health.state, health.detail) = (SourceState::Retrying, Some(detail));
        health.failures += 1;
    }
}

/// Counts up.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Live {
    pub(super) fn new(now: Duration, output: OutputView) -> Self {
        Self {
            started: now,
            heartbeat: Heartbeat::new(now),
            source: SourceHealth::default(),
            decided: Counter::default(),
            failed: Counter::default(),
            switches: Counter::default(),
            published: Counter::default(),
            lost: Counter::default(),
            misses: Counter::default(),
            sensed: Mutex::default(),
            output: Mutex::new(output),
            latest: Mutex::default(),
        }
    }

    /// What the sensing thread has counted.
    pub(super) fn sensed(&self) -> MutexGuard<'_, Sensed> {
        lock(&self.sensed)
    }

    /// How the output is.
    pub(super) fn output(&self) -> MutexGuard<'_, OutputView> {
        lock(&self.output)
    }

    /// The latest decision, where somebody keeps it.
    pub(super) fn latest(&self) -> MutexGuard<'_, Option<Decision>> {
        lock(&self.latest)
    }
}

/// Locks what cannot be left half-changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
