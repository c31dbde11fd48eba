//! What is demanded of the engine, in the words of the configuration file.

use serde::Serialize;

use gaitd_core::engine::{Control, Settings};

/// [`Settings`] as the interface shows them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SettingsView {
    /// What a configuration file says under `control`.
    #[serde(flatten)]
    pub control: Control,
    /// Always this configuration; the policy's choice where none.
    pub pin: Option<String>,
}

impl From<&Settings> for SettingsView {
    fn from(settings: &Settings) -> Self {
        Self { control: Control::from(settings), pin: settings.pinned.clone() }
    }
}
