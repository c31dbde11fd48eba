//! Control: which configuration the next window gets. Pure logic: no I/O, no threads, no clock of its own.
//!
//! A [`Policy`] is asked once per window ([`Policy::choose`]) and told afterwards how long the inference took
//! ([`Policy::observe`]). Time comes in as durations and load as [`Load`], so that every policy can be tested and
//! simulated deterministically.

mod alert;
mod fixed;
mod ledger;
mod load;
mod step;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use alert::Alert;
pub use fixed::Fixed;
pub use ledger::{Ledger, Phase};
pub use load::{Load, LoadProbe};
pub use step::Step;

/// What a policy knows of one configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Expected accuracy, a share from 0 to 1 (on held-out training subjects).
    pub accuracy: f64,
    /// Profiled latency of one inference on an idle device.
    pub latency: Duration,
}

/// What is known when the next window's configuration is picked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Situation {
    /// From the arrival of a window's last sample to its published decision.
    pub budget: Duration,
    /// What of the budget is left for the inference: without the time that has passed already and the time that
    /// publishing is expected to take.
    pub available: Duration,
    /// The latest load reading, where there is one.
    pub load: Option<Load>,
}

/// Why a configuration was picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The user wants this one.
    Fixed,
    /// It has the highest expected accuracy among those that will be on time.
    MostAccurateInTime,
    /// None is expected to be on time, and this is the fastest.
    NoneInTime,
    /// Its average latency is inside the band.
    InsideBand,
    /// The average latency was above the budget: one rung down.
    SteppedDown,
    /// The average latency was below the band: one rung up.
    SteppedUp,
    /// Nothing has been observed yet.
    Start,
}

impl Reason {
    /// The reason in a few words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::MostAccurateInTime => "most accurate in time",
            Self::NoneInTime => "none in time, fastest",
            Self::InsideBand => "inside the band",
            Self::SteppedDown => "too slow, one down",
            Self::SteppedUp => "time to spare, one up",
            Self::Start => "start",
        }
    }
}

/// A policy's pick for one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Index of the configuration.
    pub rung: usize,
    /// Why it was picked.
    pub reason: Reason,
    /// How long the inference is expected to take.
    pub predicted: Duration,
    /// Probability that it takes longer than what is available, where the policy estimates one.
    pub miss_probability: Option<f64>,
}

/// Picks the configuration for the next window.
pub trait Policy: Send {
    /// Picks a configuration.
    fn choose(&mut self, situation: &Situation) -> Choice;

    /// Learns that the configuration `rung` took `inference`.
    fn observe(&mut self, rung: usize, inference: Duration);

    /// The current estimate of the slowdown (observed latency / profiled latency; 1 on an idle device), where the
    /// policy keeps one.
    fn slowdown(&self) -> Option<f64>;
}

/// A policy and its tunables, as they stand in a configuration file under `control.policy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PolicySpec {
    /// Always the same configuration.
    Fixed {
        /// The configuration, such as `1.00x-128`; the most accurate one where none is given.
        #[serde(default)]
        configuration: Option<String>,
    },
    /// The paper's stepping policy: see [`Step`].
    Step {
        /// The average latency is kept between the budget and the budget less this band. Milliseconds, above 0 and
        /// at most the budget; two sevenths of the budget (the paper's 20 of 70 ms) where none is given.
        #[serde(default)]
        band_ms: Option<f64>,
        /// Inferences that are averaged, 1 or more.
        #[serde(default = "Step::default_average")]
        average: usize,
    },
    /// ALERT: see [`Alert`].
    Alert {},
}

impl Default for PolicySpec {
    fn default() -> Self {
        Self::Alert {}
    }
}

/// A policy that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// There is no such configuration.
    #[error("control.policy: the ladder has no configuration {id}; it has {}", known.join(", "))]
    UnknownConfiguration {
        /// What was asked for.
        id: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A tunable is out of its range.
    #[error("control.policy: {0}")]
    OutOfRange(String),
}

