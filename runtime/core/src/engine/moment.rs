//! Where a window ends in its stream.

use std::time::Duration;

use crate::ladder::Task;
use crate::window::Window;

/// The end of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Number of its last sample.
    pub(super) sample: u64,
    /// The stream's own time, seconds, where it has timestamps.
    pub(super) time_s: Option<f64>,
    /// The clock time at which that sample arrived.
    pub(super) arrived: Duration,
}

impl Moment {
    pub(super) fn of(window: &Window) -> Self {
        Self { sample: window.last_sample, time_s: window.time_s, arrived: window.arrived }
    }

    /// The stream's time from here to `later`: by its samples, and, since those that never came are not counted, by their
    /// timestamps, or by when they arrived where there are none and some samples in between are in no window.
    pub(super) fn until(&self, later: &Self, task: &Task) -> Duration {
        let samples = later.sample.saturating_sub(self.sample);
        let by_samples = Duration::from_secs_f64(samples as f64 / task.sample_rate_hz);
        let stamped = later.time_s.zip(self.time_s).map(|(now_s, before_s)| now_s - before_s);
        let stamped = stamped.and_then(|elapsed_s| Duration::try_from_secs_f64(elapsed_s).ok());
        by_samples.max(match stamped {
            Some(elapsed) => elapsed,
            None if samples > task.hop as u64 => later.arrived.saturating_sub(self.arrived),
            None => Duration::ZERO,
        })
    }
}
