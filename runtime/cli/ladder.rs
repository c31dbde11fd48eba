//! `gaitd ladder`: the table of a model's configurations.

use std::collections::BTreeSet;
use std::path::PathBuf;

use gaitd::daemon::{Config, Memory, cpu_name};
use gaitd::ladder::{ModelStore, Percentiles, Profile, ProfileKey};
use serde::Serialize;

use super::model::ModelArguments;
use super::table::{percent, table};

/// Show the configurations of a model: cost, accuracy, profiled latency and memory on this device
#[derive(clap::Args)]
#[command(
    after_help = "Latencies are shown once `gaitd profile` has measured them on this processor. The correction is how \
                        many times the paced latency `gaitd run` has found. Memory is that of a configuration's weights \
                        and intermediate values. Kernels are the matrix routines that were picked for this processor. \
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
struct Report {
    model: String,
    cpu: String,
    profiled: bool,
    /// What spoils the profile's figures.
    warnings: Vec<String>,
    configurations: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    width: f64,
    resolution: usize,
    macs: u64,
    parameters: u64,
    accuracy: gaitd::ladder::Accuracy,
    temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_us: Option<Latency>,
    /// Latency as learned / paced median.
    #[serde(skip_serializing_if = "Option::is_none")]
    correction: Option<f64>,
    memory_kb: u64,
    /// Matrix kernels picked on this processor.
    kernels: Vec<String>,
}

#[derive(Clone, Copy, Serialize)]
struct Latency {
    hot: Percentiles,
    paced: Percentiles,
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    let store = arguments.model.store();
    let ladder = super::model::load(&store)?;
    let state = Config { state: arguments.state.clone(), ..Config::default() }.state_directory();
    let cpu = cpu_name();
    let key = ProfileKey::new(&ladder, &cpu);
    let profile = Profile::find(&key, &state).unwrap_or_else(|error| {
        log::warn!("{error}");
        None
    });
    let learned = Memory::new(&key, &state).read().unwrap_or_else(|error| {
        log::warn!("{error}; what was learned is not shown");
        None
    });
    let rows = ladder.rungs().iter().map(|rung| {
        let configuration = rung.configuration().clone();
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
            memory_kb: rung.memory() / 1024,
            kernels: rung.kernels().to_vec(),
        }
    });
    let report = Report {
        model: ladder.manifest().name.clone(),
        cpu,
        profiled: profile.is_some(),
        warnings: profile.as_ref().map(|profile| profile.warnings.clone()).unwrap_or_default(),
        configurations: rows.collect(),
    };
    if arguments.json { super::print_json(&report) } else { super::print(&report.text(&store)) }
}

impl Report {
    fn text(&self, store: &ModelStore) -> String {
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
            "memory kB",
        ];
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let rows = self.configurations.iter().map(|row| {
            vec![
                row.id.clone(),
                format!("{:.2}", row.width),
                row.resolution.to_string(),
                format!("{:.2}", row.macs as f64 / 1e6),
                row.parameters.to_string(),
                percent(row.accuracy.validation),
                or_dash(row.accuracy.test.map(percent)),
                or_dash(row.latency_us.map(|latency| format!("{:.0}", latency.hot.p50))),
                or_dash(row.latency_us.map(|latency| format!("{:.0}", latency.paced.p50))),
                or_dash(row.latency_us.map(|latency| format!("{:.0}", latency.paced.p99))),
                or_dash(row.correction.map(|correction| format!("x{correction:.2}"))),
                row.memory_kb.to_string(),
            ]
        });
        let mut text = format!("{} in {store}, on {}\n{}", self.model, self.cpu, table(&header, rows));
        let kernels: BTreeSet<&str> =
            self.configurations.iter().flat_map(|row| &row.kernels).map(String::as_str).collect();
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
