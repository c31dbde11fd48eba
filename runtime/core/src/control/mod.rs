//! Control: which configuration the next window gets. Pure logic: no I/O, no threads, no clock of its own.
//!
//! A [`Policy`] picks once per window ([`Policy::choose`]) and learns afterwards how long the inference took
//! ([`Policy::observe`]). Time comes in as durations and load as [`Load`], so that every policy can be tested and
//! simulated deterministically.
//!
//! | word | meaning |
//! | --- | --- |
//! | rung | a configuration of a loaded ladder, as an index among them |
//! | plan | what one window gets: a rung, or a cascade of two; an index, cascades after all rungs |
//! | cascade | a small rung for the window, then a large one if that leaves the belief less sure than a threshold |
//! | [`Candidate`] | what a policy knows of a plan from the start: accuracy and profiled latency |
//! | [`Halves`] | the latency of an inference in two parts: its head runs before the window's last samples come, its tail after |
//! | [`Overhead`] | how long windows take beside their inferences, learned; [`Available`] is what that leaves of the budget |
//! | [`Outlook`] | what the engine expects of a plan for the next window, whatever the load: accuracy and CPU time |
//! | [`Forecast`] | what a policy expects of a plan for the next window under the load: latency and probability of a miss |

mod alert;
mod allowance;
mod bayes;
mod demand;
mod fixed;
mod isotonic;
mod load;
mod overhead;
mod slackfit;
mod spec;
mod step;

use std::cmp::Ordering;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use alert::{Alert, AlertConstants};
pub use allowance::Allowance;
pub use bayes::{Bayes, Learned, LearnedError};
pub use demand::{Demand, Misses, Objective, Outlook, Short, Situation, pick};
pub use fixed::Fixed;
pub use isotonic::isotonic;
pub use load::{Load, LoadProbe};
pub use overhead::{Available, Overhead};
pub use slackfit::SlackFit;
pub use spec::{PolicyError, PolicySpec, Terms};
pub use step::Step;

/// The interval between inferences at which the constants of time were tuned: the hop of the shipped ladder. A policy
/// that reckons with time counts in this unit, and a simulation whose inferences have no time passes it.
pub const INTERVAL: Duration = Duration::from_millis(1280);

/// What a policy knows of one plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Expected accuracy, a share from 0 to 1 (on held-out training subjects).
    pub accuracy: f64,
    /// Profiled latency of one inference on an idle device; of a cascade, of both.
    pub latency: Duration,
    /// The same in two parts, where an inference can begin before its window is complete.
    pub halves: Option<Halves>,
    /// What it is a cascade of, if it is one.
    pub cascade: Option<Pair>,
}

/// The two rungs of a cascade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The one that every window gets.
    pub small: usize,
    /// The one that a window gets as well where the belief is unsure after the small one.
    pub large: usize,
}

/// Profiled latencies of the two parts of an inference on an idle device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halves {
    /// What needs none of the window's last samples.
    pub head: Duration,
    /// The rest.
    pub tail: Duration,
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
    /// The head of the one that was picked would have made it late; this one's had been done before, for that case.
    HeadLate,
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
            Self::HeadLate => "smallest, the picked one's head was late",
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
    /// How long the inference is expected to take from the window's last sample on.
    pub predicted: Duration,
    /// Probability that the decision is late, for its inference or for what comes beside it, where the policy estimates one.
    pub miss_probability: Option<f64>,
}

/// A policy's pick for one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Index of the plan.
    pub plan: usize,
    /// Why it was picked.
    pub reason: Reason,
    /// What is expected of it.
    pub forecast: Forecast,
}

/// Picks the plan for the next window.
pub trait Policy: Send {
    /// Picks a plan, among the first of them for which there is an outlook.
    fn choose(&mut self, situation: &Situation) -> Choice;

    /// The plan that the next [`Policy::choose`] would pick however little time there is, where the policy does not
    /// go by that.
    fn only(&self) -> Option<usize> {
        None
    }

    /// Learns that `plan` took `inference`. Of a cascade that ended with its small configuration, that configuration did.
    fn observe(&mut self, plan: usize, inference: Duration);

    /// What the latest [`Policy::choose`] expected of `plan`; before the first, what the profile says.
    fn forecast(&self, plan: usize) -> Forecast;

    /// How long an inference of `plan` would take at the slowdown of the latest forecast, head and tail together; of a cascade,
    /// both inferences.
    fn latency(&self, plan: usize) -> Duration;

