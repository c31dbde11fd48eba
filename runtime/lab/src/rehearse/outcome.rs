//! What a rehearsal has measured.

use std::time::Duration;

use super::settings::{Experiment, Settings};
use gaitd_core::control::{AlertConstants, Load};

/// Everything that was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What was asked for.
    pub settings: Settings,
    /// The processor, as the operating system names it.
    pub machine: String,
    /// Number of the processor on which the engine and the co-runners met; none if they could not be pinned.
    pub cpu: Option<usize>,
    /// The model's name.
    pub model: String,
    /// Activities that it recognises.
    pub labels: usize,
    /// How often each inference was repeated.
    pub repeats: u32,
    /// The configurations, in the manifest's order.
    pub configurations: Vec<Measured>,
    /// Names of the policies, in the order of [`Settings::policies`].
    pub policies: Vec<String>,
    /// The experiments, as far as they came.
    pub courses: Vec<Course>,
    /// What spoils the figures, in sentences; empty when nothing does.
    pub warnings: Vec<String>,
}

/// A configuration as it was measured on the quiet machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Its name.
    pub id: String,
    /// Accuracy on held-out training subjects, a share.
    pub accuracy: f64,
    /// Multiply-accumulates of one inference, not repeated.
    pub macs: u64,
    /// Median latency of a repeated inference.
    pub latency: Duration,
    /// Its 90th percentile.
    pub p90: Duration,
}

/// The course of one experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Which one.
    pub experiment: Experiment,
    /// The constants that were fitted for ALERT, where it took turns with fitted ones.
    pub alert_fitted: Option<AlertConstants>,
    /// The phases that were begun.
    pub phases: Vec<Phase>,
    /// All inferences of all policies, in order of time.
    pub inferences: Vec<Inference>,
    /// It was not ended early.
    pub complete: bool,
}

/// A phase as it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// The budget.
    pub budget: Duration,
    /// Share of the processor that the co-runner was to take.
    pub load: f64,
    /// Start, since the experiment's own.
    pub start: Duration,
    /// End, since the experiment's start.
    pub end: Duration,
}

/// One policy's inference on one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inference {
    /// Index into [`Outcome::policies`].
    pub policy: usize,
    /// Index into [`Course::phases`].
    pub phase: usize,
    /// When it began, since the experiment's start.
    pub start: Duration,
    /// Index into [`Outcome::configurations`].
    pub rung: usize,
    /// How long it took: resampling and inference, as often as they were repeated.
    pub latency: Duration,
    /// The signals that the policy saw.
    pub signals: Load,
}

impl Outcome {
    /// How much slower than on the quiet machine `inference` was.
    #[must_use]
    pub fn slowdown(&self, inference: &Inference) -> f64 {
        let quiet = self.configurations[inference.rung].latency.max(Duration::from_nanos(1));
        inference.latency.as_secs_f64() / quiet.as_secs_f64()
    }

    /// Where the figures come from and how often inferences were repeated: a caveat for every figure and table.
    #[must_use]
    pub fn caveat(&self) -> String {
        let place = match self.cpu {
            Some(cpu) => format!("{}, processor {cpu}", self.machine),
            None => format!("{}, not pinned", self.machine),
        };
        match self.repeats {
            1 => format!("{place}; every inference as fast as this machine is"),
            repeats => format!("{place}; each inference repeated {repeats} times, to stand for a slower device"),
        }
    }
}
