//! The first line of an output, and the events beside decisions, status and summary.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::schema::class;
use crate::{LocalTime, SettingsView};

/// Version of the format of lines and events: raised when a field changes its meaning or goes away.
pub const PROTOCOL: u32 = 2;

/// The first line of an output, and the first event of a subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "class", rename = "gaitd")]
#[schemars(rename = "Hello", transform = class("gaitd"))]
pub struct Hello {
    /// Version of the format of lines and events: [`PROTOCOL`].
    pub protocol: u32,
    /// gaitd's version.
    pub version: String,
    /// When the output or the ladder began, by the clock of this machine; null in a replay, and where that clock
    /// is wrong by decades.
    #[serde(default)]
    pub time: Option<LocalTime>,
    /// Name of the stream.
    pub stream: String,
    /// The model's name.
    pub model: String,
    /// Where samples come from, for people.
    pub source: String,
    /// The samples are made up.
    pub simulated: bool,
    /// The activities.
    pub labels: Vec<String>,
    /// Names of the ladder's configurations.
    pub configurations: Vec<String>,
    /// The policy's name.
    pub policy: String,
    /// The budget with which the run starts, milliseconds.
    pub budget_ms: f64,
}

/// Raw samples: those since the last such event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "class", rename = "samples")]
#[schemars(rename = "Samples", transform = class("samples"))]
pub struct SampleBatch<'a> {
    /// Name of the stream.
    pub stream: Cow<'a, str>,
    /// Sample rate, hertz.
    pub rate_hz: f64,
    /// Names of the channels.
    pub channels: Vec<Cow<'a, str>>,
    /// One entry per sample: a value per channel, null where it is not finite.
    #[serde(deserialize_with = "values")]
    #[schemars(with = "Vec<Vec<Option<f64>>>")]
    pub values: Vec<Cow<'a, [f64]>>,
}

/// Reads the rows of a [`SampleBatch`]: null, which JSON has for all of them, becomes NaN.
fn values<'de, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Cow<'a, [f64]>>, D::Error> {
    let rows = Vec::<Vec<Option<f64>>>::deserialize(deserializer)?;
    let row = |row: Vec<Option<f64>>| row.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect();
    Ok(rows.into_iter().map(row).collect())
}

/// The settings were changed at run time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "class", rename = "settings")]
#[schemars(rename = "SettingsEvent", transform = class("settings"))]
pub struct SettingsEvent {
    /// Name of the stream.
    pub stream: String,
    /// The settings from the next window on.
    #[serde(flatten)]
    pub settings: SettingsView,
}

/// The configuration was read again; the ladder may be another one afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "class", rename = "reload")]
#[schemars(rename = "Reload", transform = class("reload"))]
pub struct ReloadEvent {
    /// Name of the stream.
    pub stream: String,
    /// The new configuration is in force; otherwise everything stays as it was.
    pub ok: bool,
    /// What has changed, or why nothing has, for people.
    pub message: String,
}

/// This subscriber was too slow, and lost its oldest events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "class", rename = "lost")]
#[schemars(rename = "Lost", transform = class("lost"))]
pub struct Lost {
    /// Name of the stream.
    pub stream: String,
    /// How many events.
    #[schemars(range(min = 1))]
    pub events: u64,
}

/// The daemon ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "class", rename = "bye")]
#[schemars(rename = "Bye", transform = class("bye"))]
pub struct Bye {}
