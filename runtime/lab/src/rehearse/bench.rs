//! Inferences on the bench: timed, and repeated where the machine stands for a slower one.

use std::time::Duration;

use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::ladder::{InferenceError, Ladder, Runner, nearest_rank};

/// A first idea of the latencies: the configurations take turns of a few inferences for so long, so that a short
/// disturbance does not spoil it.
const PILOT: Duration = Duration::from_millis(500);
const PILOT_BURST: usize = 5;

/// Inferences, each repeated.
pub(super) struct Bench {
    pub(super) ladder: Ladder,
    runner: Box<dyn Runner>,
    pub(super) repeats: u32,
    /// The work does not depend on the values, so they are zeros.
    window: Vec<f32>,
    logits: Vec<f32>,
    pub(super) clock: MonotonicClock,
}

impl Bench {
    pub(super) fn new(ladder: Ladder) -> Result<Self, InferenceError> {
        let runner = ladder.runner()?;
        let task = &ladder.manifest().task;
        let window = vec![0.0; task.channels.len() * task.window];
        let logits = vec![0.0; task.labels.len()];
        Ok(Self { ladder, runner, repeats: 1, window, logits, clock: MonotonicClock::start() })
    }

    /// How long resampling and inference take, as often as they are repeated.
    pub(super) fn infer(&mut self, rung: usize) -> Result<Duration, InferenceError> {
        let start = self.clock.now();
        for _ in 0..self.repeats {
            self.runner.infer(rung, &self.window, &mut self.logits)?;
        }
        Ok(self.clock.now().saturating_sub(start))
    }

    /// The median latency of every configuration, not repeated.
    pub(super) fn pilot(&mut self) -> Result<Vec<Duration>, InferenceError> {
        let mut latencies = vec![Vec::new(); self.ladder.configurations().len()];
        let end = self.clock.now() + PILOT;
        loop {
            for (rung, latencies) in latencies.iter_mut().enumerate() {
                for _ in 0..PILOT_BURST {
                    latencies.push(self.infer(rung)?);
                }
            }
            if self.clock.now() >= end {
                return Ok(latencies.iter_mut().map(|latencies| quantile(latencies, 0.5)).collect());
            }
        }
    }
}

/// The latency that the share `share` of `latencies` did not exceed (nearest rank); 0 if there are none.
pub(super) fn quantile(latencies: &mut [Duration], share: f64) -> Duration {
    latencies.sort_unstable();
    nearest_rank(latencies, share).unwrap_or_default()
}
