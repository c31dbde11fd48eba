//! `gaitd replay`: a labelled recording or prepared windows, through every configuration or through the controller.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gaitd::control::{PolicySpec, Signals};
use gaitd::daemon::{Config, Control};
use gaitd::engine::{Decision, Engine, PublishReserve};
use gaitd::ladder::{Ladder, Manifest, Percentiles};
use gaitd::sense::{Clock, MonotonicClock, Pace, Recording, TextSource};
use gaitd::window::Window;
use serde::Serialize;

use super::control::ControlArguments;
use super::model::ModelArguments;
use super::table::{percent, table};

/// Run labelled data through every configuration, or through the controller, and compare with the labels
#[derive(clap::Args)]
#[command(after_help = "DATA is a recording (CSV or NDJSON with a `label` column) or a NumPy archive of conditioned \
                        windows as `gaitd-train prepare` makes it.\nOf a recording, windows that lie wholly inside one \
                        activity are compared.\n\nExamples:\n  gaitd replay uci_har.npz --split test\n  \
                        gaitd replay walk.csv --policy alert --budget-ms 2")]
pub(super) struct Arguments {
    /// A labelled recording or a prepared .npz
    #[arg(value_name = "DATA")]
    data: PathBuf,
    #[command(flatten)]
    model: ModelArguments,
    /// Which part of a prepared archive
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,
    /// Only this configuration
    #[arg(long, value_name = "ID", conflicts_with = "policy")]
    configuration: Option<String>,
    /// Only the first windows
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    control: ControlArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Split {
    /// X_train and y_train
    Train,
    /// X_test and y_test
    Test,
}

/// Data that cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DataError {
    #[error("{path}: {message}")]
    Unusable { path: String, message: String },
}

/// Windows at full resolution with what the wearer did.
struct Labelled {
    /// Row-major `[channels, time]`.
    windows: Vec<Vec<f32>>,
    /// Indices among the model's labels.
    truth: Vec<usize>,
    /// Windows that lie in no single activity, and are not compared.
    unlabelled: usize,
}

#[derive(Serialize)]
struct Report {
    data: String,
    model: String,
    labels: Vec<String>,
    windows: usize,
    unlabelled: usize,
    configurations: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    controller: Option<ControllerRow>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    width: f64,
    resolution: usize,
    macs: u64,
    windows: u64,
    accuracy: Option<f64>,
    latency_us: Option<Percentiles>,
    /// `[truth, answer]`, windows.
    confusion: Vec<Vec<u64>>,
}

#[derive(Serialize)]
struct ControllerRow {
    policy: &'static str,
    budget_ms: f64,
    accuracy: Option<f64>,
    misses: u64,
    latency_us: Option<Percentiles>,
    confusion: Vec<Vec<u64>>,
}

/// Answers against the truth.
#[derive(Clone)]
struct Score {
    confusion: Vec<Vec<u64>>,
    latencies: Vec<Duration>,
}

impl Score {
    fn new(labels: usize) -> Self {
        Self { confusion: vec![vec![0; labels]; labels], latencies: Vec::new() }
    }

    fn count(&mut self, truth: usize, answer: usize, latency: Duration) {
        self.confusion[truth][answer] += 1;
        self.latencies.push(latency);
    }

    fn windows(&self) -> u64 {
        self.latencies.len() as u64
    }

    fn accuracy(&self) -> Option<f64> {
        let right: u64 = (0..self.confusion.len()).map(|label| self.confusion[label][label]).sum();
        (self.windows() > 0).then(|| right as f64 / self.windows() as f64)
    }

    fn into_row(mut self, configuration: &gaitd::ladder::Configuration) -> Row {
        Row {
            id: configuration.id.clone(),
            width: configuration.width,
            resolution: configuration.resolution,
            macs: configuration.macs,
            windows: self.windows(),
            accuracy: self.accuracy(),
            latency_us: Percentiles::of(&mut self.latencies),
            confusion: self.confusion,
        }
    }
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
    let ladder = super::model::load(&arguments.model.store())?;
    if let Some(id) = &arguments.configuration {
        let ids: Vec<String> = ladder.rungs().iter().map(|rung| rung.configuration().id.clone()).collect();
        PolicySpec::Fixed { configuration: Some(id.clone()) }.check(&ids, Duration::MAX)?;
    }
    let mut data = Labelled::read(&arguments.data, arguments.split, ladder.manifest(), &clock)?;
    if let Some(limit) = arguments.limit {
        data.windows.truncate(limit);
        data.truth.truncate(limit);
    }
    let report = if arguments.control.given() {
        controlled(arguments, ladder, &data, &clock)?
    } else {
        every_configuration(arguments, ladder, &data, clock.as_ref())?
    };
    if arguments.json { super::print_json(&report) } else { super::print(&report.text()) }
}

