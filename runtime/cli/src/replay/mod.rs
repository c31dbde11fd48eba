//! `gaitd replay`: a labelled recording, prepared windows or a simulated wearer, through every configuration or
//! through the controller.

mod labelled;
mod load;
mod record;
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::control::{PolicySpec, Signals};
use gaitd_core::engine::{ControlConfig, Decision, Engine, PublishReserve};
use gaitd_core::ladder::{Ladder, Percentiles};
use gaitd_core::window::Window;
use gaitd_daemon::publish;
use gaitd_daemon::{Config, ConfigError, SourceSpec};
use gaitd_sense::Pace;
pub(super) use labelled::DataError;
use labelled::{Labelled, Split};
use record::Record;
use report::{ControllerRow, Report, Score};

use self::load::SimulatedLoad;
use super::control::ControlArguments;
use super::model::ModelArguments;

/// Run labelled data through every configuration, or through the controller, and compare with the labels
#[derive(clap::Args)]
#[command(after_help = "DATA is a recording (CSV or NDJSON with a `label` column), a NumPy archive of conditioned \
                        windows as `gaitd-train prepare` makes it, or `wearer`, the simulated one.\nOf a stream, \
                        windows that lie wholly inside one activity are compared.\n\nExamples:\n  \
                        gaitd replay uci_har.npz --split test\n  gaitd replay walk.csv --budget-ms 2\n  \
                        gaitd replay wearer --scenario configs/scenarios/uci-har-steps.json --decisions decisions.ndjson")]
pub(super) struct Arguments {
    /// A labelled recording, a prepared .npz, or `wearer`
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
    /// How long the simulated wearer moves, in seconds of its stream [default: 300]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    seconds: Option<f64>,
    /// Seed of the simulated wearer [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    control: ControlArguments,
    /// Let a scenario (JSON) set latencies, budgets and load signals, instead of measuring: the controller under a
    /// simulated load
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Write every decision of the controller to this file, as NDJSON like that of `gaitd run`
    #[arg(long, value_name = "FILE", conflicts_with = "configuration")]
    decisions: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// How long the simulated wearer moves where nothing else is asked for, seconds: through a few activities.
const WEARER_SECONDS: f64 = 300.0;

impl Arguments {
    /// The simulated wearer, if it is what is to be replayed.
    fn wearer(&self) -> Result<Option<SourceSpec>, ConfigError> {
        let asked_for = self.data == Path::new("wearer");
        if !asked_for && (self.seconds.is_some() || self.seed.is_some()) {
            return Err(ConfigError::OutOfRange(vec![format!(
                "--seconds and --seed are for the simulated wearer; the data is {}",
                self.data.display()
            )]));
        }
        let seconds = Some(self.seconds.unwrap_or(WEARER_SECONDS));
        Ok(asked_for.then(|| SourceSpec::Wearer { seed: self.seed.unwrap_or_default(), seconds, pace: Pace::Fast }))
    }

