//! `gaitd replay`: a labelled recording, prepared windows or a simulated wearer, through every configuration or
//! through the controller.

mod record;
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::control::PolicySpec;
use gaitd_core::engine::ControlConfig;
use gaitd_core::ladder::{Cascade, Ladder};
use gaitd_daemon::publish;
use gaitd_daemon::{Config, Paths, SourceSpec};
use gaitd_lab::replay::{self, Replay, ScenarioLoad, ScenarioLoadError};
use gaitd_lab::simulate::Scenario;
use gaitd_sense::{Mount, Pace, same_file};

use super::exit::{self, ExitCode};
use record::Record;
use report::{ControllerRow, Report, Row};

use super::control::ControlArguments;
use super::labelled::{Labelled, Split};
use super::loading::ModelArguments;
use super::spelling::SpellingArguments;

/// Run labelled data through every configuration, or through the controller, and compare with the labels
#[derive(clap::Args)]
#[command(
    after_help = "DATA is a recording (CSV or NDJSON with a `label` column; several files, each with some of the \
                        sensors, are put together), a NumPy archive of conditioned \
                        windows as `gaitd-train prepare` makes it, or with windows `X` and \
                        labels `y` from 0, or `wearer`, the simulated one.\nOf a stream, \
                        windows that lie wholly inside one activity are compared.\n\nExamples:\n  \
                        gaitd replay uci_har.npz --split test\n  gaitd replay walk.csv --budget-ms 2\n  \
                        gaitd replay wearer --scenario configs/scenarios/uci-har-steps.json --output decisions.ndjson"
)]
pub(super) struct Arguments {
    /// A labelled recording, in one file or in several with some of the sensors each; a prepared .npz, or `wearer`
    #[arg(value_name = "DATA", required = true)]
    data: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    spelling: SpellingArguments,
    /// How the sensors are mounted: what is to become x, y and z, such as y,-x,z, or a matrix row by row, such as
    /// "0,1,0; -1,0,0; 0,0,1"
    #[arg(long, value_name = "MATRIX", allow_hyphen_values = true)]
    mount_matrix: Option<Mount>,
    /// Which part of a prepared archive
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,
    /// Only this configuration of the ladder
    #[arg(long, value_name = "ID", alias = "configuration", conflicts_with = "policy")]
    rung: Option<String>,
    /// Only the first windows
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// End after so many seconds of samples [default: 300 of the simulated wearer's]
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
    /// Write every decision of the controller to this file, as NDJSON like that of `gaitd run`; decisions that are there are replaced
    #[arg(short, long, value_name = "FILE", alias = "decisions", conflicts_with = "rung")]
    output: Option<PathBuf>,
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
    #[error("--seed is for the simulated wearer; the data is {data}")]
    NoWearer { data: String },
    /// A flag that is for samples as text only.
    #[error("--columns, --units, --rate and --mount-matrix are for samples as text; the data is {data}")]
    NoText { data: String },
    /// A flag that is for streams, not for windows that are cut already.
    #[error("--seconds is for streams of samples; of {data} take the first windows, by --limit")]
    NoStream { data: String },
    /// The decisions would take the place of something else.
    #[error("--output: {} is there and {what}; name another file", path.display())]
    Kept { path: PathBuf, what: &'static str },
    /// Several data that are not files of text.
    #[error("{data} is not put together with other data: only files of samples as text are")]
    Alone { data: String },
}

impl ExitCode for ArgumentError {
    fn exit_code(&self) -> u8 {
        exit::CONFIG
    }
}

/// What is to be replayed.
enum Data {
    /// Conditioned windows.
    Archive(PathBuf),
    /// Samples.
    Source(SourceSpec),
}

/// How long the simulated wearer moves where nothing else is asked for, seconds: through a few activities.
const WEARER_SECONDS: f64 = 300.0;

impl Arguments {
    /// Refuses to put decisions in the place of something else.
    fn spare_what_is_there(&self) -> Result<(), ArgumentError> {
        let Some(path) = &self.output else { return Ok(()) };
        let what = if self.data.iter().any(|data| same_file(data, path)) {
            "is what is replayed"
        } else if record::is_of_somebody_else(path) {
            "holds no decisions"
        } else {
            return Ok(());
        };
        Err(ArgumentError::Kept { path: path.clone(), what })
    }

    /// What is to be replayed.
    fn data(&self) -> anyhow::Result<Data> {
        let is_wearer = |path: &PathBuf| path == Path::new("wearer");
        let is_archive = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "npz");
        let alone = self.data.iter().find(|path| is_wearer(path) || is_archive(path));
        if let Some(path) = alone.filter(|_| self.data.len() > 1) {
            return Err(ArgumentError::Alone { data: path.display().to_string() }.into());
        }
        let is_wearer = alone.is_some_and(is_wearer);
        if !is_wearer && self.seed.is_some() {
            let data = self.data.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
            return Err(ArgumentError::NoWearer { data }.into());
        }
        if let Some(path) = alone.filter(|_| !is_wearer && self.seconds.is_some()) {
            return Err(ArgumentError::NoStream { data: path.display().to_string() }.into());
        }
        if let Some(path) = alone.filter(|_| self.spelling.is_given() || self.mount_matrix.is_some()) {
            return Err(ArgumentError::NoText { data: path.display().to_string() }.into());
        }
        let mut source = match (alone, Paths::new(self.data.clone())) {
            (Some(path), _) if !is_wearer => return Ok(Data::Archive(path.clone())),
            (None, Some(paths)) => SourceSpec::file(paths),
            _ => {
                let seconds = Some(self.seconds.unwrap_or(WEARER_SECONDS));
                SourceSpec::Wearer { seed: self.seed.unwrap_or_default(), seconds, pace: Pace::Fast }
            }
        };
        source.set_pace(Pace::Fast);
        if self.seconds.is_some() {
            source.set_seconds(self.seconds);
        }
        source.spell(self.spelling.spelling()?);
        if let Some(mount) = self.mount_matrix {
            source.set_mount(mount);
        }
        Config { source: source.clone(), ..Config::default() }.check()?;
        Ok(Data::Source(source))
    }

