//! The wire types of gaitd: what a running daemon says of itself and what can be asked of it, over HTTP, over the control
//! socket and on its output.
//!
//! Every type is read as well as written, so that a client in Rust declares none of them again. Answers, lines and events
//! are read tolerantly: fields that a newer gaitd adds are ignored. Requests ([`Change`]) refuse unknown fields. A line or
//! event says by its `class` what it is, and by `stream` which stream it concerns.
//!
//! ```
//! use gaitd_api::{Aliveness, Hello};
//!
//! let answer = r#"{"alive": false, "reason": "the engine has not moved for 20 s", "since": "a later version"}"#;
//! let health: Aliveness = serde_json::from_str(answer)?;
//! assert!(!health.alive);
//!
//! let line = r#"{"class": "gaitd", "protocol": 2, "version": "0.2.0", "stream": "left", "model": "uci-har-cnn",
//!     "source": "stdin", "simulated": false, "labels": ["sitting"], "configurations": ["1.00x-128"],
//!     "policy": "bayes", "budget_ms": 50.0}"#;
//! let hello: Hello = serde_json::from_str(line)?;
//! assert_eq!((hello.protocol, hello.stream.as_str()), (gaitd_api::PROTOCOL, "left"));
//! # Ok::<(), serde_json::Error>(())
//! ```

#![forbid(unsafe_code)]

mod activities;
mod change;
mod decision;
mod episode;
mod event;
mod explain;
mod implausible;
mod ladder;
mod local_time;
mod revised;
pub mod schema;
mod settings;
mod status;
mod summary;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use activities::{Activities, ActivityCount, ActivityNow, ActivitySpan};
pub use change::{Change, ChangeError};
pub use decision::{CascadeView, DecisionLine, HeadView, Probabilities, SecondView, Timings};
pub use episode::EpisodeLine;
pub use event::{Bye, Hello, Lost, PROTOCOL, ReloadEvent, SampleBatch, SettingsEvent};
pub use explain::{Candidate, Explanation};
pub use implausible::{FaultView, Implausible, ImplausibleSensor};
pub use ladder::{LadderConfiguration, LadderProfile, LadderView};
pub use local_time::LocalTime;
pub use revised::RevisedLine;
pub use settings::SettingsView;
pub use status::{
    ActivityMinutes, Aliveness, ListenerState, ListenerView, MemoryView, ModelView, OutputState, OutputView, Readiness,
    ReloadOutcome, ReloadsView, SourceState, SourceView, Status, Today,
};
pub use summary::{
    CascadeCounts, ConfigurationUse, HeadCounts, Misses, PhaseLatency, Recognised, Summary, WindowCounts,
};

/// `duration` in milliseconds, the unit of latencies on the wire.
#[must_use]
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Error")]
pub struct ErrorView {
    /// What is wrong and what to do.
    pub error: String,
}

/// The result of a reload that was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reloaded {
    /// Configuration keys whose new values are in force, such as `control.budget_ms`.
    pub changed: Vec<String>,
    /// Keys whose new values need a restart; the old ones stay.
    pub not_reloaded: Vec<String>,
    /// Settings changed at run time that are now as the configuration says.
    pub ended: Vec<String>,
}
