//! How wrong the profile is, per configuration, learned while it runs.
//!
//! Two configurations that run one after the other under the same load show how the ratio of their latencies differs
//! from the profile's: a Kalman filter on the logarithm of true / profiled latency, of which only differences can be
//! seen. Zero on average is what is believed of them beforehand.

/// How wrong a profile is believed to be before anything is known: variance of the logarithm.
const PRIOR_VARIANCE: f32 = 0.15 * 0.15;

/// What is forgotten per comparison: caches and clocks change over the years.
const FORGOTTEN: f32 = 1e-6;

/// A comparison that differs by more (logarithm) has another cause than the profile.
const LARGEST_SURPRISE: f32 = 0.5;

/// Greatest correction either way (logarithm): a factor of 2.
const LARGEST: f32 = std::f32::consts::LN_2;

/// What of the evidence is let pass (logarithm): a policy switches for a reason, and what it then sees is not quite
/// fair.
const TOLERANCE: f32 = 0.03;

/// How much less sure a correction is after a restart (standard deviation of the logarithm): the clock's limits, the
/// kernel or the case may be others.
const RESTARTED: f32 = 0.05;

/// The learned corrections.
#[derive(Clone, Debug)]
pub(super) struct Corrections {
    /// What the evidence adds up to: natural logarithm of true / profiled latency.
    logs: Vec<f32>,
    variances: Vec<f32>,
}

impl Corrections {
    pub(super) fn new(rungs: usize) -> Self {
        Self { logs: vec![0.0; rungs], variances: vec![PRIOR_VARIANCE; rungs] }
    }

    /// Natural logarithm of true / profiled latency of the configuration `rung`, as it is reckoned with.
    pub(super) fn log(&self, rung: usize) -> f32 {
        let log = self.logs[rung];
        log - log.clamp(-TOLERANCE, TOLERANCE)
    }

    /// What the evidence for the configuration `rung` adds up to (logarithm), and its variance.
    pub(super) fn kept(&self, rung: usize) -> (f32, f32) {
        (self.logs[rung], self.variances[rung])
    }

    /// Goes on from what was kept of the configuration `rung`, less surely.
    pub(super) fn resume(&mut self, rung: usize, log: f32, variance: f32) {
        self.logs[rung] = log;
        self.variances[rung] = (variance + RESTARTED * RESTARTED).min(PRIOR_VARIANCE);
    }

    /// Whether a correction and its variance are such as can have been learned.
    pub(super) fn plausible(log: f32, variance: f32) -> bool {
        log.abs() <= LARGEST && (0.0..=PRIOR_VARIANCE).contains(&variance)
    }

    /// Whether more is known of a correction with this variance than before anything was.
    pub(super) fn known(variance: f32) -> bool {
        variance < 0.9 * PRIOR_VARIANCE
    }

    /// Learns that `rung`, run straight after `before` (another one), seemed to be under a slowdown that differs by
    /// `surprise` (logarithm) with a variance of `scatter`, where nothing else explains the difference with the
    /// probability `sure`.
    pub(super) fn learn(&mut self, before: usize, rung: usize, surprise: f32, scatter: f32, sure: f32) {
        if surprise.abs() > LARGEST_SURPRISE {
            return;
        }
        let (then, now) = (self.variances[before], self.variances[rung]);
        let gain = sure / (then + now + scatter);
        for (rung, variance, direction) in [(rung, now, 1.0), (before, then, -1.0)] {
            let log = self.logs[rung] + direction * gain * variance * surprise;
            self.logs[rung] = log.clamp(-LARGEST, LARGEST);
            self.variances[rung] = (variance - gain * variance * variance + FORGOTTEN).min(PRIOR_VARIANCE);
        }
    }
}