    /// Whether the controller picks the configurations.
    fn controlled(&self) -> bool {
        self.control.given() || self.scenario.is_some() || self.output.is_some()
    }
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    arguments.spare_what_is_there()?;
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
    let ladder = arguments.model.load()?;
    if let Some(id) = &arguments.rung {
        PolicySpec::Fixed { configuration: Some(id.clone()) }.check(&ladder.manifest().plans(), Duration::MAX)?;
    }
    let data = arguments.data()?;
    let (name, simulated, mut data) = match &data {
        Data::Archive(path) => {
            (path.display().to_string(), false, Labelled::archive(path, arguments.split, ladder.manifest())?)
        }
        Data::Source(source) => {
            (source.name(), source.is_simulated(), Labelled::read(source, ladder.manifest(), &clock)?)
        }
    };
    if let Some(limit) = arguments.limit {
        data.truncate(limit);
    }
    let report = Report::new(name, simulated, ladder.manifest(), &data);
    let report = if arguments.controlled() {
        controlled(arguments, ladder, &data, &clock, report)?
    } else {
        every_configuration(arguments, &ladder, &data, &clock, report)?
    };
    if arguments.json { super::print_json(&report) } else { super::print(&report.text()) }
}

/// Runs all windows through every configuration and, with context, every cascade, one after the other.
fn every_configuration(
    arguments: &Arguments,
    ladder: &Ladder,
    data: &Labelled,
    clock: &Arc<dyn Clock>,
    mut report: Report,
) -> anyhow::Result<Report> {
    let wanted = |id: &str| arguments.rung.as_ref().is_none_or(|only| only == id);
    let context = data.is_stream && arguments.control.asks_for_context();
    // cascades are what context makes of configurations
    let cascades: &[Cascade] = if context { &ladder.manifest().cascades } else { &[] };
    let count = ladder.configurations().iter().filter(|it| wanted(&it.id)).count()
        + cascades.iter().filter(|it| wanted(&it.name())).count();
    let bar = super::loading::progress((count * data.compared()) as u64, "replaying");
    for (rung, configuration) in ladder.configurations().iter().enumerate() {
        if wanted(&configuration.id) {
            let row = if context {
                replay::one_with_context(ladder, &configuration.id, &data.windows, clock, || bar.inc(1))
                    .map(|account| Row::new(configuration, &account.configurations[rung]).with_context(&account))
                    .with_context(|| configuration.id.clone())?
            } else {
                replay::one_configuration(ladder, rung, &data.windows, clock.as_ref(), || bar.inc(1))
                    .map(|score| Row::new(configuration, &score))
                    .with_context(|| configuration.id.clone())?
            };
            report.configurations.push(row);
        }
    }
    for name in cascades.iter().map(Cascade::name).filter(|name| wanted(name)) {
        let account = replay::one_with_context(ladder, &name, &data.windows, clock, || bar.inc(1))
            .with_context(|| name.clone())?;
        report.cascades.push(Row::of_cascade(name, &account));
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
    let mut control = control(arguments, load.as_ref())?;
    // what one window says is nothing to the next one where they come from anywhere
    control.context &= data.is_stream;
    let scenario = load.as_ref().map(|load| load.name().to_owned());
    let settings = control.settings();
    let replay = match load {
        // a budget that was asked for holds throughout
        Some(load) => Replay::with_load(ladder, load, settings, !arguments.control.sets_budget())?,
        None => {
            let profile = super::loading::profile(&ladder, &Config::default().state_directory(), clock)?;
            Replay::new(ladder, &profile, settings, clock)?
        }
    };
    let mut record = match &arguments.output {
        Some(path) => {
            let policy = control.policy.name().to_owned();
            let (data, simulated) = (report.data.clone(), report.simulated);
            let header = publish::RunHeader {
                manifest: manifest.clone(),
                stream: "replay".to_owned(),
                source: data,
                simulated,
                timed: true,
                policy,
                budget: control.budget(),
            };
            Some(Record::create(path, header)?)
        }
        None => None,
    };
    let bar = super::loading::progress(data.windows.len() as u64, "replaying");
    let account = replay.run(&data.windows, |decision| {
        bar.inc(1);
        record.as_mut().map_or(Ok(()), |record| record.write(decision))
    })?;
    bar.finish_and_clear();
    if let Some(record) = record {
        record.finish(account.last_episode.as_ref())?;
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
