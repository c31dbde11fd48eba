//! How fast recorded samples are handed on.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use gaitd_core::clock::Clock;
use gaitd_core::stream::{Reading, Sample};

/// A step in the timestamps longer than this is not waited for: a recording's pause of an hour is no reason to stand
/// still for an hour.
const LONGEST_WAIT_S: f64 = 5.0;

/// How fast a source hands on its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// As a sensor would: by the timestamps where there are any, else by the sample rate.
    #[default]
    Realtime,
    /// As they arrive: the other end of the pipe sets the pace.
    Live,
    /// As fast as they can be read.
    Fast,
}

/// Holds samples back until they are due.
///
/// The first sample is due at once. Each further one is due its timestamp step later, or one period later where it
/// has no timestamp or the step is negative or above 5 s. A reader that was held up catches up: the schedule does
/// not shift, just as a sensor's does not.
pub struct Pacer {
    clock: Arc<dyn Clock>,
    pace: Pace,
    period_s: f64,
    start: Option<Duration>,
    due_s: f64,
    last_s: Option<f64>,
    /// The sample that is not due yet, and the clock time at which it is.
    held: Sample,
    held_until: Option<Duration>,
}

impl Pacer {
    /// A pacer for a stream with `rate_hz` samples per second.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, pace: Pace, rate_hz: f64) -> Self {
        let held = Sample { time_s: None, values: Vec::new() };
        Self { clock, pace, period_s: rate_hz.recip(), start: None, due_s: 0.0, last_s: None, held, held_until: None }
    }

    /// Hands on every sample as it comes.
    pub(crate) fn let_go(&mut self) {
        self.pace = Pace::Fast;
    }

    /// The clock by which samples are due.
    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Waits until `sample`, the next one of the stream, is due. Where that is after `deadline`, keeps the sample for
    /// [`Pacer::resume`], and the reading is [`Reading::Pending`]; `sample` then holds another buffer.
    pub fn pace(&mut self, sample: &mut Sample, deadline: Duration) -> Reading {
        let Some(due) = self.due(sample) else { return Reading::Sample };
        if self.wait(due, deadline) {
            return Reading::Sample;
        }
        std::mem::swap(&mut self.held, sample);
        self.held_until = Some(due);
        Reading::Pending
    }

    /// Goes on waiting for the sample that is kept, and puts it into `sample` when it is due; nothing where none is kept.
    pub fn resume(&mut self, sample: &mut Sample, deadline: Duration) -> Option<Reading> {
        let due = self.held_until?;
        if !self.wait(due, deadline) {
            return Some(Reading::Pending);
        }
        std::mem::swap(&mut self.held, sample);
        self.held_until = None;
        Some(Reading::Sample)
    }

    /// Waits until clock time `due` (true), or `deadline` where that comes first (false).
    fn wait(&self, due: Duration, deadline: Duration) -> bool {
        self.clock.wait_until(due.min(deadline));
        due <= deadline || due <= self.clock.now()
    }

    /// The clock time at which `sample`, the next one of the stream, is due; nothing where it is due at once.
    fn due(&mut self, sample: &Sample) -> Option<Duration> {
        if self.pace != Pace::Realtime {
            return None;
        }
        let Some(start) = self.start else {
            self.start = Some(self.clock.now());
            self.last_s = sample.time_s;
            return None;
        };
        let step = sample.time_s.zip(self.last_s).map(|(now, last)| now - last);
        self.due_s += step.filter(|step| (0.0..=LONGEST_WAIT_S).contains(step)).unwrap_or(self.period_s);
        self.last_s = sample.time_s;
        // only a stream of centuries, or a rate of nothing, has no such instant
        Duration::try_from_secs_f64(self.due_s).ok().and_then(|due| start.checked_add(due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NO_DEADLINE;
    use gaitd_core::clock::ManualClock;

    fn arrivals(pace: Pace, times: &[Option<f64>]) -> Vec<f64> {
        let clock = Arc::new(ManualClock::default());
        let mut pacer = Pacer::new(clock.clone(), pace, 50.0);
        let wait = |time_s: &Option<f64>| {
            let mut sample = Sample { time_s: *time_s, values: vec![] };
            assert_eq!(pacer.pace(&mut sample, NO_DEADLINE), Reading::Sample);
            (clock.now().as_secs_f64() * 1e6).round() / 1e6
        };
        times.iter().map(wait).collect()
    }

    #[test]
    fn realtime_follows_the_timestamps() {
        let times = [Some(7.0), Some(7.02), Some(7.05), Some(7.05)];
        assert_eq!(arrivals(Pace::Realtime, &times), [0.0, 0.02, 0.05, 0.05]);
    }

    #[test]
    fn realtime_follows_the_rate_without_timestamps() {
        assert_eq!(arrivals(Pace::Realtime, &[None, None, None]), [0.0, 0.02, 0.04]);
    }

    #[test]
    fn absurd_steps_count_as_one_period() {
        let times = [Some(0.0), Some(1e300), Some(3600.0), Some(0.0), None, Some(f64::NAN), Some(1.0)];
        assert_eq!(arrivals(Pace::Realtime, &times), [0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12]);
    }

    #[test]
    fn a_sample_that_is_due_after_the_deadline_is_kept() {
        let clock = Arc::new(ManualClock::default());
        let mut pacer = Pacer::new(clock.clone(), Pace::Realtime, 50.0);
        let sample = |number: f64| Sample { time_s: Some(number), values: vec![number] };
        let (mut first, mut second) = (sample(0.0), sample(2.0));
        let at = Duration::from_secs;
        assert_eq!(pacer.pace(&mut first, at(1)), Reading::Sample);
        assert_eq!(pacer.pace(&mut second, at(1)), Reading::Pending);
        assert_eq!(clock.now(), at(1));
        assert_eq!(pacer.resume(&mut first, Duration::ZERO), Some(Reading::Pending));
        assert_eq!(pacer.resume(&mut first, at(3)), Some(Reading::Sample));
        assert_eq!((clock.now(), first), (at(2), sample(2.0)));
        assert_eq!(pacer.resume(&mut second, at(3)), None);
    }

    #[test]
    fn live_and_fast_never_wait() {
        let times = [Some(0.0), Some(1.0), Some(2.0)];
        assert_eq!(arrivals(Pace::Live, &times), [0.0; 3]);
        assert_eq!(arrivals(Pace::Fast, &times), [0.0; 3]);
    }
}
