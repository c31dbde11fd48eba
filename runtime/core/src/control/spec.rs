//! Policies as configurations name them: their tunables, their checks, and making them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::milliseconds;
use crate::exit::{self, ExitCode};

use super::{Alert, AlertConstants, Bayes, Candidate, Fixed, Policy, SlackFit, Step, most_accurate};

/// The most inferences that are averaged: they are all kept, and from this many the policy follows hardly anything.
const LONGEST_AVERAGE: usize = 1000;

/// A policy and its tunables, as they stand in a configuration file under `control.policy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Policy")]
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
        #[schemars(extend("exclusiveMinimum" = 0))]
        band_ms: Option<f64>,
        /// Inferences that are averaged, 1 to 1000.
        #[serde(default = "Step::default_average")]
        #[schemars(range(min = 1, max = LONGEST_AVERAGE))]
        average: usize,
    },
    /// SuperServe's SlackFit: see [`SlackFit`].
    Slackfit {},
    /// ALERT: see [`Alert`].
    Alert {
        /// Its constants; those that ALERT publishes where none are given.
        #[serde(default)]
        constants: AlertConstants,
    },
    /// gaitd's own: see [`Bayes`].
    Bayes {},
}

impl Default for PolicySpec {
    fn default() -> Self {
        Self::Bayes {}
    }
}

/// A policy that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// There is no such configuration.
    #[error("control: the ladder has no configuration {id}; it has {}", known.join(", "))]
    UnknownConfiguration {
        /// What was asked for.
        id: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A tunable is out of its range.
    #[error("control: {0}")]
    OutOfRange(String),
}

impl ExitCode for PolicyError {
    fn exit_code(&self) -> u8 {
        exit::CONFIG
    }
}

/// The terms that hold for every policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// The budget when the policy is made.
    pub budget: Duration,
    /// Accuracy that a missed window counts for: a guess.
    pub guess_accuracy: f64,
}

impl PolicySpec {
    /// ALERT as it was published.
    pub const ALERT: Self = Self::Alert { constants: AlertConstants::PUBLISHED };

    /// The name under which the policy stands in configurations, flags and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fixed { .. } => "fixed",
            Self::Step { .. } => "step",
            Self::Slackfit {} => "slackfit",
            Self::Alert { .. } => "alert",
            Self::Bayes {} => "bayes",
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
            Self::Step { average, .. } if !(1..=LONGEST_AVERAGE).contains(average) => Err(PolicyError::OutOfRange(
                format!("policy.average is {average}, and must be from 1 to {LONGEST_AVERAGE} inferences"),
            )),
            Self::Step { band_ms: Some(band_ms), .. } if milliseconds(*band_ms).is_none_or(|band| band > budget) => {
                Err(PolicyError::OutOfRange(format!(
                    "policy.band_ms is {band_ms}, and must be above 0 and at most the budget of {} ms",
                    budget.as_secs_f64() * 1e3
                )))
            }
            Self::Alert { constants } => constants.problem().map_or(Ok(()), |it| Err(PolicyError::OutOfRange(it))),
            Self::Fixed { .. } | Self::Step { .. } | Self::Slackfit {} | Self::Bayes {} => Ok(()),
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
                let band = band_ms.and_then(milliseconds).unwrap_or(terms.budget * 2 / 7);
                Box::new(Step::new(candidates, band, *average))
            }
            Self::Slackfit {} => Box::new(SlackFit::new(candidates)),
            Self::Alert { constants } => Box::new(Alert::new(candidates, terms, *constants)),
            Self::Bayes {} => Box::new(Bayes::new(candidates, ids, terms)),
        })
    }
}
