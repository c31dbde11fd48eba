//! What the engine answers for one window, and why.

use std::sync::Arc;
use std::time::Duration;

use crate::control::{Choice, Estimate, Forecast, Load, Outlook, Reason};
use crate::ladder::{Configuration, Manifest};

/// What was expected of one configuration when the window's was picked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Considered {
    /// Its accuracy and CPU time.
    pub outlook: Outlook,
    /// Its latency.
    pub forecast: Forecast,
}

/// The answer for one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The ladder that answered; another one may answer the next window.
    pub manifest: Arc<Manifest>,
    /// Number of the window in its stream, from 0; dropped windows count.
    pub window: u64,
    /// First and last sample of the window, counted from 0 since the stream began.
    pub samples: (u64, u64),
    /// Stream time of the raw sample that completed the window, seconds, where the stream has timestamps.
    pub time_s: Option<f64>,
    /// Index of the recognised activity among the labels.
    pub activity: usize,
    /// Probability of each label: softmax(logits / temperature), with the temperature of the configuration.
    pub probabilities: Vec<f32>,
    /// The configuration and why it was picked.
    pub choice: Choice,
    /// One entry per configuration: accuracy (for what the wearer was probably doing, if on time), CPU time, latency.
    pub considered: Vec<Considered>,
    /// The policy's estimate of the slowdown when it picked.
    pub slowdown: Option<Estimate>,
    /// The load that the policy saw.
    pub signals: Load,
    /// From the arrival of the last sample to the published decision.
    pub budget: Duration,
    /// What of it was left for the inference when the configuration was picked.
    pub available: Duration,
    /// Clock time at which the window's last sample arrived.
    pub arrived: Duration,
    /// From there to a complete, conditioned window.
    pub condition: Duration,
    /// From there until the engine took it.
    pub wait: Duration,
    /// Picking the configuration.
    pub prepare: Duration,
    /// The inference, resampling included.
    pub infer: Duration,
    /// CPU time of the inference, where the clock measures it.
    pub cpu: Option<Duration>,
    /// Clock time at which the decision was there.
    pub decided: Duration,
}

impl Decision {
    /// A decision of the ladder `manifest`, to be filled.
    #[must_use]
    pub fn empty(manifest: &Arc<Manifest>) -> Self {
        let forecast = Forecast { predicted: Duration::ZERO, miss_probability: None };
        Self {
            manifest: Arc::clone(manifest),
            window: 0,
            samples: (0, 0),
            time_s: None,
            activity: 0,
            probabilities: vec![0.0; manifest.task.labels.len()],
            choice: Choice { rung: 0, reason: Reason::Start, forecast },
            considered: Vec::with_capacity(manifest.configurations.len()),
            slowdown: None,
            signals: Load::NONE,
            budget: Duration::ZERO,
            available: Duration::ZERO,
            arrived: Duration::ZERO,
            condition: Duration::ZERO,
            wait: Duration::ZERO,
            prepare: Duration::ZERO,
            infer: Duration::ZERO,
            cpu: None,
            decided: Duration::ZERO,
        }
    }

    /// Takes over all of `other`; allocates only where its ladder has more configurations or activities.
    pub fn copy_from(&mut self, other: &Self) {
        let (mut considered, mut probabilities) =
            (std::mem::take(&mut self.considered), std::mem::take(&mut self.probabilities));
        considered.clone_from(&other.considered);
        probabilities.clone_from(&other.probabilities);
        *self = Self { manifest: Arc::clone(&other.manifest), considered, probabilities, ..*other };
    }

    /// The configuration that answered.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.manifest.configurations[self.choice.rung]
    }

    /// The recognised activity's label.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.manifest.task.labels[self.activity]
    }

    /// Accuracy that was expected of the configuration for what the wearer was probably doing, if on time; 0 to 1.
    #[must_use]
    pub fn expected_accuracy(&self) -> f64 {
        self.considered.get(self.choice.rung).map_or(0.0, |considered| considered.outlook.accuracy)
    }
}
