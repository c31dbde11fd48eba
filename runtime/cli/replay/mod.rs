//! `gaitd replay`: a labelled recording or prepared windows, through every configuration or through the controller.

mod labelled;
mod load;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gaitd::control::{PolicySpec, Signals};
use gaitd::daemon::Config;
use gaitd::engine::{Control, Decision, Engine, PublishReserve};
use gaitd::ladder::{Ladder, Percentiles};
use gaitd::sense::{Clock, MonotonicClock};
use gaitd::window::Window;
pub(super) use labelled::DataError;
use labelled::{Labelled, Split};
use report::{ControllerRow, Report, Score};

use self::load::SimulatedLoad;
use super::control::ControlArguments;
use super::model::ModelArguments;

/// Run labelled data through every configuration, or through the controller, and compare with the labels
#[derive(clap::Args)]
#[command(after_help = "DATA is a recording (CSV or NDJSON with a `label` column) or a NumPy archive of conditioned \
                        windows as `gaitd-train prepare` makes it.\nOf a recording, windows that lie wholly inside one \
                        activity are compared.\n\nExamples:\n  gaitd replay uci_har.npz --split test\n  \
                        gaitd replay walk.csv --budget-ms 2")]
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
    /// Let a scenario (JSON) set latencies, budgets and load signals, instead of measuring: the controller under a
    /// simulated load
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
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
        data.truncate(limit);
    }
    let report = if arguments.control.given() || arguments.scenario.is_some() {
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
    let mut report = Report::new(&arguments.data, ladder.manifest(), data);
    let labels = report.labels.len();
    let wanted = |id: &str| arguments.configuration.as_ref().is_none_or(|only| only == id);
    let count = ladder.rungs().iter().filter(|rung| wanted(&rung.configuration().id)).count();
    let bar = super::model::progress((count * data.compared()) as u64, "replaying");
    let mut logits = vec![0.0; labels];
    for rung in ladder.rungs_mut() {
        if !wanted(&rung.configuration().id) {
            continue;
        }
        let mut score = Score::new(labels);
        for window in &data.windows {
            let Some(truth) = window.truth else { continue };
            let start = clock.now();
            rung.resample(&window.samples);
            rung.infer(&mut logits).with_context(|| rung.configuration().id.clone())?;
            let latency = clock.now().saturating_sub(start);
            score.count(truth, gaitd::engine::largest(&logits), latency);
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
    let mut report = Report::new(&arguments.data, ladder.manifest(), data);
    let manifest = ladder.manifest().clone();
    let load = match &arguments.scenario {
        Some(path) => Some(SimulatedLoad::new(path, &mut ladder)?),
        None => None,
    };
    let mut control = Control::default();
    if let Some(load) = &load {
        load.apply(&mut control);
    }
    arguments.control.apply(&mut control)?;
    let config = Config { control, ..Config::default() };
    config.check()?;
    let control = &config.control;
    let profile = match &load {
        Some(load) => load.profile().clone(),
        None => super::model::profile(&mut ladder, &config.state_directory(), clock)?,
    };
    let clock = load.as_ref().map_or_else(|| Arc::clone(clock), SimulatedLoad::clock);
    let mut engine = Engine::new(ladder, &profile, control.settings(), PublishReserve::default())?;
    let handle = engine.handle();

    let labels = manifest.task.labels.len();
    let mut window = Window::new(manifest.task.channels.len(), manifest.task.window);
    let mut decision = Decision::empty(&manifest);
    let (mut total, mut scores) = (Score::new(labels), vec![Score::new(labels); manifest.configurations.len()]);
    let (mut misses, mut late_compared, mut on_time, mut macs) = (0u64, 0u64, 0u64, 0u64);
    let mut cpu = Some(Duration::ZERO);
    let bar = super::model::progress(data.windows.len() as u64, "replaying");
    for (index, labelled) in data.windows.iter().enumerate() {
        window.data.as_slice_mut().context("a window in standard layout")?.copy_from_slice(&labelled.samples);
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
