//! `gaitd replay`: a labelled recording, prepared windows or a simulated wearer, through every configuration or
//! through the controller.

mod labelled;
mod record;
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::control::PolicySpec;
use gaitd_core::engine::ControlConfig;
use gaitd_core::ladder::Ladder;
use gaitd_daemon::publish;
use gaitd_daemon::{Config, SourceSpec};
use gaitd_lab::replay::{self, Replay, ScenarioLoad, ScenarioLoadError};
use gaitd_lab::simulate::Scenario;
use gaitd_sense::Pace;
pub(super) use labelled::DataError;
use labelled::{Labelled, Split};

use super::exit::{self, ExitCode};
use record::Record;
use report::{ControllerRow, Report, Row};

use super::control::ControlArguments;
use super::model::ModelArguments;
use super::spelling::SpellingArguments;

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
    #[command(flatten)]
    spelling: SpellingArguments,
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

/// Flags that do not go with the data or the model.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArgumentError {
    /// The scenario whose load was to be simulated.
    #[error("{}: {error}", path.display())]
    Scenario { path: PathBuf, error: ScenarioLoadError },
    /// A flag that is for the simulated wearer only.
    #[error("--seconds and --seed are for the simulated wearer; the data is {}", path.display())]
    NoWearer { path: PathBuf },
    /// A flag that is for samples as text only.
    #[error("--columns and --units are for samples as text; the data is {}", path.display())]
    NoText { path: PathBuf },
}

impl ExitCode for ArgumentError {
    fn exit_code(&self) -> u8 {
        exit::CONFIG
    }
}

/// How long the simulated wearer moves where nothing else is asked for, seconds: through a few activities.
const WEARER_SECONDS: f64 = 300.0;

impl Arguments {
    /// The simulated wearer, if it is what is to be replayed.
    fn wearer(&self) -> Result<Option<SourceSpec>, ArgumentError> {
        let asked_for = self.data == Path::new("wearer");
        if !asked_for && (self.seconds.is_some() || self.seed.is_some()) {
            return Err(ArgumentError::NoWearer { path: self.data.clone() });
        }
        let is_text = !asked_for && self.data.extension().is_none_or(|extension| extension != "npz");
        if self.spelling.is_given() && !is_text {
            return Err(ArgumentError::NoText { path: self.data.clone() });
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
        None => {
            Labelled::read(&arguments.data, arguments.split, arguments.spelling.spelling()?, ladder.manifest(), &clock)?
        }
    };
    if let Some(limit) = arguments.limit {
        data.truncate(limit);
    }
    let name = wearer.as_ref().map_or_else(|| arguments.data.display().to_string(), SourceSpec::name);
    let report = Report::new(name, wearer.is_some(), ladder.manifest(), &data);
    let report = if arguments.controlled() {
        controlled(arguments, ladder, &data, &clock, report)?
    } else {
        every_configuration(arguments, &ladder, &data, clock.as_ref(), report)?
    };
    if arguments.json { super::print_json(&report) } else { super::print(&report.text()) }
}

/// Runs all windows through every configuration, one after the other.
fn every_configuration(
    arguments: &Arguments,
    ladder: &Ladder,
    data: &Labelled,
    clock: &dyn Clock,
    mut report: Report,
) -> anyhow::Result<Report> {
    let wanted = |id: &str| arguments.configuration.as_ref().is_none_or(|only| only == id);
    let count = ladder.configurations().iter().filter(|configuration| wanted(&configuration.id)).count();
    let bar = super::model::progress((count * data.compared()) as u64, "replaying");
    for (rung, configuration) in ladder.configurations().iter().enumerate() {
        if wanted(&configuration.id) {
            let score = replay::one_configuration(ladder, rung, &data.windows, clock, || bar.inc(1))
                .with_context(|| configuration.id.clone())?;
            report.configurations.push(Row::new(configuration, &score));
        }
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
    let load = arguments.scenario.as_ref().map(|path| scenario_load(path, &ladder)).transpose()?;
    let control = control(arguments, load.as_ref())?;
    let scenario = load.as_ref().map(|load| load.name().to_owned());
    let settings = control.settings();
    let replay = match load {
        // a budget that was asked for holds throughout
        Some(load) => Replay::with_load(ladder, load, settings, !arguments.control.sets_budget())?,
        None => {
            let profile = super::model::profile(&ladder, &Config::default().state_directory(), clock)?;
            Replay::new(ladder, &profile, settings, clock)?
        }
    };
    let mut record = match &arguments.decisions {
        Some(path) => {
            let policy = control.policy.name().to_owned();
            let (data, simulated) = (report.data.clone(), report.simulated);
            let header = publish::RunHeader {
                manifest: manifest.clone(),
                stream: "replay".to_owned(),
                source: data,
                simulated,
                policy,
                budget: control.budget(),
            };
            Some(Record::create(path, header)?)
        }
        None => None,
    };
    let bar = super::model::progress(data.windows.len() as u64, "replaying");
    let account = replay.run(&data.windows, |decision| {
        bar.inc(1);
        record.as_mut().map_or(Ok(()), |record| record.write(decision))
    })?;
    bar.finish_and_clear();
    if let Some(record) = record {
        record.finish()?;
    }
    let rows = manifest.configurations.iter().zip(&account.configurations);
    report.configurations = rows.map(|(configuration, score)| Row::new(configuration, score)).collect();
    report.controller = Some(ControllerRow::new(&control, scenario, &account));
    Ok(report)
}

/// The load of the scenario at `path`.
fn scenario_load(path: &Path, ladder: &Ladder) -> anyhow::Result<ScenarioLoad> {
    let scenario = Scenario::read(path)?;
    Ok(ScenarioLoad::new(scenario, ladder)
        .map_err(|error| ArgumentError::Scenario { path: path.to_path_buf(), error })?)
}

/// What is demanded: by default, by the scenario, and by flags, the last first.
fn control(arguments: &Arguments, load: Option<&ScenarioLoad>) -> anyhow::Result<ControlConfig> {
    let mut control = ControlConfig::default();
    if let Some(load) = load {
        control.budget_ms = load.budgets()[0].ms;
        control.miss_target = load.miss_target();
    }
    arguments.control.apply(&mut control)?;
    let config = Config { control, ..Config::default() };
    config.check()?;
    Ok(config.control)
}
