//! What a run's threads let others see while they work. Nobody on the way from a sample to its decision waits here: the
//! engine's thread only counts, and the other locks are held for a copy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::os::service_manager::Heartbeat;
use gaitd_api::{OutputView, SourceState};
use gaitd_core::engine::Decision;
use gaitd_core::stream::StreamCounts;

/// Shared by all threads of a run.
pub(crate) struct Live {
    /// Clock time at which the run began.
    pub(crate) started: Duration,
    /// Beaten by the engine's thread.
    pub(crate) heartbeat: Heartbeat,
    pub(crate) source: SourceHealth,
    pub(crate) decided: Counter,
    pub(crate) failed: Counter,
    pub(crate) switches: Counter,
    pub(crate) published: Counter,
    /// Decided, and overtaken on the way to the output or lost there.
    pub(crate) lost: Counter,
    pub(crate) misses: Counter,
    sensed: Mutex<Sensed>,
    output: Mutex<OutputView>,
    latest: Mutex<Option<Decision>>,
}

/// What the sensing thread has counted so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sensed {
    /// What became of the samples.
    pub(crate) stream: StreamCounts,
    /// Complete windows.
    pub(crate) produced: u64,
    /// Windows overtaken by a newer one.
    pub(crate) dropped: u64,
    /// Clock time of the latest sample.
    pub(crate) latest: Option<Duration>,
}

/// How a source is; shared with those who ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceHealth(Arc<Mutex<Health>>);

/// How a source is, apart from whether samples flow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// Never [`SourceState::Streaming`] or [`SourceState::Silent`]: that the samples tell.
    pub(crate) state: SourceState,
    /// What is wrong, and when it is tried again.
    pub(crate) detail: Option<String>,
    /// How often it could not be opened, failed or ended.
    pub(crate) failures: u64,
}

impl SourceHealth {
    pub(crate) fn get(&self) -> Health {
        lock(&self.0).clone()
    }

    pub(crate) fn set(&self, state: SourceState, detail: Option<String>) {
        let mut health = lock(&self.0);
        (health.state, health.detail) = (state, detail);
    }

    pub(crate) fn failed(&self, detail: String) {
        let mut health = lock(&self.0);
        (health.state, health.detail) = (SourceState::Retrying, Some(detail));
        health.failures += 1;
    }
}

/// Counts up.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Live {
    pub(crate) fn new(now: Duration, output: OutputView) -> Self {
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
    pub(crate) fn sensed(&self) -> MutexGuard<'_, Sensed> {
        lock(&self.sensed)
    }

    /// How the output is.
    pub(crate) fn output(&self) -> MutexGuard<'_, OutputView> {
        lock(&self.output)
    }

    /// The latest decision, where somebody keeps it.
    pub(crate) fn latest(&self) -> MutexGuard<'_, Option<Decision>> {
        lock(&self.latest)
    }
}

/// Locks what cannot be left half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
