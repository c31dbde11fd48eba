//! What a replay found, as JSON and as tables.

use gaitd_core::engine::ControlConfig;
use gaitd_core::ladder::{Configuration, Manifest, Percentiles};
use gaitd_lab::replay::{Account, Score};
use serde::Serialize;

use super::super::labelled::Labelled;
use super::super::table::{percent, table};

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) data: String,
    /// The samples are made up.
    pub(super) simulated: bool,
    pub(super) model: String,
    pub(super) labels: Vec<String>,
    pub(super) windows: usize,
    pub(super) unlabelled: usize,
    pub(super) configurations: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) controller: Option<ControllerRow>,
}

#[derive(Serialize)]
pub(super) struct Row {
    id: String,
    width: Option<f64>,
    resolution: Option<usize>,
    macs: u64,
    windows: u64,
    accuracy: Option<f64>,
    latency_us: Option<Percentiles>,
    /// `[truth, answer]`, windows.
    confusion: Vec<Vec<u64>>,
}

#[derive(Serialize)]
pub(super) struct ControllerRow {
    policy: &'static str,
    objective: &'static str,
    activity_aware: bool,
    budget_ms: f64,
    /// The scenario whose load was simulated.
    scenario: Option<String>,
    /// Windows decided, compared or not.
    decided: u64,
    /// Share of the compared windows that were recognised, late or not.
    accuracy: Option<f64>,
    /// The same, a late one counting as a guess.
    effective_accuracy: Option<f64>,
    /// Late decisions.
    misses: u64,
    /// Mean multiply-accumulates of an inference.
    mean_macs: f64,
    /// Mean CPU time of an inference, where it could be measured.
    mean_cpu_us: Option<f64>,
    latency_us: Option<Percentiles>,
    confusion: Vec<Vec<u64>>,
}

impl Row {
    /// What `configuration` reached.
    pub(super) fn new(configuration: &Configuration, score: &Score) -> Self {
        Self {
            id: configuration.id.clone(),
            width: configuration.width,
            resolution: configuration.resolution,
            macs: configuration.macs,
            windows: score.windows(),
            accuracy: score.accuracy(),
            latency_us: score.latency(),
            confusion: score.confusion().to_vec(),
        }
    }
}

impl ControllerRow {
    /// What the controller reached as `control` demands, under the load of `scenario` if there was one.
    pub(super) fn new(control: &ControlConfig, scenario: Option<String>, account: &Account) -> Self {
        Self {
            policy: control.policy.name(),
            objective: control.objective.name(),
            activity_aware: control.activity_aware,
            budget_ms: control.budget_ms,
            scenario,
            decided: account.decided,
            accuracy: account.total.accuracy(),
            effective_accuracy: account.effective_accuracy(),
            misses: account.misses,
            mean_macs: account.mean_macs(),
            mean_cpu_us: account.mean_cpu_s().map(|seconds| seconds * 1e6),
            latency_us: account.total.latency(),
            confusion: account.total.confusion().to_vec(),
        }
    }
}

impl Report {
    pub(super) fn new(data: String, simulated: bool, manifest: &Manifest, windows: &Labelled) -> Self {
        Self {
            data,
            simulated,
            model: manifest.name.clone(),
            labels: manifest.task.labels.clone(),
            windows: windows.compared(),
            unlabelled: windows.windows.len() - windows.compared(),
            configurations: Vec::new(),
            controller: None,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{}: {} labelled windows", self.data, self.windows);
        if self.unlabelled > 0 {
            text += &format!(", {} more lie in no single activity", self.unlabelled);
        }
        text += "\n";
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let latency = |latency: Option<Percentiles>| {
            latency.map_or_else(|| ["-"; 3].map(str::to_owned), |l| [l.p50, l.p90, l.p99].map(|us| format!("{us:.0}")))
        };
        let rows = self.configurations.iter().map(|row| {
            let mut cells = vec![
                row.id.clone(),
                format!("{:.2}", row.macs as f64 / 1e6),
                row.windows.to_string(),
                or_dash(row.accuracy.map(percent)),
            ];
            cells.extend(latency(row.latency_us));
            cells
        });
        text += &table(&["configuration", "MMACs", "windows", "accuracy %", "p50 us", "p90 us", "p99 us"], rows);
        let confusion = match (&self.controller, self.configurations.last()) {
            (Some(controller), _) => {
                let [p50, p90, p99] = latency(controller.latency_us);
                text += &format!(
                    "\npolicy {}, objective {}{}, budget {} ms{}\naccuracy {} %, {} % with late ones as guesses; {} of {} \
                     late; {:.2} MMACs{} on average; {p50} / {p90} / {p99} us (p50 / p90 / p99)\n",
                    controller.policy,
                    controller.objective,
                    if controller.activity_aware { "" } else { " (activity-blind)" },
                    controller.budget_ms,
                    controller.scenario.as_ref().map_or_else(String::new, |name| format!(", simulated load {name}")),
                    or_dash(controller.accuracy.map(percent)),
                    or_dash(controller.effective_accuracy.map(percent)),
                    controller.misses,
                    controller.decided,
                    controller.mean_macs / 1e6,
                    controller.mean_cpu_us.map_or_else(String::new, |us| format!(" and {us:.0} us of CPU time")),
                );
                Some((&controller.confusion, "the controller"))
            }
            (None, Some(row)) => Some((&row.confusion, row.id.as_str())),
            (None, None) => None,
        };
        if let Some((confusion, of)) = confusion {
            text += &format!("\nconfusion of {of} (rows: what it was; columns: the answer)\n");
            let header: Vec<&str> = std::iter::once("").chain(self.labels.iter().map(String::as_str)).collect();
            let rows = self.labels.iter().zip(confusion).map(|(label, counts)| {
                std::iter::once(label.clone()).chain(counts.iter().map(u64::to_string)).collect()
            });
            text += &table(&header, rows);
        }
        text
    }
}
