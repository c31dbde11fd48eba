//! The configurations that a scenario simulates, from wherever it names.

use std::time::Duration;

use super::scenario::{GivenConfiguration, HeadSpec};
use gaitd_core::control::{Candidate, Halves};
use gaitd_core::exit::{self, ExitCode};
use gaitd_core::ladder::{Manifest, Profile};

/// A scenario's configurations, resolved; at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedLadder {
    /// Their names.
    pub ids: Vec<String>,
    /// Accuracy and profiled latency.
    pub candidates: Vec<Candidate>,
    /// Multiply-accumulates of one inference.
    pub macs: Vec<u64>,
    /// What a missed window counts for.
    pub guess_accuracy: f64,
}

/// A model that cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The profile does not fit it.
    #[error("the profile has no latency of {id}; measure anew with `gaitd profile`")]
    Unprofiled {
        /// The configuration without a latency.
        id: String,
    },
    /// Nothing can be said of how often an answer is right.
    #[error(
        "a simulation adds up accuracies, and the manifest of this ladder does not know those of its configurations"
    )]
    NoAccuracy,
}

impl ExitCode for ModelError {
    fn exit_code(&self) -> u8 {
        exit::NO_INPUT
    }
}

impl SimulatedLadder {
    /// The configurations that stand in a scenario, of a network that recognises `labels` activities.
    #[must_use]
    pub fn given(labels: usize, configurations: &[GivenConfiguration]) -> Self {
        let candidate =
            |c: &GivenConfiguration| Candidate { accuracy: c.accuracy, latency: duration(c.latency_ms), halves: None };
        Self {
            ids: configurations.iter().map(|c| c.id.clone()).collect(),
            candidates: configurations.iter().map(candidate).collect(),
            macs: configurations.iter().map(|c| c.macs).collect(),
            guess_accuracy: 1.0 / labels as f64,
        }
    }

    /// A model's configurations with their validation accuracy, each as slow as `profile` expects it in use, times
    /// `scale`.
    ///
    /// # Errors
    /// When a configuration has not been profiled, or the accuracies are not known.
    pub fn of_model(manifest: &Manifest, profile: &Profile, scale: f64) -> Result<Self, ModelError> {
        let candidates = manifest.configurations.iter().map(|c| {
            let expected = profile.expected(&c.id).ok_or_else(|| ModelError::Unprofiled { id: c.id.clone() })?;
            let latency = duration(expected.as_secs_f64() * 1e3 * scale);
            Ok(Candidate { accuracy: c.accuracy.validation.ok_or(ModelError::NoAccuracy)?, latency, halves: None })
        });
        Ok(Self {
            ids: manifest.configurations.iter().map(|c| c.id.clone()).collect(),
            candidates: candidates.collect::<Result<_, _>>()?,
            macs: manifest.configurations.iter().map(|c| c.macs).collect(),
            guess_accuracy: manifest.guess_accuracy(),
        })
    }
}

impl SimulatedLadder {
    /// The same, of whose inferences a part is done beforehand, where `head` says so.
    pub(super) fn with_heads(&self, head: Option<&HeadSpec>) -> Self {
        let halves = |latency: Duration| {
            head.map(|head| Halves { head: latency.mul_f64(head.share), tail: latency.mul_f64(1.0 - head.share) })
        };
        let candidates = self.candidates.iter();
        let candidates = candidates.map(|it| Candidate { halves: halves(it.latency), ..it.clone() }).collect();
        Self { candidates, ..self.clone() }
    }
}

fn duration(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or(Duration::MAX)
}
