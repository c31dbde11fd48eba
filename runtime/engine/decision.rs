//! What the engine answers for one window, and why.

use std::time::Duration;

use crate::control::{Choice, Reason, Signals};

/// The answer for one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Number of the window in its stream, from 0; dropped windows count.
    pub window: u64,
    /// First and last sample of the window, counted from 0 since the stream began.
    pub samples: (u64, u64),
    /// Stream time of the raw sample that completed the window, seconds, where the stream has timestamps.
    pub time_s: Option<f64>,
    /// Index of the recognised activity among the labels.
    pub activity: usize,
    /// Probability of each label.
    pub probabilities: Vec<f32>,
    /// The configuration and why it was picked.
    pub choice: Choice,
    /// Accuracy that was expected of the configuration for what the wearer was probably doing, if on time; 0 to 1.
    pub expected_accuracy: f64,
    /// The policy's estimate of the slowdown when it picked.
    pub slowdown: Option<f64>,
    /// The signals that the policy saw.
    pub signals: Signals,
    /// From the arrival of the last sample to the published decision.
    pub budget: Duration,
    /// Clock time at which the window's last sample arrived.
    pub arrived: Duration,
    /// From there to a complete, conditioned window.
    pub condition: Duration,
    /// From there until the engine took it.
    pub wait: Duration,
    /// Picking the configuration and resampling.
    pub prepare: Duration,
    /// The inference.
    pub infer: Duration,
    /// CPU time of the inference, where the clock tells it.
    pub cpu: Option<Duration>,
    /// Clock time at which the decision was there.
    pub decided: Duration,
}

impl Decision {
    /// A decision for `labels` activities, to be filled.
    #[must_use]
    pub fn empty(labels: usize) -> Self {
        Self {
            window: 0,
            samples: (0, 0),
            time_s: None,
            activity: 0,
            probabilities: vec![0.0; labels],
            choice: Choice { rung: 0, reason: Reason::Start, predicted: Duration::ZERO, miss_probability: None },
            expected_accuracy: 0.0,
            slowdown: None,
            signals: Signals::NONE,
            budget: Duration::ZERO,
            arrived: Duration::ZERO,
            condition: Duration::ZERO,
            wait: Duration::ZERO,
            prepare: Duration::ZERO,
            infer: Duration::ZERO,
            cpu: None,
            decided: Duration::ZERO,
        }
    }
}
