//! A change of what is demanded, as a client sends it.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use gaitd_core::control::{Objective, PolicySpec};
use gaitd_core::engine::{ControlConfig, Settings};
use gaitd_core::json::{Misplaced, parse_json};

/// Any part of [`super::SettingsView`]; what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct Change {
    /// From the arrival of a window's last sample to its published decision, milliseconds.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 60_000), extend("exclusiveMinimum" = 0), with = "f64")]
    pub budget_ms: Option<f64>,
    /// Allowed share of late decisions, 0 to 1.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1), with = "f64")]
    pub miss_target: Option<f64>,
    /// The policy and its tunables.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PolicySpec")]
    pub policy: Option<PolicySpec>,
    /// What is wanted most.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Objective")]
    pub objective: Option<Objective>,
    /// Average share of one processor that inferences may take, percent; `null` ends the cap.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100), extend("exclusiveMinimum" = 0), with = "Option<f64>")]
    pub cpu_budget_percent: Option<Option<f64>>,
    /// Whether a configuration's accuracy is that for the wearer's present activity.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub activity_aware: Option<bool>,
    /// Whether decisions tell what all windows of a stream so far say together, or each what its window says alone.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub context: Option<bool>,
    /// How many windows after its decision each window is told of again, by those, too; 0 for never.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100), with = "usize")]
    pub lag: Option<usize>,
    /// Always this configuration; `null` leaves the choice to the policy again.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub pin: Option<Option<String>>,
}

/// Tells `null`, which most fields cannot have, from a field that was left out.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A text that is no change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It is not JSON, or not an object with known fields.
    #[error("{at}: {message}")]
    Syntax {
        /// The place within it, as a path of keys.
        at: String,
        /// What was expected or found.
        message: String,
    },
    /// It changes nothing.
    #[error("there is nothing to change in it; GET /api/control shows the names of what can be changed")]
    Empty,
    /// A value that no setting can have.
    #[error("{0}")]
    OutOfRange(String),
}

impl Change {
    /// Reads a change from JSON.
    ///
    /// # Errors
    /// When it is not a JSON object of known fields, or an empty one.
    pub fn parse(text: &[u8]) -> Result<Self, ChangeError> {
        let change: Self = parse_json(text).map_err(|Misplaced { at, message }| ChangeError::Syntax { at, message })?;
        if change == Self::default() { Err(ChangeError::Empty) } else { Ok(change) }
    }

    /// `settings` with this change; whether the ladder has what it names, who takes them over checks.
    ///
    /// # Errors
    /// Everything that is out of range.
    pub fn applied(&self, settings: &Settings) -> Result<Settings, ChangeError> {
        let Self { budget_ms, miss_target, policy, objective, cpu_budget_percent, activity_aware, context, lag, pin } =
            self;
        let mut control = ControlConfig::from(settings);
        control.budget_ms = budget_ms.unwrap_or(control.budget_ms);
        control.miss_target = miss_target.unwrap_or(control.miss_target);
        control.objective = objective.unwrap_or(control.objective);
        control.activity_aware = activity_aware.unwrap_or(control.activity_aware);
        control.context = context.unwrap_or(control.context);
        control.lag = lag.unwrap_or(control.lag);
        control.cpu_budget_percent = cpu_budget_percent.unwrap_or(control.cpu_budget_percent);
        if let Some(policy) = policy {
            control.policy.clone_from(policy);
        }
        let problems = control.problems();
        if !problems.is_empty() {
            return Err(ChangeError::OutOfRange(problems.join("; ")));
        }
        let pinned = pin.clone().unwrap_or_else(|| settings.pinned.clone());
        let changed = control.settings();
        // what is not changed stays to the last bit, though it went through other units
        let budget = budget_ms.map_or(settings.budget, |_| changed.budget);
        let cpu_share = cpu_budget_percent.map_or(settings.cpu_share, |_| changed.cpu_share);
        Ok(Settings { pinned, budget, cpu_share, ..changed })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings() -> Settings {
        Settings {
            cpu_share: Some(0.5),
            pinned: Some("1.00x-128".to_owned()),
            ..Settings::new(Duration::from_millis(50), 0.02, PolicySpec::Bayes {})
        }
    }

    #[test]
    fn what_is_left_out_stays_and_null_ends_it() {
        let parsed = Change::parse(br#"{"pin": null, "budget_ms": 20}"#).unwrap();
        let expected = Settings { pinned: None, budget: Duration::from_millis(20), ..settings() };
        assert_eq!(parsed.applied(&settings()), Ok(expected));
        let parsed = Change::parse(br#"{"cpu_budget_percent": null}"#).unwrap();
        assert_eq!(parsed.applied(&settings()), Ok(Settings { cpu_share: None, ..settings() }));
        let round: Change = serde_json::from_slice(&serde_json::to_vec(&parsed).unwrap()).unwrap();
        assert_eq!(round, parsed);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "",
            "[]",
            "{",
            r#"{"budget": 20}"#,
            r#"{"budget_ms": "20"}"#,
            r#"{"pin": 3}"#,
            "[20]",
            r#"{"budget_ms": null}"#,
        ] {
            assert!(matches!(Change::parse(text.as_bytes()), Err(ChangeError::Syntax { .. })), "{text}");
        }
        assert_eq!(Change::parse(b"{}"), Err(ChangeError::Empty));
        let parsed = Change::parse(br#"{"budget_ms": -1}"#).unwrap();
        assert!(parsed.applied(&settings()).unwrap_err().to_string().contains("budget_ms is -1"));
    }
}
