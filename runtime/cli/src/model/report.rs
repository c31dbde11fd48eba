//! What `gaitd model new` understood and made, as JSON and as text.

use std::path::Path;
use std::time::Duration;

use gaitd_author::{Draft, Figures, NetworkFile};
use gaitd_core::ladder::{Answers, Configuration, Ladder, Layout};
use serde::Serialize;

use crate::table::{percent, table};

/// Where the accuracies come from.
#[derive(Clone, Copy, Serialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub(super) enum Accuracies {
    Measured { windows: usize },
    Stated,
    Unknown,
}

#[derive(Serialize)]
pub(super) struct NewReport {
    model: String,
    /// In the manifest's order.
    configurations: Vec<Row>,
    /// Those that are not on the front.
    left_out: Vec<Row>,
    /// Who computed the golden vectors.
    golden: String,
    golden_windows: usize,
    accuracies: Accuracies,
    /// Whether each label's recall is known.
    recall: bool,
}

#[derive(Clone, Serialize)]
struct Row {
    id: String,
    file: String,
    inputs: String,
    holds: Answers,
    /// How often each operator stands in it.
    operators: std::collections::BTreeMap<String, usize>,
    macs: u64,
    parameters: u64,
    shared_kb: u64,
    own_kb: u64,
    /// Median of inferences straight after each other, on this machine.
    hot_us: f64,
    accuracy: Option<f64>,
    temperature: f64,
}

impl NewReport {
    /// What was understood; `ladder` is of all networks, in their order.
    pub(super) fn new(
        ladder: &Ladder,
        networks: &[NetworkFile],
        times: &[Duration],
        figures: Option<&[Figures]>,
    ) -> Self {
        let row = |(rung, configuration): (usize, &Configuration)| {
            let memory = ladder.network().rung_memory(rung);
            let figures = figures.map(|figures| &figures[rung]);
            Row {
                id: configuration.id.clone(),
                file: configuration.file.clone(),
                inputs: layouts(configuration),
                holds: configuration.output.holds,
                operators: networks[rung].facts.operators.clone(),
                macs: configuration.macs,
                parameters: configuration.parameters,
                shared_kb: memory.shared / 1024,
                own_kb: memory.own / 1024,
                hot_us: times[rung].as_secs_f64() * 1e6,
                accuracy: figures.map_or(configuration.accuracy.validation, |figures| Some(figures.accuracy)),
                temperature: figures.map_or(configuration.temperature, |figures| figures.temperature),
            }
        };
        Self {
            model: ladder.manifest().name.clone(),
            configurations: ladder.configurations().iter().enumerate().map(row).collect(),
            left_out: Vec::new(),
            golden: String::new(),
            golden_windows: 0,
            accuracies: Accuracies::Unknown,
            recall: false,
        }
    }

    /// What was written: the networks in the places `kept`, in that order.
    pub(super) fn finish(&mut self, written: &Ladder, kept: &[usize], accuracies: Accuracies, draft: &Draft) {
        let all = std::mem::take(&mut self.configurations);
        self.left_out = (0..all.len()).filter(|place| !kept.contains(place)).map(|place| all[place].clone()).collect();
        self.configurations = kept.iter().map(|&place| all[place].clone()).collect();
        self.accuracies = accuracies;
        self.recall = written.manifest().knows_recall();
        (self.golden, self.golden_windows) = (draft.reference().to_owned(), draft.golden_windows());
    }

    pub(super) fn text(&self, directory: &Path) -> String {
        let header = [
            "configuration",
            "input",
            "output",
            "MMACs",
            "parameters",
            "shared kB",
            "own kB",
            "us here",
            "accuracy %",
            "temperature",
        ];
        let rows = self.configurations.iter().chain(&self.left_out).map(|row| {
            vec![
                row.id.clone(),
                row.inputs.clone(),
                answers(row.holds).to_owned(),
                format!("{:.3}", row.macs as f64 / 1e6),
                row.parameters.to_string(),
                row.shared_kb.to_string(),
                row.own_kb.to_string(),
                format!("{:.0}", row.hot_us),
                row.accuracy.map_or_else(|| "-".to_owned(), percent),
                format!("{:.2}", row.temperature),
            ]
        });
        let mut text = table(&header, rows);
        for row in &self.left_out {
            text += &format!("left out: {}, than which another is as accurate and as fast here\n", row.id);
        }
        text += &format!("{} golden vectors: {}\n", self.golden_windows, self.golden);
        text += &match self.accuracies {
            Accuracies::Measured { windows } => format!("accuracy: measured on {windows} windows\n"),
            Accuracies::Stated => "accuracy: as stated\n".to_owned(),
            Accuracies::Unknown => {
                "accuracy: not known, so a later configuration counts as better, expected accuracies \
                                    are null, and what adds accuracies up is refused; --data measures it\n"
                    .to_owned()
            }
        };
        if !self.recall {
            text += "recall: not known, so the wearer's present activity cannot weigh in (activity_aware)\n";
        }
        let directory = directory.display();
        text + &format!("made {directory}; `gaitd run --models {directory} --source SAMPLES` runs it\n")
    }
}

/// The layouts of the inputs of `configuration`, in their order.
fn layouts(configuration: &Configuration) -> String {
    let layouts: Vec<String> = configuration.inputs.iter().map(|input| input.layout.to_string()).collect();
    if layouts.is_empty() { Layout::default().to_string() } else { layouts.join(" + ") }
}

fn answers(holds: Answers) -> &'static str {
    match holds {
        Answers::Logits => "logits",
        Answers::Probabilities => "probabilities",
        Answers::LogProbabilities => "log-probabilities",
    }
}

/// What the file of `network` says of itself.
pub(super) fn facts(network: &NetworkFile) -> String {
    let facts = &network.facts;
    let inputs: Vec<String> = facts.inputs.iter().map(ToString::to_string).collect();
    let outputs: Vec<String> = facts.outputs.iter().map(|output| output.value.to_string()).collect();
    let operators: Vec<String> = facts.operators.iter().map(|(name, count)| format!("{name} {count}")).collect();
    format!("{}: {} -> {}\n  {}\n", network.file, inputs.join("; "), outputs.join("; "), operators.join(", "))
}
