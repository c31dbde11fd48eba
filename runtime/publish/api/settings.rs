//! What is demanded of the engine, in the words of the configuration file.

use serde::Serialize;

use crate::control::{Objective, PolicySpec};
use crate::engine::Settings;

/// [`Settings`] as the interface shows them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SettingsView {
    /// From the arrival of a window's last sample to its published decision, milliseconds.
    pub budget_ms: f64,
    /// Allowed share of late decisions, 0 to 1.
    pub miss_target: f64,
    /// The policy and its tunables.
    pub policy: PolicySpec,
    /// What is wanted most.
    pub objective: Objective,
    /// Average share of one processor that inferences may take, percent; no cap where none.
    pub cpu_budget_percent: Option<f64>,
    /// Whether a configuration's accuracy is that for the wearer's present activity.
    pub activity_aware: bool,
    /// Always this configuration; the policy's choice where none.
    pub pin: Option<String>,
}

impl From<&Settings> for SettingsView {
    fn from(settings: &Settings) -> Self {
        Self {
            budget_ms: settings.budget.as_secs_f64() * 1e3,
            miss_target: settings.miss_target,
            policy: settings.policy.clone(),
            objective: settings.objective,
            cpu_budget_percent: settings.cpu_share.map(|share| share * 100.0),
            activity_aware: settings.activity_aware,
            pin: settings.pinned.clone(),
        }
    }
}