/// The terms that hold for every policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// The budget with which the daemon starts.
    pub budget: Duration,
    /// The allowed miss rate, a share from 0 to 1.
    pub miss_target: f64,
    /// Accuracy that a missed window counts for: a guess.
    pub guess_accuracy: f64,
}

impl PolicySpec {
    /// The name under which the policy stands in configurations, flags and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fixed { .. } => "fixed",
            Self::Step { .. } => "step",
            Self::Alert {} => "alert",
        }
    }

    /// Checks the tunables against a ladder whose configurations are named `ids`, and a budget.
    ///
    /// # Errors
    /// When a configuration is unknown or a tunable out of range.
    pub fn check(&self, ids: &[String], budget: Duration) -> Result<(), PolicyError> {
        match self {
            Self::Fixed { configuration: Some(id) } if !ids.contains(id) => {
                Err(PolicyError::UnknownConfiguration { id: id.clone(), known: ids.to_vec() })
            }
            Self::Step { average: 0, .. } => {
                Err(PolicyError::OutOfRange("average is 0, and must be 1 or more inferences".to_owned()))
            }
            Self::Step { band_ms: Some(band_ms), .. }
                if !(*band_ms > 0.0 && *band_ms <= budget.as_secs_f64() * 1e3) =>
            {
                Err(PolicyError::OutOfRange(format!(
                    "band_ms is {band_ms}, and must be above 0 and at most the budget of {} ms",
                    budget.as_secs_f64() * 1e3
                )))
            }
            Self::Fixed { .. } | Self::Step { .. } | Self::Alert {} => Ok(()),
        }
    }

    /// Makes the policy for `candidates` (at least one), whose names are `ids`.
    ///
    /// # Errors
    /// See [`PolicySpec::check`].
    pub fn make(
        &self,
        candidates: &[Candidate],
        ids: &[String],
        terms: &Terms,
    ) -> Result<Box<dyn Policy>, PolicyError> {
        self.check(ids, terms.budget)?;
        Ok(match self {
            Self::Fixed { configuration } => {
                let named = configuration.as_ref().and_then(|id| ids.iter().position(|known| known == id));
                Box::new(Fixed::new(candidates, named.unwrap_or_else(|| most_accurate(candidates))))
            }
            Self::Step { band_ms, average } => {
                // the paper's band: 20 of 70 ms
                let band = band_ms.map_or(terms.budget * 2 / 7, |band_ms| Duration::from_secs_f64(band_ms / 1e3));
                Box::new(Step::new(candidates, band, *average))
            }
            Self::Alert {} => Box::new(Alert::new(candidates, terms)),
        })
    }
}

/// An observed slowdown above this is taken for this: a suspended machine must not poison an estimate for hours.
const LARGEST_SLOWDOWN: f64 = 1e3;

impl Candidate {
    /// The slowdown that an inference of this configuration shows when it took `inference`.
    fn slowdown(&self, inference: Duration) -> f64 {
        let profiled = self.latency.max(Duration::from_nanos(1));
        (inference.as_secs_f64() / profiled.as_secs_f64()).min(LARGEST_SLOWDOWN)
    }

    /// The latency of this configuration under `slowdown`.
    fn slowed(&self, slowdown: f64) -> Duration {
        let seconds = self.latency.as_secs_f64() * slowdown.max(0.0);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

/// The index of the most accurate candidate; of equally accurate ones the fastest.
fn most_accurate(candidates: &[Candidate]) -> usize {
    best(candidates, |a, b| a.accuracy.total_cmp(&b.accuracy).then(b.latency.cmp(&a.latency)))
}

/// The index of the fastest candidate; of equally fast ones the most accurate.
fn fastest(candidates: &[Candidate]) -> usize {
    best(candidates, |a, b| b.latency.cmp(&a.latency).then(a.accuracy.total_cmp(&b.accuracy)))
}

fn best(candidates: &[Candidate], better: impl Fn(&Candidate, &Candidate) -> std::cmp::Ordering) -> usize {
    (0..candidates.len()).max_by(|&a, &b| better(&candidates[a], &candidates[b])).unwrap_or(0)
}
