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
    /// With context; `macs` are the mean of all windows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cascades: Vec<Row>,
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
    /// Share of the windows that were recognised: by the controller, or each alone.
    accuracy: Option<f64>,
    /// The same with context, of a stream without a controller.
    context_accuracy: Option<f64>,
    /// The same of the most probable sequence of activities, which knows the whole recording.
    sequence_accuracy: Option<f64>,
    latency_us: Option<Percentiles>,
    /// `[truth, answer]`, windows; with context, where there is any.
    confusion: Vec<Vec<u64>>,
}

#[derive(Serialize)]
pub(super) struct ControllerRow {
    policy: &'static str,
    objective: &'static str,
    activity_aware: bool,
    /// Answers are those of the stream, not each that of its window.
    context: bool,
    budget_ms: f64,
    /// The scenario whose load was simulated.
    scenario: Option<String>,
    /// Windows decided, compared or not.
    decided: u64,
    /// Share of the compared windows that were recognised, late or not.
    accuracy: Option<f64>,
    /// Share of them of which each window alone says what it was.
    instant_accuracy: Option<f64>,
    /// Share of them that the most probable sequence of activities has right, which knows the whole recording; with context.
    sequence_accuracy: Option<f64>,
    /// The first of these, a late one counting as a guess.
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
            context_accuracy: None,
            sequence_accuracy: None,
            latency_us: score.latency(),
            confusion: score.confusion().to_vec(),
        }
    }

    /// What the cascade `id` reached, of which `macs` are the mean.
    pub(super) fn of_cascade(id: String, account: &Account) -> Self {
        Self {
            id,
            width: None,
            resolution: None,
            macs: account.mean_macs() as u64,
            windows: account.total.windows(),
            accuracy: account.instant_accuracy(),
            context_accuracy: account.total.accuracy(),
            sequence_accuracy: account.sequence_accuracy(),
            latency_us: account.total.latency(),
            confusion: account.total.confusion().to_vec(),
        }
    }

    /// The same where all windows of a stream were answered with context: what each says alone, beside that.
    pub(super) fn with_context(self, account: &Account) -> Self {
        let (accuracy, sequence_accuracy) = (account.instant_accuracy(), account.sequence_accuracy());
        Self { accuracy, context_accuracy: self.accuracy, sequence_accuracy, ..self }
    }
}

impl ControllerRow {
    /// What the controller reached as `control` demands, under the load of `scenario` if there was one.
    pub(super) fn new(control: &ControlConfig, scenario: Option<String>, account: &Account) -> Self {
        Self {
            policy: control.policy.name(),
            objective: control.objective.name(),
            activity_aware: control.activity_aware,
            context: control.context,
            budget_ms: control.budget_ms,
            scenario,
            decided: account.decided,
            accuracy: account.total.accuracy(),
            instant_accuracy: account.instant_accuracy(),
            sequence_accuracy: account.sequence_accuracy().filter(|_| control.context),
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
            cascades: Vec::new(),
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
        let is_stream = self.configurations.iter().chain(&self.cascades).any(|row| row.context_accuracy.is_some());
        let rows = self.configurations.iter().chain(&self.cascades).map(|row| {
            let mut cells = vec![
                row.id.clone(),
                format!("{:.2}", row.macs as f64 / 1e6),
                row.windows.to_string(),
                or_dash(row.accuracy.map(percent)),
            ];
            if is_stream {
                cells.extend([row.context_accuracy, row.sequence_accuracy].map(|share| or_dash(share.map(percent))));
            }
            cells.extend(latency(row.latency_us));
            cells
        });
        let mut header = vec!["configuration", "MMACs", "windows", "accuracy %"];
        if is_stream {
            header.extend(["with context %", "best sequence %"]);
        }
        header.extend(["p50 us", "p90 us", "p99 us"]);
        text += &table(&header, rows);
        let last = self.configurations.last().or(self.cascades.last());
        let confusion = match (&self.controller, last) {
            (Some(controller), _) => {
                let [p50, p90, p99] = latency(controller.latency_us);
                text += &format!(
                    "\npolicy {}, objective {}{}, context {}, budget {} ms{}\naccuracy {} %{}, {} % with late ones as guesses; {} of {} \
                     late; {:.2} MMACs{} on average; {p50} / {p90} / {p99} us (p50 / p90 / p99)\n",
                    controller.policy,
                    controller.objective,
                    if controller.activity_aware { "" } else { " (activity-blind)" },
                    if controller.context { "on" } else { "off" },
                    controller.budget_ms,
                    controller.scenario.as_ref().map_or_else(String::new, |name| format!(", simulated load {name}")),
                    or_dash(controller.accuracy.map(percent)),
                    if controller.context {
                        format!(
                            " ({} by windows alone, {} by the best sequence)",
                            or_dash(controller.instant_accuracy.map(percent)),
                            or_dash(controller.sequence_accuracy.map(percent))
                        )
                    } else {
                        String::new()
                    },
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