    /// Whether the controller picks the configurations.
    fn controlled(&self) -> bool {
        self.control.given() || self.scenario.is_some() || self.decisions.is_some()
    }
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
    let ladder = arguments.model.load()?;
    if let Some(id) = &arguments.configuration {
        let ids: Vec<String> = ladder.configurations().iter().map(|it| it.id.clone()).collect();
        PolicySpec::Fixed { configuration: Some(id.clone()) }.check(&ids, Duration::MAX)?;
    }
    let wearer = arguments.wearer()?;
    let mut data = match &wearer {
        Some(wearer) => Labelled::simulated(wearer, ladder.manifest(), &clock)?,
        None => Labelled::read(&arguments.data, arguments.split, ladder.manifest(), &clock)?,
    };
    if let Some(limit) = arguments.limit {
        data.truncate(limit);
    }
    let name = wearer.as_ref().map_or_else(|| arguments.data.display().to_string(), SourceSpec::name);
    let report = Report::new(name, wearer.is_some(), ladder.manifest(), &data);
    let report = if arguments.controlled() {
        controlled(arguments, ladder, &data, &clock, report)?
    } else {
        every_configuration(arguments, ladder, &data, clock.as_ref(), report)?
    };
    if arguments.json { super::print_json(&report) } else { super::print(&report.text()) }
}

/// Runs all windows through every configuration, one after the other.
fn every_configuration(
    arguments: &Arguments,
    ladder: Ladder,
    data: &Labelled,
    clock: &dyn Clock,
    mut report: Report,
) -> anyhow::Result<Report> {
    let labels = report.labels.len();
    let wanted = |id: &str| arguments.configuration.as_ref().is_none_or(|only| only == id);
    let count = ladder.configurations().iter().filter(|configuration| wanted(&configuration.id)).count();
    let bar = super::model::progress((count * data.compared()) as u64, "replaying");
    let mut logits = vec![0.0; labels];
    let mut runner = ladder.runner()?;
    for (rung, configuration) in ladder.configurations().iter().enumerate() {
        if !wanted(&configuration.id) {
            continue;
        }
        let mut score = Score::new(labels);
        for window in &data.windows {
            let Some(truth) = window.truth else { continue };
            let start = clock.now();
            runner.infer(rung, &window.samples, &mut logits).with_context(|| configuration.id.clone())?;
            let latency = clock.now().saturating_sub(start);
            score.count(truth, gaitd_core::engine::largest(&logits), latency);
            bar.inc(1);
        }
        report.configurations.push(score.into_row(configuration));
    }
    bar.finish_and_clear();
    Ok(report)
}

/// Runs all windows through the engine, whose policy picks.
fn controlled(
    arguments: &Arguments,
    ladder: Ladder,
    data: &Labelled,
    clock: &Arc<dyn Clock>,
    mut report: Report,
) -> anyhow::Result<Report> {
    let manifest = ladder.manifest().clone();
    let load = match &arguments.scenario {
        Some(path) => Some(SimulatedLoad::new(path, &ladder)?),
        None => None,
    };
    let mut control = ControlConfig::default();
    if let Some(load) = &load {
        load.apply(&mut control);
    }
    arguments.control.apply(&mut control)?;
    let config = Config { control, ..Config::default() };
    config.check()?;
    let control = &config.control;
    let profile = match &load {
        Some(load) => load.profile().clone(),
        None => super::model::profile(&ladder, &config.state_directory(), clock)?,
    };
    let clock = load.as_ref().map_or_else(|| Arc::clone(clock), SimulatedLoad::clock);
    let mut runner = ladder.runner()?;
    if let Some(load) = &load {
        runner = load.slow_down(runner);
    }
    let mut engine = Engine::new(ladder, runner, &profile, control.settings(), PublishReserve::default())?;
    let handle = engine.handle();

    let budget = control.settings().budget;
    let mut record = match &arguments.decisions {
        Some(path) => {
            let header = publish::RunHeader {
                manifest: manifest.clone(),
                stream: "replay".to_owned(),
                source: report.data.clone(),
                simulated: report.simulated,
                policy: control.policy.name().to_owned(),
                budget,
            };
            Some(Record::create(path, header)?)
        }
        None => None,
    };

    let labels = manifest.task.labels.len();
    let mut window = Window::new(manifest.task.channels.len(), manifest.task.window);
    let mut decision = Decision::empty(&manifest);
    let (mut total, mut scores) = (Score::new(labels), vec![Score::new(labels); manifest.configurations.len()]);
    let (mut misses, mut late_compared, mut on_time, mut macs) = (0u64, 0u64, 0u64, 0u64);
    let mut cpu = Some(Duration::ZERO);
    let bar = super::model::progress(data.windows.len() as u64, "replaying");
    for (index, labelled) in data.windows.iter().enumerate() {
        window.samples_mut().copy_from_slice(&labelled.samples);
        window.index = index as u64;
        (window.first_sample, window.last_sample) = labelled.span;
        window.arrived = clock.now();
        window.completed = window.arrived;
        let signals = match &load {
            // a budget that was asked for holds throughout
            Some(load) => load.next(index, (!arguments.control.sets_budget()).then_some(&handle))?,
            None => Signals::NONE,
        };
        engine.decide(&window, signals, clock.as_ref(), &mut decision)?;
        if let Some(record) = &mut record {
            record.write(&decision)?;
        }
        let latency = decision.decided.saturating_sub(decision.arrived);
        let late = latency > decision.budget;
        misses += u64::from(late);
        macs += manifest.configurations[decision.choice.rung].macs;
        cpu = cpu.zip(decision.cpu).map(|(sum, cpu)| sum + cpu);
        if let Some(truth) = labelled.truth {
            total.count(truth, decision.activity, latency);
            scores[decision.choice.rung].count(truth, decision.activity, decision.infer);
            on_time += u64::from(!late && truth == decision.activity);
            late_compared += u64::from(late);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(record) = record {
        record.finish()?;
    }
    report.configurations = scores
        .into_iter()
        .zip(&manifest.configurations)
        .map(|(score, configuration)| score.into_row(configuration))
        .collect();
    let decided = data.windows.len() as u64;
    let guesses = late_compared as f64 * manifest.guess_accuracy();
    report.controller = Some(ControllerRow {
        policy: control.policy.name(),
        objective: control.objective.name(),
        activity_aware: control.activity_aware,
        budget_ms: control.budget_ms,
        scenario: load.as_ref().map(|load| load.name().to_owned()),
        decided,
        accuracy: total.accuracy(),
        effective_accuracy: total.share(on_time as f64 + guesses),
        misses,
        mean_macs: macs as f64 / decided as f64,
        mean_cpu_us: cpu.map(|sum| sum.as_secs_f64() * 1e6 / decided as f64),
        latency_us: Percentiles::of(&mut total.latencies),
        confusion: total.confusion,
    });
    Ok(report)
}
