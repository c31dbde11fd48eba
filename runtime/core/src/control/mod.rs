//! Control: which configuration the next window gets. Pure logic: no I/O, no threads, no clock of its own.
//!
//! A [`Policy`] picks once per window ([`Policy::choose`]) and learns afterwards how long the inference took
//! ([`Policy::observe`]). Time comes in as durations and load as [`Load`], so that every policy can be tested and
//! simulated deterministically.
//!
//! | word | meaning |
//! | --- | --- |
//! | rung | a configuration of a loaded ladder, as an index among them |
//! | [`Candidate`] | what a policy knows of a rung from the start: accuracy and profiled latency |
//! | [`Overhead`] | how long windows take beside their inferences, learned; [`Available`] is what that leaves of the budget |
//! | [`Outlook`] | what the engine expects of a rung for the next window, whatever the load: accuracy and CPU time |
//! | [`Forecast`] | what a policy expects of a rung for the next window under the load: latency and probability of a miss |

mod activity;
mod alert;
mod allowance;
mod bayes;
mod demand;
mod fixed;
mod load;
mod overhead;
mod spec;
mod step;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use activity::{ActivityBelief, isotonic};
pub use alert::Alert;
pub use allowance::Allowance;
pub use bayes::{Bayes, Learned, LearnedError};
pub use demand::{Demand, Misses, Objective, Outlook, Situation, pick};
pub use fixed::Fixed;
pub use load::{Load, LoadProbe};
pub use overhead::{Available, Overhead};
pub use spec::{PolicyError, PolicySpec, Terms};
pub use step::Step;

/// The interval between inferences at which the constants of time were tuned: the hop of the shipped ladder. A policy
/// that reckons with time counts in this unit, and a simulation whose inferences have no time passes it.
pub const INTERVAL: Duration = Duration::from_millis(1280);

/// What a policy knows of one configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Expected accuracy, a share from 0 to 1 (on held-out training subjects).
    pub accuracy: f64,
    /// Profiled latency of one inference on an idle device.
    pub latency: Duration,
}

/// Why a configuration was picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The user wants this one.
    Fixed,
    /// It has the highest expected accuracy among those that will be on time.
    MostAccurateInTime,
    /// None is on time as surely as the miss target asks; this is among those that are late the least often.
    LeastLate,
    /// Waiting or publishing makes it late more often than the miss target asks, whatever is picked; this is what would be
    /// picked without that.
    LateElsewhere,
    /// It takes the least CPU time among those that are on time and accurate enough.
    CheapestAccurateEnough,
    /// It has the highest expected accuracy that the cap on the CPU share leaves.
    WithinCpuBudget,
    /// The cap on the CPU share leaves none; this is the cheapest of those that are on time and accurate enough.
    OverCpuBudget,
    /// The user has pinned this one.
    Pinned,
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
            Self::LeastLate => "least often late",
            Self::LateElsewhere => "late by waiting or publishing",
            Self::CheapestAccurateEnough => "cheapest accurate enough",
            Self::WithinCpuBudget => "most accurate within CPU budget",
            Self::OverCpuBudget => "cheapest, CPU budget spent",
            Self::Pinned => "pinned",
            Self::InsideBand => "inside the band",
            Self::SteppedDown => "too slow, one down",
            Self::SteppedUp => "time to spare, one up",
            Self::Start => "start",
        }
    }
}

/// What a policy believes of the slowdown (observed latency / profiled latency; 1 on an idle device).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation.
    pub spread: f64,
}

/// What a policy expects of one configuration for the window at hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// How long the inference is expected to take.
    pub predicted: Duration,
    /// Probability that the decision is late, for its inference or for what comes beside it, where the policy estimates one.
    pub miss_probability: Option<f64>,
}

/// A policy's pick for one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Index of the configuration.
    pub rung: usize,
    /// Why it was picked.
    pub reason: Reason,
    /// What is expected of it.
    pub forecast: Forecast,
}

/// Picks the configuration for the next window.
pub trait Policy: Send {
    /// Picks a configuration.
    fn choose(&mut self, situation: &Situation) -> Choice;

    /// The configuration that the next [`Policy::choose`] would pick however little time there is, where the policy does not
    /// go by that.
    fn only(&self) -> Option<usize> {
        None
    }

    /// Learns that the configuration `rung` took `inference`.
    fn observe(&mut self, rung: usize, inference: Duration);

    /// What the latest [`Policy::choose`] expected of `rung`; before the first, what the profile says.
    fn forecast(&self, rung: usize) -> Forecast;

    /// The current estimate of the slowdown, where the policy keeps one.
    fn slowdown(&self) -> Option<Estimate>;

    /// Writes what has been learned of the device into `into`, for a later [`Policy::resume`]. Allocates only where
    /// `into` has held nothing of this policy's yet. A policy that learns nothing worth keeping leaves it as it is.
    fn learned(&self, _into: &mut Option<Learned>) {}

    /// Goes on from what was learned in an earlier run; to be called before the first window. Returns how much of it
    /// could be used.
    ///
    /// # Errors
    /// When it is nothing that can have been learned; the policy is then as it was before.
    fn resume(&mut self, _learned: &Learned) -> Result<Resumed, LearnedError> {
        Ok(Resumed::Nothing)
    }
}

/// How much of what was learned in an earlier run a policy goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// All of it.
    Whole,
    /// What does not depend on the profile, which is another one by now.
    WithoutProfile,
    /// Nothing: another policy learned it, or this one learns nothing.
    Nothing,
}

/// An observed slowdown above this is taken for this: a suspended machine must not poison an estimate for hours.
const LARGEST_SLOWDOWN: f64 = 1e3;

impl Candidate {
    /// What the profile alone says.
    fn profiled(&self) -> Forecast {
        Forecast { predicted: self.latency, miss_probability: None }
    }

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
    let better = |a: &Candidate, b: &Candidate| a.accuracy.total_cmp(&b.accuracy).then(b.latency.cmp(&a.latency));
    (0..candidates.len()).max_by(|&a, &b| better(&candidates[a], &candidates[b])).unwrap_or(0)
}
