//! `gaitd ladder`: the table of a model's configurations.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use gaitd_core::ladder::{Ladder, Percentiles, Profile, ProfileKey};
use gaitd_daemon::{Config, LearnedState, cpu_name};
use serde::Serialize;

use super::loading::ModelArguments;
use super::table::{percent, table};

/// Show the configurations of a model: cost, accuracy, profiled latency and memory on this device
#[derive(clap::Args)]
#[command(
    after_help = "Latencies are shown once `gaitd profile` has measured them on this processor. The correction is how \
                        many times the paced latency `gaitd run` has found. Shared memory is that of a configuration's \
                        weights and plan, once for all streams; its own is that of the intermediate values of one \
                        stream. Kernels are the matrix routines that were picked for this processor. \
                        Softmax temperatures calibrate the probabilities of decisions, softmax(logits / temperature); \
                        --json names each.\n\n\
                        Example: gaitd ladder --models models/uci-har-cnn"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Where profiles are kept [default: the state directory]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
pub(super) struct Report {
    model: String,
    /// The inference library that executes it.
    backend: &'static str,
    /// The backends that left it to that one, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    left_by: BTreeMap<&'static str, String>,
    /// Weights and plans, once for all streams.
    shared_kb: u64,
    /// Intermediate values, once for each stream.
    own_kb: u64,
    cpu: String,
    profiled: bool,
    /// What spoils the profile's figures.
    warnings: Vec<String>,
    configurations: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    width: Option<f64>,
    resolution: Option<usize>,
    macs: u64,
    parameters: u64,
    accuracy: gaitd_core::ladder::Accuracy,
    temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_us: Option<Latency>,
    /// Latency as learned / paced median.
    #[serde(skip_serializing_if = "Option::is_none")]
    correction: Option<f64>,
    shared_kb: u64,
    own_kb: u64,
    /// Matrix kernels picked on this processor.
    kernels: Vec<String>,
}

#[derive(Clone, Copy, Serialize)]
struct Latency {
    hot: Percentiles,
    paced: Percentiles,
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    let report = Report::new(&arguments.model.load()?, arguments.state.clone());
    if arguments.json { super::print_json(&report) } else { super::print(&report.text(&arguments.model.origin())) }
}

impl Report {
    /// What is known of `ladder` here; profiles are kept in `state`, or else in the state directory.
    pub(super) fn new(ladder: &Ladder, state: Option<PathBuf>) -> Self {
        let state = Config { state, ..Config::default() }.state_directory();
        let cpu = cpu_name();
        let key = ProfileKey::new(ladder, &cpu);
        let profile = Profile::find(&key, &state).unwrap_or_else(|error| {
            log::warn!("{error}");
            None
        });
        let learned = LearnedState::new(&key, &state).read().unwrap_or_else(|error| {
            log::warn!("{error}; what was learned is not shown");
            None
        });
        let network = ladder.network();
        let rows = ladder.configurations().iter().cloned().enumerate().map(|(rung, configuration)| {
            let profiled = profile.as_ref().and_then(|p| p.configurations.iter().find(|p| p.id == configuration.id));
            let correction = profile.as_ref().and_then(|profile| {
                let id = &configuration.id;
                learned.as_ref()?.correction(id, profile.expected(id)?)
            });
            Row {
                correction,
                latency_us: profiled.map(|profiled| Latency { hot: profiled.hot, paced: profiled.paced }),
                id: configuration.id,
                width: configuration.width,
                resolution: configuration.resolution,
                macs: configuration.macs,
                parameters: configuration.parameters,
                accuracy: configuration.accuracy,
                temperature: configuration.temperature,
                shared_kb: network.rung_memory(rung).shared / 1024,
                own_kb: network.rung_memory(rung).own / 1024,
                kernels: network.kernels(rung).to_vec(),
            }
        });
        Self {
            model: ladder.manifest().name.clone(),
            backend: ladder.backend(),
            left_by: ladder.left().iter().cloned().collect(),
            shared_kb: network.memory().shared / 1024,
            own_kb: network.memory().own / 1024,
            cpu,
            profiled: profile.is_some(),
            warnings: profile.as_ref().map(|profile| profile.warnings.clone()).unwrap_or_default(),
            configurations: rows.collect(),
        }
    }

    pub(super) fn text(&self, origin: &str) -> String {
        let header = [
            "configuration",
            "width",
            "resolution",
            "MMACs",
            "parameters",
            "validation %",
            "test %",
            "hot p50 us",
            "paced p50 us",
            "p99 us",
            "correction",
            "shared kB",
            "own kB",
        ];
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let rows = self.configurations.iter().map(|row| {
            vec![
                row.id.clone(),
                or_dash(row.width.map(|width| format!("{width:.2}"))),
                or_dash(row.resolution.map(|resolution| resolution.to_string())),
                format!("{:.2}", row.macs as f64 / 1e6),
                row.parameters.to_string(),
                or_dash(row.accuracy.validation.map(percent)),
                or_dash(row.accuracy.test.map(percent)),
                or_dash(row.latency_us.map(|latency| format!("{:.0}", latency.hot.p50))),
                or_dash(row.latency_us.map(|latency| format!("{:.0}", latency.paced.p50))),
                or_dash(row.latency_us.map(|latency| format!("{:.0}", latency.paced.p99))),
                or_dash(row.correction.map(|correction| format!("x{correction:.2}"))),
                row.shared_kb.to_string(),
                row.own_kb.to_string(),
            ]
        });
        let mut text = format!("{} in {origin}, on {}\n{}", self.model, self.cpu, table(&header, rows));
        let kernels: BTreeSet<&str> =
            self.configurations.iter().flat_map(|row| &row.kernels).map(String::as_str).collect();
        text += &format!(
            "backend {}: {} kB of weights and plans, once for all streams, and {} kB of buffers for each stream\n",
            self.backend, self.shared_kb, self.own_kb
        );
        for (backend, reason) in &self.left_by {
            text += &format!("{backend} leaves it, because of {reason}\n");
        }
        text += &format!("kernels: {}\n", kernels.into_iter().collect::<Vec<_>>().join(", "));
        let temperatures = self.configurations.iter().map(|row| row.temperature);
        let (lowest, highest) = (temperatures.clone().fold(f64::MAX, f64::min), temperatures.fold(0.0, f64::max));
        if (lowest, highest) != (1.0, 1.0) {
            text += &format!("softmax temperatures: {lowest:.2} to {highest:.2}\n");
        }
        if !self.profiled {
            text += "not profiled on this processor yet: run `gaitd profile`\n";
        }
        for warning in &self.warnings {
            text += &format!("warning: {warning}\n");
        }
        text
    }
}
