//! The parts of a decision's latency.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of the way from a window's last sample to its published decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// From the arrival of the last sample to a complete, conditioned window.
    Condition,
    /// From there until the engine takes the window.
    Wait,
    /// Picking the configuration.
    Prepare,
    /// The inference, resampling included.
    Infer,
    /// From the decision to its last byte written.
    Publish,
    /// All of them: from the arrival of the last sample to the published decision.
    Total,
}

impl Phase {
    /// Every phase, in the order of time.
    pub const ALL: [Self; 6] = [Self::Condition, Self::Wait, Self::Prepare, Self::Infer, Self::Publish, Self::Total];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::Wait => "wait",
            Self::Prepare => "prepare",
            Self::Infer => "infer",
            Self::Publish => "publish",
            Self::Total => "total",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_is_named_in_reports_as_where_it_is_kept() {
        let names = ["condition", "wait", "prepare", "infer", "publish", "total"];
        assert_eq!(Phase::ALL.map(Phase::name), names);
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
    }
}
