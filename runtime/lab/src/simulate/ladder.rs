//! The configurations that a scenario simulates, from wherever it names.

use std::time::Duration;

use super::cascade::SimulatedCascade;
use super::scenario::{CascadeSpec, GivenConfiguration, HeadSpec};
use gaitd_core::control::{Candidate, Halves, Outlook, Pair, PolicyError, Short};
use gaitd_core::exit::{self, ExitCode};
use gaitd_core::ladder::{Manifest, Profile};

/// A scenario's configurations, resolved; at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedLadder {
    /// Their names, and after them those of the cascades.
    pub ids: Vec<String>,
    /// Accuracy and profiled latency.
    pub candidates: Vec<Candidate>,
    /// Multiply-accumulates of one inference; of a cascade, of both.
    pub macs: Vec<u64>,
    /// The last of the candidates.
    pub(super) cascades: Vec<SimulatedCascade>,
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
        let candidate = |c: &GivenConfiguration| Candidate {
            accuracy: c.accuracy,
            latency: duration(c.latency_ms),
            halves: None,
            cascade: None,
        };
        Self {
            ids: configurations.iter().map(|c| c.id.clone()).collect(),
            candidates: configurations.iter().map(candidate).collect(),
            macs: configurations.iter().map(|c| c.macs).collect(),
            cascades: Vec::new(),
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
            Ok(Candidate {
                accuracy: c.accuracy.validation.ok_or(ModelError::NoAccuracy)?,
                latency,
                halves: None,
                cascade: None,
            })
        });
        Ok(Self {
            ids: manifest.configurations.iter().map(|c| c.id.clone()).collect(),
            candidates: candidates.collect::<Result<_, _>>()?,
            macs: manifest.configurations.iter().map(|c| c.macs).collect(),
            cascades: Vec::new(),
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

    /// The same with `cascades` of its configurations.
    pub(super) fn with_cascades(mut self, cascades: &[CascadeSpec]) -> Result<Self, PolicyError> {
        let rungs = self.ids.clone();
        let rung = |id: &String| {
            let unknown = || PolicyError::UnknownConfiguration { id: id.clone(), known: rungs.clone() };
            rungs.iter().position(|known| known == id).ok_or_else(unknown)
        };
        for spec in cascades {
            let pair = Pair { small: rung(&spec.small)?, large: rung(&spec.large)? };
            let cascade = SimulatedCascade::new(pair, self.candidates[pair.small].accuracy, spec);
            let [small, large] = [pair.small, pair.large].map(|rung| &self.candidates[rung]);
            let candidate = Candidate::cascade(pair, small, large, cascade.accuracy());
            self.candidates.push(candidate);
            self.macs.push(self.macs[pair.small].saturating_add(self.macs[pair.large]));
            self.ids.push(format!("{}+{}", spec.small, spec.large));
            self.cascades.push(cascade);
        }
        Ok(self)
    }

    /// How many of the candidates are configurations.
    pub(super) fn rungs(&self) -> usize {
        self.candidates.len() - self.cascades.len()
    }

    /// What `plan` is a cascade of, if it is one.
    pub(super) fn cascade(&self, plan: usize) -> Option<&SimulatedCascade> {
        plan.checked_sub(self.rungs()).map(|place| &self.cascades[place])
    }

    /// What a policy is told of each plan.
    pub(super) fn outlook(&self) -> Vec<Outlook> {
        let cost = |candidate: &Candidate, cascade: Option<&SimulatedCascade>| match cascade {
            Some(cascade) => {
                let [small, large] = [cascade.pair.small, cascade.pair.large].map(|rung| self.candidates[rung].latency);
                small + large.mul_f64(cascade.asks())
            }
            None => candidate.latency,
        };
        let short = |cascade: &SimulatedCascade| Short { rung: cascade.pair.small, share: 1.0 - cascade.asks() };
        let outlook = |(plan, it): (usize, &Candidate)| {
            let cascade = self.cascade(plan);
            Outlook { accuracy: it.accuracy, cost: cost(it, cascade), short: cascade.map(short) }
        };
        self.candidates.iter().enumerate().map(outlook).collect()
    }
}

fn duration(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or(Duration::MAX)
}
