//! The daemon's answers, as far as people are told of them; a later gaitd may say more.

use std::fmt;

use serde::{Deserialize, Deserializer};

use super::super::log::escaped;

/// What the daemon says, escaped: it quotes file names, models and sensors, and none of them may steer the terminal.
pub(super) struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(escaped(&text)))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[derive(Deserialize)]
pub(super) struct Error {
    pub(super) error: Text,
}

#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) version: Text,
    pub(super) run: Text,
    pub(super) pid: u32,
    pub(super) uptime_s: f64,
    pub(super) alive: Aliveness,
    pub(super) ready: Readiness,
    pub(super) model: Model,
    pub(super) source: Source,
    pub(super) windows: Windows,
    pub(super) misses: Misses,
    pub(super) switches: u64,
    pub(super) outputs: Vec<Output>,
    pub(super) settings: Settings,
    pub(super) slowdown: Option<Estimate>,
    pub(super) signals: Signals,
    pub(super) memory: Memory,
    pub(super) reloads: Reloads,
    pub(super) listeners: Vec<Listener>,
    pub(super) subscribers: u64,
}

#[derive(Deserialize)]
pub(super) struct Aliveness {
    pub(super) alive: bool,
    pub(super) reason: Option<Text>,
}

#[derive(Deserialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    pub(super) reasons: Vec<Text>,
}

#[derive(Deserialize)]
pub(super) struct Model {
    pub(super) name: Text,
    pub(super) origin: Text,
    pub(super) hash: Text,
    pub(super) configurations: u64,
}

#[derive(Deserialize)]
pub(super) struct Source {
    pub(super) name: Text,
    pub(super) state: Text,
    pub(super) detail: Option<Text>,
    pub(super) failures: u64,
    pub(super) last_sample_age_s: Option<f64>,
    pub(super) samples: Samples,
}

#[derive(Deserialize)]
pub(super) struct Samples {
    pub(super) samples: u64,
    pub(super) bridged: u64,
    pub(super) malformed: u64,
    pub(super) non_finite: u64,
    pub(super) out_of_order: u64,
    pub(super) gaps: u64,
    pub(super) resets: u64,
}

#[derive(Deserialize)]
pub(super) struct Windows {
    pub(super) produced: u64,
    pub(super) decided: u64,
    pub(super) dropped: u64,
    pub(super) failed: u64,
    pub(super) published: u64,
    pub(super) lost: u64,
}

#[derive(Deserialize)]
pub(super) struct Misses {
    pub(super) count: u64,
    pub(super) rate: f64,
}

#[derive(Deserialize)]
pub(super) struct Output {
    pub(super) name: Text,
    pub(super) state: Text,
    pub(super) detail: Option<Text>,
    pub(super) published: u64,
    pub(super) lost: u64,
}

#[derive(Deserialize)]
pub(super) struct Settings {
    pub(super) budget_ms: f64,
    pub(super) miss_target: f64,
    pub(super) policy: Policy,
    pub(super) objective: Objective,
    pub(super) cpu_budget_percent: Option<f64>,
    pub(super) activity_aware: bool,
    pub(super) pin: Option<Text>,
}

#[derive(Deserialize)]
pub(super) struct Policy {
    pub(super) kind: Text,
    /// That of the policy `fixed`.
    pub(super) configuration: Option<Text>,
}

#[derive(Deserialize)]
pub(super) struct Objective {
    pub(super) kind: Text,
    pub(super) accuracy_floor: Option<f64>,
}

#[derive(Deserialize)]
pub(super) struct Estimate {
    pub(super) mean: f64,
    pub(super) spread: f64,
}

#[derive(Deserialize)]
pub(super) struct Signals {
    pub(super) cpu: Option<f64>,
    pub(super) pressure: Option<f64>,
    pub(super) frequency: Option<f64>,
    pub(super) temperature_c: Option<f64>,
}

#[derive(Deserialize)]
pub(super) struct Memory {
    pub(super) resident_bytes: Option<u64>,
    pub(super) ladder_bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct Reloads {
    pub(super) done: u64,
    pub(super) refused: u64,
    pub(super) last: Option<Reload>,
}

#[derive(Deserialize)]
pub(super) struct Reload {
    pub(super) at_s: f64,
    pub(super) message: Text,
}

#[derive(Deserialize)]
pub(super) struct Listener {
    pub(super) address: Text,
    pub(super) state: Text,
    pub(super) detail: Option<Text>,
}

#[derive(Deserialize)]
pub(super) struct Reloaded {
    pub(super) changed: Vec<Text>,
    pub(super) not_reloaded: Vec<Text>,
    pub(super) ended: Vec<Text>,
}

#[derive(Deserialize)]
pub(super) struct Explanation {
    pub(super) window: u64,
    pub(super) configuration: Text,
    pub(super) why: Text,
    pub(super) budget_ms: f64,
    pub(super) available_ms: f64,
    pub(super) slowdown: Option<Estimate>,
    pub(super) signals: Signals,
    pub(super) configurations: Vec<Candidate>,
}

#[derive(Deserialize)]
pub(super) struct Candidate {
    pub(super) id: Text,
    pub(super) macs: u64,
    pub(super) predicted_ms: f64,
    pub(super) miss_probability: Option<f64>,
    pub(super) expected_accuracy: f64,
    pub(super) cost_ms: f64,
    pub(super) picked: bool,
}
