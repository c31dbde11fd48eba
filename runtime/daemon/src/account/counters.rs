//! What a run's threads count while they work. No thread on the way from a sample to its decision waits here: the
//! engine's thread only counts, and the locks are held for a copy.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::history::History;
use crate::os::service_manager::Heartbeat;
use crate::stream::counters::{Sensed, SourceHealth};
use crate::stream::plausible::Findings;
use crate::sync::lock;
use gaitd_api::OutputState;
use gaitd_core::decode::Episode;
use gaitd_core::engine::Decision;

/// Counts up.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one run, shared by its threads; the table in [`crate::account`] says which thread counts what.
pub(crate) struct RunCounters {
    /// Clock time at which the run began.
    pub(crate) started: Duration,
    /// Beaten by the engine's thread.
    pub(crate) heartbeat: Heartbeat,
    pub(crate) source: SourceHealth,
    pub(crate) findings: Findings,
    pub(crate) decided: Counter,
    pub(crate) failed: Counter,
    /// Windows overtaken while they waited for the engine.
    pub(crate) overtaken: Counter,
    pub(crate) switches: Counter,
    /// Inferences begun before their windows were complete, those that answered, and those that answered for one that was late.
    pub(crate) begun: Counter,
    pub(crate) begun_answered: Counter,
    pub(crate) begun_late: Counter,
    /// Windows of cascades whose second inference was not needed, that it answered, for which it had no time, and where it failed.
    pub(crate) second_not_needed: Counter,
    pub(crate) second_answered: Counter,
    pub(crate) second_no_time: Counter,
    pub(crate) second_failed: Counter,
    /// Samples without which they begin; 0 where none do.
    pub(crate) missing: AtomicUsize,
    pub(crate) published: Counter,
    pub(crate) lost: Counter,
    pub(crate) misses: Counter,
    history: Mutex<History>,
    /// The episode that the end of the stream has ended.
    last_episode: Mutex<Option<Episode>>,
    sensed: Mutex<Sensed>,
    latest: Mutex<Option<Decision>>,
    latest_published: Mutex<Option<(u64, Duration)>>,
}

impl RunCounters {
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            started: now,
            heartbeat: Heartbeat::new(now),
            source: SourceHealth::default(),
            findings: Findings::default(),
            decided: Counter::default(),
            failed: Counter::default(),
            overtaken: Counter::default(),
            switches: Counter::default(),
            begun: Counter::default(),
            begun_answered: Counter::default(),
            begun_late: Counter::default(),
            second_not_needed: Counter::default(),
            second_answered: Counter::default(),
            second_no_time: Counter::default(),
            second_failed: Counter::default(),
            missing: AtomicUsize::new(0),
            published: Counter::default(),
            lost: Counter::default(),
            misses: Counter::default(),
            history: Mutex::default(),
            last_episode: Mutex::default(),
            sensed: Mutex::default(),
            latest: Mutex::default(),
            latest_published: Mutex::default(),
        }
    }

    /// What the wearer did.
    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    /// The episode that the end of the stream has ended, once the engine has stopped.
    pub(crate) fn last_episode(&self) -> MutexGuard<'_, Option<Episode>> {
        lock(&self.last_episode)
    }

    /// What the sensing thread has counted.
    pub(crate) fn sensed(&self) -> MutexGuard<'_, Sensed> {
        lock(&self.sensed)
    }

    /// The latest decision, where events are published.
    pub(crate) fn latest(&self) -> MutexGuard<'_, Option<Decision>> {
        lock(&self.latest)
    }

    /// The number of the latest window whose decision the first publisher has published, and how long that took.
    pub(crate) fn latest_published(&self) -> MutexGuard<'_, Option<(u64, Duration)>> {
        lock(&self.latest_published)
    }
}

/// The counters of one publisher, since it was first configured.
#[derive(Debug, Default)]
pub(crate) struct PublisherCounters {
    /// Decisions that it published.
    pub(crate) published: Counter,
    /// Decisions that were overtaken on the way to it, or that it could not publish.
    pub(crate) lost: Counter,
    health: Mutex<Health>,
}

/// How a publisher is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    pub(crate) state: OutputState,
    /// What is wrong with it.
    pub(crate) detail: Option<String>,
}

impl PublisherCounters {
    pub(crate) fn health(&self) -> Health {
        lock(&self.health).clone()
    }

    pub(crate) fn set_health(&self, state: OutputState, detail: Option<String>) {
        *lock(&self.health) = Health { state, detail };
    }
}
