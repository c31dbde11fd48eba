//! The parts of a decision's latency.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of the way from a window's last sample to its published decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before the last sample: the head of the inference, where it has one. It is no part of the latency, but for what of it is
    /// late, which the window waits for.
    Head,
    /// From the arrival of the last sample to a complete, conditioned window.
    Condition,
    /// From there until the engine takes the window.
    Wait,
    /// Picking the configuration.
    Prepare,
    /// The inference, resampling included: what its head has left of it.
    Infer,
    /// From the decision to its last byte written.
    Publish,
    /// All of them but the head: from the arrival of the last sample to the published decision.
    Total,
}

impl Phase {
    /// Every phase, in the order of time.
    pub const ALL: [Self; 7] =
        [Self::Head, Self::Condition, Self::Wait, Self::Prepare, Self::Infer, Self::Publish, Self::Total];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
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
        let names = ["head", "condition", "wait", "prepare", "infer", "publish", "total"];
        assert_eq!(Phase::ALL.map(Phase::name), names);
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
    }
}