/// Runs all windows through every configuration, one after the other.
fn every_configuration(
    arguments: &Arguments,
    mut ladder: Ladder,
    data: &Labelled,
    clock: &dyn Clock,
) -> anyhow::Result<Report> {
    let mut report = Report::new(arguments, ladder.manifest(), data);
    let labels = report.labels.len();
    let wanted = |id: &str| arguments.configuration.as_ref().is_none_or(|only| only == id);
    let count = ladder.rungs().iter().filter(|rung| wanted(&rung.configuration().id)).count();
    let bar = super::model::progress((count * data.windows.len()) as u64, "replaying");
    let mut logits = vec![0.0; labels];
    for rung in ladder.rungs_mut() {
        if !wanted(&rung.configuration().id) {
            continue;
        }
        let mut score = Score::new(labels);
        for (window, truth) in data.windows.iter().zip(&data.truth) {
            let start = clock.now();
            rung.resample(window);
            rung.infer(&mut logits).with_context(|| rung.configuration().id.clone())?;
            let latency = clock.now().saturating_sub(start);
            score.count(*truth, gaitd::engine::largest(&logits), latency);
            bar.inc(1);
        }
        report.configurations.push(score.into_row(rung.configuration()));
    }
    bar.finish_and_clear();
    Ok(report)
}

