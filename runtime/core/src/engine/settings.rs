//! What is demanded of an engine: in its own units, and in those of a configuration file.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::{Objective, PolicyError, PolicySpec};

/// Everything that can be changed while the engine runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// From the arrival of a window's last sample to its published decision; above 0, at most [`LONGEST_BUDGET`].
    pub budget: Duration,
    /// The allowed miss rate, a share from 0 to 1.
    pub miss_target: f64,
    /// What picks the configuration.
    pub policy: PolicySpec,
    /// What the user wants most.
    pub objective: Objective,
    /// The average share of one processor that inferences may take, above 0; no cap where none is given.
    pub cpu_share: Option<f64>,
    /// Whether a configuration's accuracy is that for the wearer's present activity rather than that for all.
    pub activity_aware: bool,
    /// Always this configuration, whatever the policy would pick.
    pub pinned: Option<String>,
}

/// The longest budget, milliseconds.
const LONGEST_BUDGET_MS: u32 = 60_000;

/// The longest budget.
pub const LONGEST_BUDGET: Duration = Duration::from_millis(LONGEST_BUDGET_MS as u64);

impl Settings {
    /// The highest accuracy within `budget` by `policy`, with `miss_target` of the decisions late at most.
    #[must_use]
    pub fn new(budget: Duration, miss_target: f64, policy: PolicySpec) -> Self {
        Self {
            budget,
            miss_target,
            policy,
            objective: Objective::default(),
            cpu_share: None,
            activity_aware: true,
            pinned: None,
        }
    }

    /// Everything that is out of range whatever the ladder: see [`ControlConfig::problems`].
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        ControlConfig::from(self).problems()
    }

    /// Checks the settings for a ladder whose configurations are named `ids`.
    ///
    /// # Errors
    /// Names what is out of range, or what the ladder does not have.
    pub fn check(&self, ids: &[String]) -> Result<(), PolicyError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PolicyError::OutOfRange(problems.join("; ")));
        }
        if let Some(id) = &self.pinned
            && !ids.contains(id)
        {
            return Err(PolicyError::UnknownConfiguration { id: id.clone(), known: ids.to_vec() });
        }
        self.policy.check(ids, self.budget)
    }
}

/// How the configuration of each window is picked, in the units of a configuration file: it stands there under
/// `control`, and is what programs read from a running daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Control")]
pub struct ControlConfig {
    /// From the arrival of a window's last sample to its published decision. Milliseconds, above 0 and at most
    /// 60,000; 50 by default.
    #[schemars(range(max = LONGEST_BUDGET_MS), extend("exclusiveMinimum" = 0))]
    pub budget_ms: f64,
    /// The allowed share of decisions later than that: from 0 to 1; 0.02 by default.
    #[schemars(range(min = 0, max = 1))]
    pub miss_target: f64,
    /// The policy and its tunables; `bayes` by default.
    pub policy: PolicySpec,
    /// What is wanted most; `accuracy` by default.
    pub objective: Objective,
    /// The average share of one processor that inferences may take, percent, above 0 and at most 100; no cap where
    /// none is given.
    #[schemars(range(max = 100), extend("exclusiveMinimum" = 0))]
    pub cpu_budget_percent: Option<f64>,
    /// Whether a configuration's accuracy is that for the wearer's present activity rather than that for all; true by
    /// default.
    pub activity_aware: bool,
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self {
            budget_ms: 50.0,
            miss_target: 0.02,
            policy: PolicySpec::default(),
            objective: Objective::default(),
            cpu_budget_percent: None,
            activity_aware: true,
        }
    }
}

impl ControlConfig {
    /// The budget; zero where it is out of range.
    #[must_use]
    pub fn budget(&self) -> Duration {
        Duration::try_from_secs_f64(self.budget_ms / 1e3).unwrap_or_default()
    }

    /// The settings that this demands, where [`ControlConfig::problems`] finds none.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            objective: self.objective,
            cpu_share: self.cpu_budget_percent.map(|percent| percent / 100.0),
            activity_aware: self.activity_aware,
            ..Settings::new(self.budget(), self.miss_target, self.policy.clone())
        }
    }

    /// Everything that is out of range whatever the ladder, in sentences that name fields.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let Self { budget_ms, miss_target, objective, cpu_budget_percent, .. } = self;
        if !(*budget_ms > 0.0 && *budget_ms <= LONGEST_BUDGET_MS as f64) {
            problems.push(format!(
                "budget_ms is {budget_ms}, and must be above 0 and at most {LONGEST_BUDGET_MS} milliseconds"
            ));
        }
        if !share(*miss_target) {
            problems.push(format!("miss_target is {miss_target}, and must be a share from 0 to 1"));
        }
        if let Objective::Energy { accuracy_floor } = objective
            && !share(*accuracy_floor)
        {
            problems.push(format!("objective.accuracy_floor is {accuracy_floor}, and must be a share from 0 to 1"));
        }
        if let Some(percent) = cpu_budget_percent
            && !(*percent > 0.0 && *percent <= 100.0)
        {
            problems.push(format!("cpu_budget_percent is {percent}, and must be above 0 and at most 100"));
        }
        problems
    }
}

impl From<&Settings> for ControlConfig {
    fn from(settings: &Settings) -> Self {
        Self {
            budget_ms: settings.budget.as_secs_f64() * 1e3,
            miss_target: settings.miss_target,
            policy: settings.policy.clone(),
            objective: settings.objective,
            cpu_budget_percent: settings.cpu_share.map(|share| share * 100.0),
            activity_aware: settings.activity_aware,
        }
    }
}
