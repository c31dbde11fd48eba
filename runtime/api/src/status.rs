//! How a running daemon is, as the interface shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SettingsView;
use crate::schema::class;
use crate::{CascadeCounts, FaultView, HeadCounts, LocalTime, Misses, WindowCounts};
use gaitd_core::control::{Estimate, Load};
use gaitd_core::stream::StreamCounts;

/// How a running daemon is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "class", rename = "status")]
#[schemars(rename = "Status", transform = class("status"))]
pub struct Status {
    /// gaitd's version.
    pub version: String,
    /// Distinguishes this run of the daemon from others.
    pub run: String,
    /// Name of the stream.
    #[serde(default)]
    pub stream: String,
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
    /// How many windows were decided, dropped or failed.
    pub windows: WindowCounts,
    /// Decisions later than their budget.
    pub misses: Option<Misses>,
    /// Changes from one plan, a configuration or a cascade, to another.
    pub switches: u64,
    /// What the wearer did today.
    #[serde(default)]
    pub today: Today,
    /// Inferences that began before their windows were complete.
    #[serde(default)]
    pub heads: HeadCounts,
    /// What became of the second inferences of cascades.
    #[serde(default)]
    pub cascades: CascadeCounts,
    /// Where decisions go, in the order of the configuration; none where they are only watched.
    pub outputs: Vec<OutputView>,
    /// What is demanded.
    pub settings: SettingsView,
    /// The policy's estimate of the slowdown at the latest decision; null where it estimates none.
    pub slowdown: Option<Estimate>,
    /// There is a token: whoever shows it may change something over the network. Without one nobody may.
    #[serde(default)]
    pub token: bool,
    /// The latest reading of the load.
    pub signals: Load,
    /// Memory in use.
    pub memory: MemoryView,
    /// Reloads of the configuration.
    pub reloads: ReloadsView,
    /// The interfaces on which the daemon can be asked.
    pub listeners: Vec<ListenerView>,
    /// Clients that listen to events now.
    pub subscribers: usize,
}

/// How long the wearer did what, on the day of the latest decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Today {
    /// When that day began, where this machine is; null where decisions have no time of day, and nothing is counted.
    pub midnight: Option<LocalTime>,
    /// Every activity.
    pub activities: Vec<ActivityMinutes>,
}

/// How long the wearer did something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityMinutes {
    /// The label.
    pub activity: String,
    /// A hop for each decision.
    #[schemars(range(min = 0))]
    pub minutes: f64,
}

/// Whether the daemon does its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Aliveness {
    /// The engine turns windows into decisions, or waits for one.
    pub alive: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether the daemon has all that it needs for its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// The ladder is loaded and samples flow.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
}

/// The ladder in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Model")]
pub struct ModelView {
    /// Its name.
    pub name: String,
    /// Where it was loaded from.
    pub origin: String,
    /// SHA-256 over the digests of all networks.
    pub hash: String,
    /// The inference library that executes it.
    #[serde(default)]
    pub backend: String,
    /// The kernels that it uses on this processor, in which the instruction set and the size of a tile stand.
    #[serde(default)]
    pub kernels: Vec<String>,
    /// How many configurations it offers.
    pub configurations: usize,
}

/// Where samples come from, and how that goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Since the latest sample, seconds; null before the first.
    #[schemars(range(min = 0))]
    pub last_sample_age_s: Option<f64>,
    /// How many samples were good, missing or not usable.
    pub samples: StreamCounts,
    /// What is or was wrong with its sensors.
    #[serde(default)]
    pub implausible: Vec<FaultView>,
    /// Samples per second over the last four seconds by their timestamps, or, in a live stream without, over the last ten by
    /// their arrival; null before that is known.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub rate_hz: Option<f64>,
    /// By how much answers are behind the samples because these are put onto the ladder's grid, seconds; 0 while they pass as
    /// they are.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub delay_s: f64,
}

/// How a source is. A state of a newer gaitd is read as `Unknown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// A state that this version does not know.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// Where decisions go, and how that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// How an output is. A state of a newer gaitd is read as `Unknown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputState {
    /// It takes what is written.
    #[default]
    Writing,
    /// What is written is lost.
    Failing,
    /// Its reader has closed it.
    Closed,
    /// A state that this version does not know.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// Memory in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryView {
    /// Resident memory of the process, bytes, where the system shows it.
    pub resident_bytes: Option<u64>,
    /// Weights and intermediate values of the ladder, bytes.
    pub ladder_bytes: u64,
}

/// Reloads of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReloadsView {
    /// How many were done.
    pub done: u64,
    /// How many were refused.
    pub refused: u64,
    /// The latest.
    pub last: Option<ReloadOutcome>,
}

/// The result of a reload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReloadOutcome {
    /// The new configuration is in force; otherwise everything stays as it was.
    pub ok: bool,
    /// When, in seconds since the daemon has started.
    pub at_s: f64,
    /// What has changed, or why nothing has, for people.
    pub message: String,
}

/// An interface on which the daemon can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Listener")]
pub struct ListenerView {
    /// Address and port, or the path of a socket.
    pub address: String,
    /// How it is.
    pub state: ListenerState,
    /// What is wrong with it, and when it is tried again.
    pub detail: Option<String>,
}

/// How an interface is. A state of a newer gaitd is read as `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListenerState {
    /// It takes connections.
    Listening,
    /// It cannot be bound yet, and is tried again.
    Retrying,
    /// A state that this version does not know.
    #[serde(other, skip_serializing)]
    Unknown,
}
