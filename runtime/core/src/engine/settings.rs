//! What is demanded of an engine, and the form in which it is written down.

use std::time::Duration;

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

/// The longest budget.
pub const LONGEST_BUDGET: Duration = Duration::from_secs(60);

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

    /// Everything that is out of range whatever the ladder, in sentences that name settings as a configuration file
    /// does.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let share = |x: f64| (0.0..=1.0).contains(&x);
        if self.budget.is_zero() || self.budget > LONGEST_BUDGET {
            let (found, longest) = (self.budget.as_secs_f64() * 1e3, LONGEST_BUDGET.as_millis());
            problems.push(format!("budget_ms is {found}, and must be above 0 and at most {longest} milliseconds"));
        }
        if !share(self.miss_target) {
            problems.push(format!("miss_target is {}, and must be a share from 0 to 1", self.miss_target));
        }
        if let Objective::Energy { accuracy_floor } = self.objective
            && !share(accuracy_floor)
        {
            problems.push(format!("objective.accuracy_floor is {accuracy_floor}, and must be a share from 0 to 1"));
        }
        if let Some(cap) = self.cpu_share
            && !(cap > 0.0 && cap <= 1.0)
        {
            let found = cap * 100.0;
            problems.push(format!("cpu_budget_percent is {found}, and must be above 0 and at most 100"));
        }
        problems
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

/// How the configuration of each window is picked, as it stands in a configuration file under `control` and in what
/// programs ask a running daemon for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// From the arrival of a window's last sample to its published decision. Milliseconds, above 0 and at most
    /// 60,000; 50 by default.
    pub budget_ms: f64,
    /// The allowed share of decisions later than that: from 0 to 1; 0.02 by default.
    pub miss_target: f64,
    /// The policy and its tunables; `bayes` by default.
    pub policy: PolicySpec,
    /// What is wanted most; `accuracy` by default.
    pub objective: Objective,
    /// The average share of one processor that inferences may take, percent, above 0 and at most 100; no cap where
    /// none is given.
    pub cpu_budget_percent: Option<f64>,
    /// Whether a configuration's accuracy is that for the wearer's present activity rather than that for all; true by
    /// default.
    pub activity_aware: bool,
}

impl Default for Control {
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

impl Control {
    /// The budget.
    #[must_use]
    pub fn budget(&self) -> Duration {
        Duration::from_secs_f64(self.budget_ms / 1e3)
    }

    /// The settings that this demands, where [`Control::problems`] finds none.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            objective: self.objective,
            cpu_share: self.cpu_budget_percent.map(|percent| percent / 100.0),
            activity_aware: self.activity_aware,
            ..Settings::new(self.budget(), self.miss_target, self.policy.clone())
        }
    }

    /// Everything that is out of range, in sentences that name fields.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let longest = LONGEST_BUDGET.as_millis();
        if !(self.budget_ms > 0.0 && self.budget_ms <= longest as f64) {
            // there is no such duration, and so there are no settings
            let found = self.budget_ms;
            return vec![format!("budget_ms is {found}, and must be above 0 and at most {longest} milliseconds")];
        }
        self.settings().problems()
    }
}

impl From<&Settings> for Control {
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