/// Runs all windows through the engine, whose policy picks.
fn controlled(
    arguments: &Arguments,
    mut ladder: Ladder,
    data: &Labelled,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Report> {
    let mut report = Report::new(arguments, ladder.manifest(), data);
    let mut control = Control::default();
    arguments.control.apply(&mut control);
    let config = Config { control, ..Config::default() };
    config.check()?;
    let profile = super::model::profile(&mut ladder, &config.state_directory(), clock)?;
    let control = &config.control;
    let (task, labels) = (ladder.manifest().task.clone(), report.labels.len());
    let configurations: Vec<_> = ladder.rungs().iter().map(|rung| rung.configuration().clone()).collect();
    let reserve = PublishReserve::default();
    let mut engine = Engine::new(ladder, &profile, control.settings(), reserve)?;
    let mut window = Window::new(task.channels.len(), task.window);
    let mut decision = Decision::empty(labels);
    let (mut total, mut scores, mut misses) = (Score::new(labels), vec![Score::new(labels); configurations.len()], 0);
    let bar = super::model::progress(data.windows.len() as u64, "replaying");
    for (samples, truth) in data.windows.iter().zip(&data.truth) {
        window.data.as_slice_mut().context("a window in standard layout")?.copy_from_slice(samples);
        window.arrived = clock.now();
        window.completed = window.arrived;
        engine.decide(&window, Signals::NONE, clock.as_ref(), &mut decision)?;
        let latency = decision.decided.saturating_sub(decision.arrived);
        misses += u64::from(latency > decision.budget);
        total.count(*truth, decision.activity, latency);
        scores[decision.choice.rung].count(*truth, decision.activity, decision.infer);
        bar.inc(1);
    }
    bar.finish_and_clear();
    report.configurations =
        scores.into_iter().zip(&configurations).map(|(score, configuration)| score.into_row(configuration)).collect();
    report.controller = Some(ControllerRow {
        policy: control.policy.name(),
        budget_ms: control.budget_ms,
        accuracy: total.accuracy(),
        misses,
        latency_us: Percentiles::of(&mut total.latencies),
        confusion: total.confusion,
    });
    Ok(report)
}

impl Labelled {
    fn read(path: &Path, split: Split, manifest: &Manifest, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let data = if path.extension().is_some_and(|extension| extension == "npz") {
            Self::archive(path, split, manifest)?
        } else {
            Self::recording(path, manifest, clock)?
        };
        if data.windows.is_empty() {
            return Err(unusable(path, "holds no window that lies wholly inside one known activity").into());
        }
        Ok(data)
    }

    /// Reads a recording and conditions and cuts it as the daemon does.
    fn recording(path: &Path, manifest: &Manifest, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let mut source = TextSource::open(path, &manifest.stream_format(), None, Pace::Fast, Arc::clone(clock))?;
        let recording = Recording::read(&mut source, gaitd::sense::continuity::DEFAULT_BRIDGE_S)?;
        if recording.labels.is_none() {
            return Err(unusable(path, "has no labels; a recording to replay needs a `label` column").into());
        }
        for name in recording.label_names.iter().filter(|name| !name.is_empty()) {
            if !manifest.task.labels.contains(name) {
                log::warn!(
                    "{}: the model does not know the activity {name:?}; its windows are not compared",
                    path.display()
                );
            }
        }
        let mut cutter = manifest.cutter()?;
        let mut window = Window::new(manifest.task.channels.len(), manifest.task.window);
        let mut data = Self { windows: Vec::new(), truth: Vec::new(), unlabelled: 0 };
        let mut resets = recording.resets.iter().peekable();
        for number in 0..recording.len() {
            if let Some(next) = resets.next_if(|next| **next == number as u64) {
                cutter.reset(*next);
            }
            let Some(ready) = cutter.push(recording.sample(number), None, Duration::ZERO) else { continue };
            ready.fill(&mut window);
            let mut inside = window.first_sample as usize..=window.last_sample as usize;
            let label = recording.label(*inside.start());
            let single = inside.all(|sample| recording.label(sample) == label);
            let truth = manifest.task.labels.iter().position(|known| Some(known.as_str()) == label);
            if let Some(truth) = truth.filter(|_| single) {
                data.windows.push(window.samples().to_vec());
                data.truth.push(truth);
            } else {
                data.unlabelled += 1;
            }
        }
        Ok(data)
    }

    /// Reads conditioned windows `X_*` `[windows, channels, time]` and labels `y_*` from 1 in the model's order.
    #[cfg(feature = "npz")]
    fn archive(path: &Path, split: Split, manifest: &Manifest) -> anyhow::Result<Self> {
        use ndarray::{Array1, Array3};

        let (x, y) = match split {
            Split::Train => ("X_train", "y_train"),
            Split::Test => ("X_test", "y_test"),
        };
        let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut archive = ndarray_npy::NpzReader::new(std::io::BufReader::new(file))
            .map_err(|error| unusable(path, &error.to_string()))?;
        let wrong = |name: &str, error: ndarray_npy::ReadNpzError| {
            unusable(path, &format!("{name}: {error}; `gaitd-train prepare` makes such archives"))
        };
        let windows: Array3<f32> = archive.by_name(x).map_err(|error| wrong(x, error))?;
        // labels come in whatever integer type NumPy chose
        let labels: Array1<i64> = archive
            .by_name::<ndarray::OwnedRepr<i64>, _>(y)
            .or_else(|_| archive.by_name::<ndarray::OwnedRepr<i32>, _>(y).map(|a| a.mapv(i64::from)))
            .or_else(|_| archive.by_name::<ndarray::OwnedRepr<u8>, _>(y).map(|a| a.mapv(i64::from)))
            .or_else(|_| archive.by_name::<ndarray::OwnedRepr<i8>, _>(y).map(|a| a.mapv(i64::from)))
            .or_else(|_| archive.by_name::<ndarray::OwnedRepr<i16>, _>(y).map(|a| a.mapv(i64::from)))
            .map_err(|error| wrong(y, error))?;
        let task = &manifest.task;
        if windows.shape()[1..] != [task.channels.len(), task.window]
            || windows.len_of(ndarray::Axis(0)) != labels.len()
        {
            return Err(unusable(
                path,
                &format!(
                    "{x} is {:?} and {y} {}, and the model reads [windows, {}, {}]",
                    windows.shape(),
                    labels.len(),
                    task.channels.len(),
                    task.window
                ),
            )
            .into());
        }
        let truth = labels
            .iter()
            .map(|label| {
                usize::try_from(label - 1).ok().filter(|label| *label < task.labels.len()).ok_or_else(|| {
                    unusable(path, &format!("{y} holds {label}, and the model's labels are 1 to {}", task.labels.len()))
                })
            })
            .collect::<Result<_, _>>()?;
        let windows = windows.outer_iter().map(|window| window.iter().copied().collect()).collect();
        Ok(Self { windows, truth, unlabelled: 0 })
    }

    #[cfg(not(feature = "npz"))]
    fn archive(path: &Path, _: Split, _: &Manifest) -> anyhow::Result<Self> {
        Err(unusable(path, "this gaitd was built without the feature `npz`").into())
    }
}

fn unusable(path: &Path, message: &str) -> DataError {
    DataError::Unusable { path: path.display().to_string(), message: message.to_owned() }
}

impl Report {
    fn new(arguments: &Arguments, manifest: &Manifest, data: &Labelled) -> Self {
        Self {
            data: arguments.data.display().to_string(),
            model: manifest.name.clone(),
            labels: manifest.task.labels.clone(),
            windows: data.windows.len(),
            unlabelled: data.unlabelled,
            configurations: Vec::new(),
            controller: None,
        }
    }

    fn text(&self) -> String {
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
                    "\npolicy {}, budget {} ms: accuracy {} %, {} late, {p50} / {p90} / {p99} us (p50 / p90 / p99)\n",
                    controller.policy,
                    controller.budget_ms,
                    or_dash(controller.accuracy.map(percent)),
                    controller.misses
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
