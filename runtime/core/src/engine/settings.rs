//! What is demanded of an engine: in its own units, and in those of a configuration file.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::milliseconds;
use crate::control::{Objective, PolicyError, PolicySpec};
use crate::ladder::Cascade;

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
    /// Whether decisions tell what all windows of a stream say together, or each what its window says alone.
    pub context: bool,
    /// How many windows after its decision each window is revised, by those, too; 0 for never, and where there is no context; at
    /// most [`LONGEST_LAG`].
    pub lag: usize,
    /// Always this configuration or cascade, whatever the policy would pick.
    pub pinned: Option<String>,
}

/// The longest budget, milliseconds.
const LONGEST_BUDGET_MS: u32 = 60_000;

/// The longest lag, windows.
pub const LONGEST_LAG: usize = 100;

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
            context: true,
            lag: 0,
            pinned: None,
        }
    }

    /// Everything that is out of range whatever the ladder: see [`ControlConfig::problems`].
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        ControlConfig::from(self).problems()
    }

    /// Checks the settings for a ladder whose configurations and cascades are named `plans`, and of which each one's accuracy is
    /// known or not.
    ///
    /// # Errors
    /// Names what is out of range, or what the ladder does not have.
    pub fn check(&self, plans: &[String], knows_accuracy: bool) -> Result<(), PolicyError> {
        let mut problems = self.problems();
        if !knows_accuracy && matches!(self.objective, Objective::Energy { .. }) {
            problems.push(
                "objective is energy, which needs the accuracy of each configuration, and this ladder does not know it"
                    .to_owned(),
            );
        }
        let fixed = match &self.policy {
            PolicySpec::Fixed { configuration } => configuration.as_ref(),
            _ => None,
        };
        let wanted = self.pinned.iter().chain(fixed);
        for id in wanted.filter(|id| !self.context && Cascade::is_name(id) && plans.contains(id)) {
            problems.push(format!("{id} is a cascade, and without context there is none"));
        }
        if !problems.is_empty() {
            return Err(PolicyError::OutOfRange(problems.join("; ")));
        }
        if let Some(id) = &self.pinned
            && !plans.contains(id)
        {
            return Err(PolicyError::UnknownConfiguration { id: id.clone(), known: plans.to_vec() });
        }
        self.policy.check(plans, self.budget)
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
    /// Whether decisions tell what all windows of the stream so far say together, or each what its window says alone; true by
    /// default.
    pub context: bool,
    /// How many windows after its decision each window is told of again, by those, too (class `revised`); 0, the default, for
    /// never; at most 100. Without `context` none is.
    #[schemars(range(min = 0, max = LONGEST_LAG))]
    pub lag: usize,
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
            context: true,
            lag: 0,
        }
    }
}

impl ControlConfig {
    /// The budget; zero where it is out of range.
    #[must_use]
    pub fn budget(&self) -> Duration {
        milliseconds(self.budget_ms).unwrap_or_default()
    }

    fn cpu_share(&self) -> Option<f64> {
        self.cpu_budget_percent.map(|percent| percent / 100.0)
    }

