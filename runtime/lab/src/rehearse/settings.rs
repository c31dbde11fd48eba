//! What is to be rehearsed, and its checks.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::load::{CoRunnerLoad, LoadKind};
use crate::simulate::Contender;
use gaitd_core::clock::milliseconds;
use gaitd_core::control::PolicySpec;
use gaitd_core::engine::LONGEST_BUDGET;

/// One of the two experiments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Experiment {
    /// One budget after the other, nothing else running.
    Static,
    /// One budget, and a load that changes.
    Varying,
}

impl Experiment {
    /// The name under which the experiment stands in flags, reports and file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Varying => "varying",
        }
    }
}

/// How often each inference is repeated, so that the machine stands for a slower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// So often that the most accurate configuration takes about 59 ms, as the paper's largest one did.
    Auto,
    /// So often; 1 is the machine as it is.
    Times(u32),
}

/// A policy that takes turns.
#[derive(Clone, Debug, PartialEq)]
pub enum Rehearsed {
    /// One that has its settings.
    Policy(PolicySpec),
    /// ALERT, its constants fitted to each experiment as it is expected to go.
    AlertFitted,
}

impl Rehearsed {
    /// The name under which it stands in flags, reports and figures.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Policy(spec) => spec.name(),
            Self::AlertFitted => Contender::ALERT_FITTED,
        }
    }
}

/// Settings that are out of range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct SettingsError {
    /// All that is wrong; at least one.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with [`Settings`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field of [`Settings`]; `None` where it is about several of them.
    pub field: Option<&'static str>,
    /// What is wrong, to be read on after the field's name.
    pub(super) what: String,
}

impl Problem {
    /// The problem in a sentence in which the field is called `name`, such as a flag.
    #[must_use]
    pub fn named(&self, name: &str) -> String {
        format!("{name}{}", self.what)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.named(self.field.unwrap_or_default()))
    }
}

/// What is to be rehearsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The experiments, one after the other.
    pub experiments: Vec<Experiment>,
    /// How often each inference is repeated.
    pub repeats: Repeats,
    /// Budgets of the static experiment, milliseconds, each above 0 and at most 60,000.
    pub budgets_ms: Vec<f64>,
    /// Budget of the varying experiment, in the same range.
    pub budget_ms: f64,
    /// Width of the stepping policy's band under the budget, milliseconds, above 0 and at most the largest budget.
    pub band_ms: f64,
    /// Length of a phase, seconds, from 0.1 to 600; all phases together take an hour at most.
    pub seconds_per_phase: f64,
    /// Shares of the processor that the co-runner takes in the varying experiment, percent, 0 to 90.
    pub loads: Vec<f64>,
    /// How it takes them.
    pub load_kind: LoadKind,
    /// The policies that take turns, at least one, none twice.
    pub policies: Vec<Rehearsed>,
    /// Allowed share of late windows, 0 to 1.
    pub miss_target: f64,
    /// The processor of the engine and the co-runners; the first usable one if there is none.
    pub cpu: Option<usize>,
    /// The gaitd program, which is started again as a co-runner.
    pub program: PathBuf,
}

/// What a phase is to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PhasePlan {
    pub(super) name: String,
    pub(super) budget: Duration,
    /// Share of the processor that the co-runner takes.
    pub(super) load: f64,
}

/// All phases together, seconds.
const LONGEST_S: f64 = 3600.0;

impl Settings {
    /// Checks all ranges.
    ///
    /// # Errors
    /// Everything that is out of range, at once.
    pub fn check(&self) -> Result<(), SettingsError> {
        let mut problems = Vec::new();
        let mut unless = |holds: bool, field: Option<&'static str>, what: String| {
            if !holds {
                problems.push(Problem { field, what });
            }
        };
        unless(!self.experiments.is_empty(), None, "no experiment is to be rehearsed".to_owned());
        unless(!self.policies.is_empty(), Some("policies"), ": at least one policy is needed".to_owned());
        for (index, policy) in self.policies.iter().enumerate() {
            let twice = self.policies[..index].iter().any(|other| other.name() == policy.name());
            unless(!twice, Some("policies"), format!(": {} stands twice", policy.name()));
        }
        let once = self.repeats != Repeats::Times(0);
        unless(once, Some("repeats"), " is 0, and must be 1 or more, or auto".to_owned());
        let budget = |ms: f64| milliseconds(ms).is_some_and(|budget| budget <= LONGEST_BUDGET);
        unless(!self.budgets_ms.is_empty(), Some("budgets_ms"), ": at least one budget is needed".to_owned());
        for (field, ms) in self.budgets_ms.iter().map(|ms| ("budgets_ms", *ms)).chain([("budget_ms", self.budget_ms)]) {
            unless(budget(ms), Some(field), format!(": {ms} must be above 0 and at most 60000 milliseconds"));
        }
        let largest = self.budgets_ms.iter().copied().fold(self.budget_ms, f64::max);
        unless(
            milliseconds(self.band_ms).is_some() && self.band_ms <= largest,
            Some("band_ms"),
            format!(" is {}, and must be above 0 and at most the largest budget", self.band_ms),
        );
        unless(!self.loads.is_empty(), Some("loads"), ": at least one load is needed".to_owned());
        let most = 100.0 * CoRunnerLoad::LARGEST;
        for load in &self.loads {
            unless((0.0..=most).contains(load), Some("loads"), format!(": {load} must be from 0 to {most} percent"));
        }
        unless(
            (0.1..=600.0).contains(&self.seconds_per_phase),
            Some("seconds_per_phase"),
            format!(" is {}, and must be from 0.1 to 600 seconds", self.seconds_per_phase),
        );
        let share = (0.0..=1.0).contains(&self.miss_target);
        unless(share, Some("miss_target"), format!(" is {}, and must be a share from 0 to 1", self.miss_target));
        let seconds = self.phases_time().as_secs_f64();
        let sensible = self.seconds_per_phase > 0.0 && self.seconds_per_phase <= 600.0;
        unless(
            seconds <= LONGEST_S || !sensible,
            None,
            format!("the phases take {seconds:.0} s together, and may take {LONGEST_S} at most"),
        );
        let known = core_affinity::get_core_ids().unwrap_or_default();
        if let Some(cpu) = self.cpu {
            let usable = known.is_empty() || known.iter().any(|core| core.id == cpu);
            let what = format!(": there is no processor {cpu} to use here ({} are available)", known.len());
            unless(usable, Some("cpu"), what);
        }
        if problems.is_empty() { Ok(()) } else { Err(SettingsError { problems }) }
    }

    /// How long all phases take together.
    pub(super) fn phases_time(&self) -> Duration {
        let phases: usize = self.experiments.iter().map(|experiment| self.phases(*experiment).len()).sum();
        // out of range before it was checked
        Duration::try_from_secs_f64(phases as f64 * self.seconds_per_phase).unwrap_or(Duration::MAX)
    }

    /// The phases of `experiment`, in order.
    pub(super) fn phases(&self, experiment: Experiment) -> Vec<PhasePlan> {
        let budget = |ms: f64| milliseconds(ms).unwrap_or_default();
        match experiment {
            Experiment::Static => self
                .budgets_ms
                .iter()
                .map(|ms| PhasePlan { name: format!("budget {ms} ms"), budget: budget(*ms), load: 0.0 })
                .collect(),
            Experiment::Varying => self
                .loads
                .iter()
                .map(|percent| PhasePlan {
                    name: format!("load {percent} %"),
                    budget: budget(self.budget_ms),
                    load: percent / 100.0,
                })
                .collect(),
        }
    }
}
