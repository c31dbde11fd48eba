//! What the wearer did, as the interface shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::LocalTime;

/// What the wearer did since the daemon has started, and today.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Activities {
    /// From one window to the next, seconds: the time that a decision stands for.
    #[schemars(range(min = 0))]
    pub hop_s: f64,
    /// What the wearer does; null before the first decision.
    pub now: Option<ActivityNow>,
    /// When the day of the latest decision began; null where decisions have no time of day.
    pub midnight: Option<LocalTime>,
    /// Decisions per activity since the daemon has started.
    pub total: Vec<ActivityCount>,
    /// Decisions per activity since `midnight`.
    pub today: Vec<ActivityCount>,
    /// Times of one activity, the earliest first: those since `midnight` and the last minutes before it, the latest 4096 of
    /// them.
    pub spans: Vec<ActivitySpan>,
}

/// What the wearer does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityNow {
    /// The activity of the latest decision.
    pub activity: String,
    /// Since it has changed, seconds.
    #[schemars(range(min = 0))]
    pub unchanged_s: f64,
}

/// A time in which the activity did not change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActivitySpan {
    /// The activity.
    pub activity: String,
    /// Its beginning: a hop before the end of its first window.
    pub from: LocalTime,
    /// Its end.
    pub until: LocalTime,
}

/// Decisions for one activity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityCount {
    /// The label.
    pub activity: String,
    /// How many.
    pub windows: u64,
    /// The time that they stand for, seconds: a hop each.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub seconds: f64,
}
