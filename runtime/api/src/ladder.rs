//! The ladder as the interface shows it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use gaitd_core::ladder::{Accuracy, Ladder, Profile};
use gaitd_core::stream::Channel;

/// A ladder and its profile on this device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Ladder")]
pub struct LadderView {
    /// The model's name.
    pub model: String,
    /// SHA-256 over the digests of all networks.
    pub hash: String,
    /// The activities.
    pub labels: Vec<String>,
    /// The raw channels that it reads.
    pub channels: Vec<Channel>,
    /// Sample rate, hertz.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub sample_rate_hz: f64,
    /// Length of a window, samples.
    pub window: usize,
    /// From one window to the next, samples.
    pub hop: usize,
    /// The inference library that executes it.
    #[serde(default)]
    pub backend: String,
    /// The kernels that it uses on this processor, in which the instruction set and the size of a tile stand.
    #[serde(default)]
    pub kernels: Vec<String>,
    /// Weights and plans of all configurations, shared by all streams, bytes.
    #[serde(default)]
    pub shared_bytes: u64,
    /// Intermediate values of one stream, bytes.
    #[serde(default)]
    pub own_bytes: u64,
    /// Where and how well it was measured.
    pub profile: LadderProfile,
    /// The configurations, from the least to the most work.
    pub configurations: Vec<LadderConfiguration>,
}

/// Where and how well a ladder was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LadderProfile {
    /// The processor.
    pub cpu: String,
    /// What makes the figures doubtful.
    pub warnings: Vec<String>,
}

/// One configuration and its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LadderConfiguration {
    /// Its name.
    pub id: String,
    /// Share of each layer's channels in use, where that is what makes it.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub width: Option<f64>,
    /// Time steps to which a window is resampled, if it is.
    pub resolution: Option<usize>,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Weights in use.
    pub parameters: u64,
    /// Shares of windows recognised.
    pub accuracy: Accuracy,
    /// What the logits are divided by before they become probabilities.
    pub temperature: f64,
    /// Median of inferences straight after each other, microseconds, where it was measured.
    pub hot_p50_us: Option<f64>,
    /// Median of inferences as the daemon paces them, microseconds, where it was measured.
    pub paced_p50_us: Option<f64>,
    /// The time that 99 of 100 of these do not exceed, microseconds, where it was measured.
    pub paced_p99_us: Option<f64>,
    /// Weights and plan, bytes; what configurations share counts for each of them.
    #[serde(default)]
    pub shared_bytes: u64,
    /// Intermediate values of one stream, bytes.
    #[serde(default)]
    pub own_bytes: u64,
}

impl LadderView {
    /// `ladder`, measured as `profile` says.
    #[must_use]
    pub fn new(ladder: &Ladder, profile: &Profile) -> Self {
        let manifest = ladder.manifest();
        let task = &manifest.task;
        let memory = ladder.network().memory();
        let rungs = 0..ladder.configurations().len();
        let kernels: BTreeSet<String> = rungs.flat_map(|rung| ladder.network().kernels(rung).to_vec()).collect();
        let configurations = ladder.configurations().iter().enumerate().map(|(rung, configuration)| {
            let memory = ladder.network().rung_memory(rung);
            let measured = profile.configurations.iter().find(|profiled| profiled.id == configuration.id);
            LadderConfiguration {
                id: configuration.id.clone(),
                width: configuration.width,
                resolution: configuration.resolution,
                macs: configuration.macs,
                parameters: configuration.parameters,
                accuracy: configuration.accuracy.clone(),
                temperature: configuration.temperature,
                hot_p50_us: measured.map(|profiled| profiled.hot.p50),
                paced_p50_us: measured.map(|profiled| profiled.paced.p50),
                paced_p99_us: measured.map(|profiled| profiled.paced.p99),
                shared_bytes: memory.shared,
                own_bytes: memory.own,
            }
        });
        Self {
            model: manifest.name.clone(),
            hash: ladder.model_hash().to_owned(),
            labels: task.labels.clone(),
            channels: task.input.channels.clone(),
            sample_rate_hz: task.sample_rate_hz,
            window: task.window,
            hop: task.hop,
            backend: ladder.backend().to_owned(),
            kernels: kernels.into_iter().collect(),
            shared_bytes: memory.shared,
            own_bytes: memory.own,
            profile: LadderProfile { cpu: profile.cpu.clone(), warnings: profile.warnings.clone() },
            configurations: configurations.collect(),
        }
    }

    /// All bytes that the ladder takes for one stream.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.shared_bytes + self.own_bytes
    }
}
