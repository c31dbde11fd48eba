//! What is demanded of the engine, in the words of the configuration file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use gaitd_core::engine::{ControlConfig, Settings};

/// [`Settings`] as the interface shows them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Settings")]
pub struct SettingsView {
    /// What a configuration file says under `control`.
    #[serde(flatten)]
    pub control: ControlConfig,
    /// Always this configuration; the policy's choice where none.
    pub pin: Option<String>,
}

impl From<&Settings> for SettingsView {
    fn from(settings: &Settings) -> Self {
        Self { control: ControlConfig::from(settings), pin: settings.pinned.clone() }
    }
}