    /// The settings that this demands, where [`ControlConfig::problems`] finds none.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            objective: self.objective,
            cpu_share: self.cpu_share(),
            activity_aware: self.activity_aware,
            context: self.context,
            lag: self.lag,
            ..Settings::new(self.budget(), self.miss_target, self.policy.clone())
        }
    }

    /// Everything that is out of range whatever the ladder, in sentences that name fields.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let Self { budget_ms, miss_target, objective, cpu_budget_percent, lag, .. } = self;
        // in the units of the settings, where a number that is nearly 0 has become 0
        if self.budget().is_zero() || self.budget() > LONGEST_BUDGET {
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
        if let (Some(percent), Some(share)) = (cpu_budget_percent, self.cpu_share())
            && !(share > 0.0 && share <= 1.0)
        {
            problems.push(format!("cpu_budget_percent is {percent}, and must be above 0 and at most 100"));
        }
        if *lag > LONGEST_LAG {
            problems.push(format!("lag is {lag}, and must be from 0 to {LONGEST_LAG} windows"));
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
            context: settings.context,
            lag: settings.lag,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ControlConfig {
        ControlConfig {
            budget_ms: 70.0,
            miss_target: 0.05,
            policy: PolicySpec::ALERT,
            objective: Objective::Energy { accuracy_floor: 0.75 },
            cpu_budget_percent: Some(25.0),
            activity_aware: false,
            context: false,
            lag: 3,
        }
    }

    #[test]
    fn a_configuration_file_demands_what_it_says_in_its_own_units() {
        let expected = Settings {
            budget: Duration::from_millis(70),
            miss_target: 0.05,
            policy: PolicySpec::ALERT,
            objective: Objective::Energy { accuracy_floor: 0.75 },
            cpu_share: Some(0.25),
            activity_aware: false,
            context: false,
            lag: 3,
            pinned: None,
        };
        assert_eq!(config().settings(), expected);
        assert_eq!(ControlConfig::from(&expected), config());
        let uncapped = ControlConfig { cpu_budget_percent: None, ..config() };
        assert_eq!(uncapped.settings(), Settings { cpu_share: None, ..expected });
        assert_eq!(ControlConfig::from(&uncapped.settings()), uncapped);
    }

    #[test]
    fn what_a_configuration_file_leaves_out_is_as_its_fields_say() {
        let default: ControlConfig = serde_json::from_str("{}").unwrap();
        let expected = Settings {
            objective: Objective::Accuracy,
            cpu_share: None,
            activity_aware: true,
            context: true,
            pinned: None,
            ..Settings::new(Duration::from_millis(50), 0.02, PolicySpec::Bayes {})
        };
        assert_eq!(default.settings(), expected);
        assert!(default.problems().is_empty() && expected.problems().is_empty());
    }

    #[test]
    fn a_budget_out_of_range_is_none() {
        let budget = |budget_ms| ControlConfig { budget_ms, ..config() }.budget();
        assert_eq!(budget(0.5), Duration::from_micros(500));
        assert_eq!(budget(60_000.0), LONGEST_BUDGET);
        for impossible in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(budget(impossible), Duration::ZERO);
        }
    }

    /// That of `numbers` those in `range` are no problem in `place`, and each other one is, by the name of `field`.
    fn check(range: &[f64], others: &[f64], field: &str, place: fn(&mut ControlConfig) -> &mut f64) {
        for number in range {
            let mut config = config();
            *place(&mut config) = *number;
            assert_eq!(config.problems(), [""; 0], "{field}: {number}");
        }
        for number in others {
            let mut config = config();
            *place(&mut config) = *number;
            let problems = config.problems();
            assert!(problems.len() == 1 && problems[0].starts_with(&format!("{field} is {number}")), "{problems:?}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_named_with_their_fields() {
        let nan = f64::NAN;
        check(&[1e-6, 60_000.0], &[0.0, 1e-10, -1.0, 60_000.1, nan], "budget_ms", |config| &mut config.budget_ms);
        check(&[0.0, 1.0], &[-0.1, 1.1, nan], "miss_target", |config| &mut config.miss_target);
        check(&[1e-6, 100.0], &[0.0, 5e-324, -1.0, 100.1, nan], "cpu_budget_percent", |config| {
            config.cpu_budget_percent.get_or_insert_default()
        });
        check(&[0.0, 1.0], &[-0.1, 1.1, nan], "objective.accuracy_floor", |config| match &mut config.objective {
            Objective::Energy { accuracy_floor } => accuracy_floor,
            Objective::Accuracy => unreachable!("it is energy"),
        });
        let lag = |lag| ControlConfig { lag, ..config() }.problems();
        assert!(lag(0).is_empty() && lag(100).is_empty() && lag(101)[0].starts_with("lag is 101"));
        let accuracy = ControlConfig { objective: Objective::Accuracy, cpu_budget_percent: None, ..config() };
        assert!(accuracy.problems().is_empty());
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let wrong = Settings { budget: Duration::ZERO, cpu_share: Some(2.0), ..config().settings() };
        let problems = [
            "budget_ms is 0, and must be above 0 and at most 60000 milliseconds",
            "cpu_budget_percent is 200, and must be above 0 and at most 100",
        ];
        assert_eq!(wrong.problems(), problems);
        let error = wrong.check(&[], true).unwrap_err().to_string();
        assert!(error.ends_with(&problems.join("; ")), "{error}");
    }

    #[test]
    fn a_pin_and_a_policy_must_fit_the_ladder() {
        let ids = ["a", "b"].map(str::to_owned);
        let pinned = |id: Option<&str>| Settings { pinned: id.map(str::to_owned), ..config().settings() };
        for known in [None, Some("a"), Some("b")] {
            assert!(pinned(known).check(&ids, true).is_ok(), "{known:?}");
        }
        assert!(pinned(None).check(&ids, false).unwrap_err().to_string().contains("does not know"));
        let error = pinned(Some("c")).check(&ids, true).unwrap_err();
        assert!(matches!(error, PolicyError::UnknownConfiguration { ref id, ref known } if id == "c" && *known == ids));
        // the band is held against the budget
        let band = |band_ms| Settings { policy: PolicySpec::Step { band_ms, average: 3 }, ..config().settings() };
        assert!(band(Some(1e-10)).check(&ids, true).is_err());
        assert!(band(Some(70.0)).check(&ids, true).is_ok());
        assert!(matches!(band(Some(70.1)).check(&ids, true), Err(PolicyError::OutOfRange(_))));
    }
}
