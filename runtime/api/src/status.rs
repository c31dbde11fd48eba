//! How a running daemon is, as the interface tells it.

use serde::Serialize;

use super::SettingsView;
use crate::{Misses, WindowCounts};
use gaitd_core::control::{Estimate, Signals};
use gaitd_core::stream::StreamCounts;

/// How a running daemon is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Always `status`.
    pub class: &'static str,
    /// gaitd's version.
    pub version: &'static str,
    /// Tells this run of the daemon from others.
    pub run: String,
    /// Process.
    pub pid: u32,
    /// Since the daemon has started, seconds.
    pub uptime_s: f64,
    /// Whether it does its work.
    pub alive: Aliveness,
    /// Whether it has all that it needs for its work.
    pub ready: Readiness,
    /// The ladder.
    pub model: ModelView,
    /// Where samples come from.
    pub source: SourceView,
    /// What became of the windows.
    pub windows: WindowCounts,
    /// Decisions later than their budget.
    pub misses: Misses,
    /// Changes from one configuration to another.
    pub switches: u64,
    /// Where decisions go, in the order of the configuration; none where they are only watched.
    pub outputs: Vec<OutputView>,
    /// What is demanded.
    pub settings: SettingsView,
    /// What the policy believed of the slowdown at the latest decision.
    pub slowdown: Option<Estimate>,
    /// The latest signals.
    pub signals: Signals,
    /// Memory in use.
    pub memory: MemoryView,
    /// Reloads of the configuration.
    pub reloads: ReloadsView,
    /// The interfaces on which the daemon can be asked.
    pub listeners: Vec<ListenerView>,
    /// Who listens to events now.
    pub subscribers: usize,
}

/// Whether the daemon does its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Aliveness {
    /// The engine turns windows into decisions, or waits for one.
    pub alive: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether the daemon has all that it needs for its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// The ladder is loaded and samples flow.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
}

/// The ladder in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelView {
    /// Its name.
    pub name: String,
    /// Where it was loaded from.
    pub origin: String,
    /// SHA-256 over the digests of all networks.
    pub hash: String,
    /// How many configurations it offers.
    pub configurations: usize,
    /// What executes it.
    pub backend: String,
}

/// Where samples come from, and how that goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceView {
    /// Its name, for people.
    pub name: String,
    /// The samples are made up.
    pub simulated: bool,
    /// How it is.
    pub state: SourceState,
    /// What is wrong with it, and when it is tried again.
    pub detail: Option<String>,
    /// How often it could not be opened, failed or ended.
    pub failures: u64,
    /// Since the latest sample, seconds; `None` before the first.
    pub last_sample_age_s: Option<f64>,
    /// What became of the samples.
    pub samples: StreamCounts,
}

/// How a source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// There was no sample yet.
    #[default]
    Waiting,
    /// Samples flow.
    Streaming,
    /// Samples flowed, and have stopped.
    Silent,
    /// It is missing or has failed, and is tried again.
    Retrying,
    /// It is over.
    Ended,
}

/// Where decisions go, and how that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutputView {
    /// The file, or `standard output`.
    pub name: String,
    /// How it is.
    pub state: OutputState,
    /// What is wrong with it.
    pub detail: Option<String>,
    /// Decisions written to it.
    pub published: u64,
    /// Decisions that it did not take.
    pub lost: u64,
}

/// How an output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputState {
    /// It takes what is written.
    #[default]
    Writing,
    /// What is written is lost.
    Failing,
    /// Its reader has closed it.
    Closed,
}

/// Memory in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryView {
    /// Resident memory of the process, bytes, where the system tells it.
    pub resident_bytes: Option<u64>,
    /// Weights and intermediate values of the ladder, bytes.
    pub ladder_bytes: u64,
}

/// Reloads of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReloadsView {
    /// How many were done.
    pub done: u64,
    /// How many were refused.
    pub refused: u64,
    /// The latest.
    pub last: Option<ReloadOutcome>,
}

/// What came of a reload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReloadOutcome {
    /// It was done.
    pub ok: bool,
    /// When, in seconds since the daemon has started.
    pub at_s: f64,
    /// What came of it, for people.
    pub message: String,
}

/// An interface on which the daemon can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListenerView {
    /// Address and port, or the path of a socket.
    pub address: String,
    /// How it is.
    pub state: ListenerState,
    /// What is wrong with it, and when it is tried again.
    pub detail: Option<String>,
}

/// How an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ListenerState {
    /// It takes connections.
    Listening,
    /// It cannot be had yet, and is tried again.
    Retrying,
}
