//! What a running daemon tells of itself and what can be asked of it, as the HTTP interface, the control socket and the
//! output show it: plain values.

#![forbid(unsafe_code)]

mod change;
mod explain;
mod ladder;
mod settings;
mod status;
mod summary;

use std::time::Duration;

use serde::Serialize;

pub use change::{Change, ChangeError};
pub use explain::Explanation;
pub use ladder::{LadderConfiguration, LadderProfile, LadderView};
pub use settings::SettingsView;
pub use status::{
    Aliveness, ListenerState, ListenerView, MemoryView, ModelView, OutputState, OutputView, Readiness, ReloadOutcome,
    ReloadsView, SourceState, SourceView, Status,
};
pub use summary::{ActivityCount, ConfigurationUse, Misses, PhaseLatency, Recognised, Summary, WindowCounts};

/// `duration` in milliseconds, the unit of latencies on the wire.
#[must_use]
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// What came of a reload that went well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// Configuration keys whose new values are in force, such as `control.budget_ms`.
    pub changed: Vec<String>,
    /// Keys whose new values need a restart; the old ones stay.
    pub not_reloaded: Vec<String>,
    /// Settings that had been changed while the daemon ran, and are now as the configuration says.
    pub ended: Vec<String>,
}
