//! What is told of the times of one activity.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest that the shortest episode may be, seconds.
const LONGEST_S: f64 = 86_400.0;

/// What is told of the times of one activity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Episodes")]
pub struct EpisodesConfig {
    /// How long an episode lasts at least, seconds, from 0 (each change of the activity makes one) to a day; three hops where none
    /// is given.
    #[schemars(range(min = 0, max = LONGEST_S))]
    pub shortest_s: Option<f64>,
}

impl EpisodesConfig {
    /// How long an episode lasts at least, where that is said.
    #[must_use]
    pub fn shortest(&self) -> Option<Duration> {
        self.shortest_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }

    /// What is out of range, in a sentence.
    pub(super) fn problem(&self) -> Option<String> {
        let wrong = self.shortest_s.filter(|seconds| !(0.0..=LONGEST_S).contains(seconds))?;
        Some(format!("episodes.shortest_s is {wrong}, and must be from 0 to {LONGEST_S} seconds"))
    }
}