    /// Whether a whole inference of `rung` that begins now will be in time as surely as decisions have to be, by the latest
    /// forecast, where `available` is left and one decision in `1 / miss_target` may be late.
    fn in_time(&self, rung: usize, available: &Available, _miss_target: f64) -> bool {
        self.latency(rung) <= available.with_probability(0.5)
    }

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

/// Whether the second inference of the cascade `pair` is begun: whether it will be in time by what `policy` expects, where the
/// first one took `latency` with its head, and `available` is left now. A first one that took longer than was
/// expected lets expect the same of the second.
pub fn follows(policy: &dyn Policy, pair: Pair, latency: Duration, available: &Available, miss_target: f64) -> bool {
    let slower = latency.as_secs_f64() / policy.latency(pair.small).as_secs_f64().max(1e-9);
    let expected = policy.latency(pair.large).as_secs_f64() * slower.max(1.0);
    expected <= available.with_probability(0.5).as_secs_f64() && policy.in_time(pair.large, available, miss_target)
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
    /// The cascade of the rungs in `pair`, which are `small` and `large`: as long as both, since nobody knows beforehand whether
    /// the second will be needed. Only the first begins before the window's last sample.
    #[must_use]
    pub fn cascade(pair: Pair, small: &Self, large: &Self, accuracy: f64) -> Self {
        let then = |halves: Halves| Halves { tail: halves.tail + large.latency, ..halves };
        let latency = small.latency + large.latency;
        Self { accuracy, latency, halves: small.halves.map(then), cascade: Some(pair) }
    }

    /// What the profile alone says, where the window's last sample comes after `lead`.
    fn profiled(&self, lead: Option<Duration>) -> Forecast {
        Forecast { predicted: self.after_last(1.0, lead), miss_probability: None }
    }

    /// How long an inference takes from the window's last sample on, under `slowdown`. Where it begins `lead` before that
    /// sample, its head delays it only by what `lead` has no room for.
    #[must_use]
    pub fn after_last(&self, slowdown: f64, lead: Option<Duration>) -> Duration {
        match self.halves.zip(lead) {
            Some((halves, lead)) => {
                let whole = slow(halves.head + halves.tail, slowdown);
                slow(halves.tail, slowdown).max(whole.saturating_sub(lead))
            }
            None => self.slowed(slowdown),
        }
    }

    /// The largest slowdown at which an inference takes no more than `seconds` from the window's last sample on: the inverse of
    /// [`Candidate::after_last`].
    #[must_use]
    pub fn largest_slowdown(&self, seconds: f64, lead: Option<Duration>) -> f64 {
        let ratio = |seconds: f64, latency: Duration| seconds / latency.as_secs_f64().max(1e-9);
        match self.halves.zip(lead) {
            Some((halves, lead)) => {
                let whole = ratio(seconds + lead.as_secs_f64(), halves.head + halves.tail);
                whole.min(ratio(seconds, halves.tail))
            }
            None => ratio(seconds, self.latency),
        }
    }

    /// The slowdown that an inference of this configuration shows when it took `inference`.
    fn slowdown(&self, inference: Duration) -> f64 {
        let profiled = self.latency.max(Duration::from_nanos(1));
        (inference.as_secs_f64() / profiled.as_secs_f64()).min(LARGEST_SLOWDOWN)
    }

    /// The latency of this configuration under `slowdown`.
    fn slowed(&self, slowdown: f64) -> Duration {
        slow(self.latency, slowdown)
    }
}

/// `latency` under `slowdown`.
fn slow(latency: Duration, slowdown: f64) -> Duration {
    seconds(latency.as_secs_f64() * slowdown)
}

/// So many seconds, to the nanosecond; none where there are less, or no number, and 584 years at most. Asked for often enough that the
/// checks of [`Duration::try_from_secs_f64`] are noticed.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_nanos((seconds * 1e9 + 0.5) as u64)
}

/// Those of `candidates` that are rungs: cascades come after them.
fn rungs(candidates: &[Candidate]) -> &[Candidate] {
    let end = candidates.iter().position(|candidate| candidate.cascade.is_some());
    &candidates[..end.unwrap_or(candidates.len())]
}

/// Whether a candidate is worth more than another: the more accurate, and of equally accurate ones the faster.
fn better(a: &Candidate, b: &Candidate) -> Ordering {
    a.accuracy.total_cmp(&b.accuracy).then(b.latency.cmp(&a.latency))
}

/// The index of the most accurate rung among `candidates`; of equally accurate ones the fastest.
fn most_accurate(candidates: &[Candidate]) -> usize {
    (0..rungs(candidates).len()).max_by(|&a, &b| better(&candidates[a], &candidates[b])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The largest slowdown that is in time is the one that takes all of the time, with and without a lead.
        #[test]
        fn what_is_just_in_time_takes_all_of_the_time(
            head in 0.01..100.0_f64,
            tail in 0.01..100.0_f64,
            lead in prop::option::of(0.0..200.0_f64),
            left in 0.01..500.0_f64,
        ) {
            let ms = |ms: f64| Duration::from_secs_f64(ms / 1e3);
            let halves = Some(Halves { head: ms(head), tail: ms(tail) });
            let candidate = Candidate { accuracy: 1.0, latency: ms(head + tail), halves, cascade: None };
            let lead = lead.map(ms);
            let slowdown = candidate.largest_slowdown(left / 1e3, lead);
            let taken = |slowdown: f64| candidate.after_last(slowdown, lead).as_secs_f64() * 1e3;
            prop_assert!((taken(slowdown) - left).abs() < 1e-3 * left + 1e-5, "{slowdown}: {}", taken(slowdown));
            prop_assert!(taken(1.01 * slowdown) > left - 1e-5);
            // sooner with a head than without
            prop_assert!(candidate.after_last(slowdown, lead) <= candidate.slowed(slowdown) + ms(1e-5));
        }
    }
}
