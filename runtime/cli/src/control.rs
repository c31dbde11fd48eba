//! The flags that say how configurations are picked; `run` and `replay` share them.

use gaitd_core::control::{Objective, PolicySpec, Step};
use gaitd_core::engine::ControlConfig;
use gaitd_daemon::ConfigError;

/// How configurations are picked.
#[derive(clap::Args, Default)]
pub(super) struct ControlArguments {
    /// From the arrival of a window's last sample to its published decision, milliseconds [default: 50]
    #[arg(short, long, value_name = "MS", allow_negative_numbers = true)]
    budget_ms: Option<f64>,
    /// Allowed share of late decisions, 0 to 1 [default: 0.02]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    miss_target: Option<f64>,
    /// What picks the configuration [default: bayes]
    #[arg(short, long, value_enum)]
    policy: Option<PolicyFlag>,
    /// What is wanted most [default: accuracy]
    #[arg(long, value_enum)]
    objective: Option<ObjectiveFlag>,
    /// Expected accuracy below which nothing is saved, 0 to 1 [default: 0.95] (implies --objective energy)
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    accuracy_floor: Option<f64>,
    /// Cap on the average share of one processor that inferences take, percent [default: none]
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true)]
    cpu_budget_percent: Option<f64>,
    /// Expect the same accuracy whatever the wearer is doing
    #[arg(long)]
    activity_blind: bool,
    /// Tell what all windows of the stream so far say together, or each by itself what its window says [default: on]
    #[arg(long, value_enum, value_name = "SWITCH")]
    context: Option<Switch>,
    /// Tell of each window again so many windows later, by those, too (class `revised`; 0 to 100) [default: 0, for never]
    #[arg(long, value_name = "WINDOWS")]
    lag: Option<usize>,
}

/// A setting that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

impl Switch {
    pub(super) fn is_on(self) -> bool {
        self == Self::On
    }
}

/// A policy by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PolicyFlag {
    /// Always the most accurate configuration
    Fixed,
    /// The stepping policy of the paper
    Step,
    /// SlackFit: the most accurate that is in time by the profile
    Slackfit,
    /// ALERT
    Alert,
    /// gaitd's own: a Bayes filter on the slowdown
    Bayes,
}

impl PolicyFlag {
    pub(super) fn spec(self) -> PolicySpec {
        match self {
            Self::Fixed => PolicySpec::Fixed { configuration: None },
            Self::Step => PolicySpec::Step { band_ms: None, average: Step::default_average() },
            Self::Slackfit => PolicySpec::Slackfit {},
            Self::Alert => PolicySpec::ALERT,
            Self::Bayes => PolicySpec::Bayes {},
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ObjectiveFlag {
    /// The highest expected accuracy
    Accuracy,
    /// The least CPU time with an expected accuracy no lower than the floor
    Energy,
}

/// The floor where none is given.
pub(super) const DEFAULT_FLOOR: f64 = 0.95;

impl ControlArguments {
    /// Whether any of these flags was given that say how configurations are picked.
    pub(super) fn given(&self) -> bool {
        let Self { budget_ms, miss_target, policy, objective, accuracy_floor, .. } = self;
        budget_ms.is_some()
            || miss_target.is_some()
            || policy.is_some()
            || objective.is_some()
            || accuracy_floor.is_some()
            || self.cpu_budget_percent.is_some()
            || self.activity_blind
    }

    /// Whether the answer of the stream is asked for, as it is by default.
    pub(super) fn asks_for_context(&self) -> bool {
        self.context.is_none_or(Switch::is_on)
    }

    /// Whether a budget was given.
    pub(super) fn sets_budget(&self) -> bool {
        self.budget_ms.is_some()
    }

    /// Overrides `control` by the flags.
    ///
    /// # Errors
    /// When they contradict each other.
    pub(super) fn apply(&self, control: &mut ControlConfig) -> Result<(), ConfigError> {
        control.budget_ms = self.budget_ms.unwrap_or(control.budget_ms);
        control.miss_target = self.miss_target.unwrap_or(control.miss_target);
        control.cpu_budget_percent = self.cpu_budget_percent.or(control.cpu_budget_percent);
        control.activity_aware &= !self.activity_blind;
        control.context = self.context.map_or(control.context, Switch::is_on);
        control.lag = self.lag.unwrap_or(control.lag);
        if let Some(policy) = self.policy {
            control.policy = policy.spec();
        }
        let floor = match control.objective {
            Objective::Energy { accuracy_floor } => accuracy_floor,
            Objective::Accuracy => DEFAULT_FLOOR,
        };
        let energy = Objective::Energy { accuracy_floor: self.accuracy_floor.unwrap_or(floor) };
        match (self.objective, self.accuracy_floor) {
            (Some(ObjectiveFlag::Accuracy), None) => control.objective = Objective::Accuracy,
            (Some(ObjectiveFlag::Accuracy), Some(_)) => {
                let problem = "--accuracy-floor is for --objective energy; the objective is accuracy";
                return Err(ConfigError::OutOfRange(vec![problem.to_owned()]));
            }
            (Some(ObjectiveFlag::Energy), _) | (None, Some(_)) => control.objective = energy,
            (None, None) => {}
        }
        Ok(())
    }
}
