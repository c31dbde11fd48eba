//! What is known of one stream while it runs: its samples and windows, and how its source is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::sync::lock;
use gaitd_api::SourceState;
use gaitd_core::stream::StreamCounts;

/// What the sensing thread has counted so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sensed {
    /// What became of the samples.
    pub(crate) stream: StreamCounts,
    /// Complete windows.
    pub(crate) produced: u64,
    /// Windows overtaken by a newer one on the way to the engine.
    pub(crate) dropped: u64,
    /// Windows not decided for a sensor's fault.
    pub(crate) held: u64,
    /// Samples per second of late, once that is known.
    pub(crate) rate_hz: Option<f64>,
    /// By how much the grid is behind the newest sample, in seconds.
    pub(crate) delay_s: f64,
    /// Clock time of the latest sample.
    pub(crate) latest: Option<Duration>,
}

/// How a source is; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceHealth(Arc<Mutex<Health>>);

/// How a source is, apart from whether samples flow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// Never [`SourceState::Streaming`] or [`SourceState::Silent`], which follow from the samples.
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
