//! `gaitd check`: says what is wrong with a configuration, a model or a scenario, and where, before it is used; and what
//! gaitd would make of a stream.

mod stream;

use std::path::{Path, PathBuf};

use anyhow::Context;
use gaitd_core::ladder::{BackendChoice, Ladder};
use gaitd_core::words::counted;
use gaitd_daemon::{Config, ConfigError};
use gaitd_lab::simulate::{LadderSpec, Scenario, SlowdownSpec};
use serde::Serialize;
pub(super) use stream::NoFit;

/// Check configuration files, model directories and scenarios without running them, or look at a stream
#[derive(clap::Args)]
#[command(
    after_help = "A model is checked whole: its manifest, every file's SHA-256, and every configuration against \
                        the golden vectors. Of a stream it is told which column is which channel, units, rate, gaps, gravity and \
                        the answers for its first windows.\n\nExamples:\n  \
                        gaitd check configs/default.json models/uci-har-cnn\n  \
                        gaitd check --stream walk.csv --units acc=m/s2\n  \
                        gaitd check --stream acc.csv gyro.csv"
)]
pub(super) struct Arguments {
    /// Configuration files (JSON), model directories and scenarios (JSON)
    #[arg(required_unless_present = "stream", conflicts_with = "stream", value_name = "CONFIG|MODEL_DIR|SCENARIO")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    stream: stream::StreamArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    checked: Vec<Checked>,
}

#[derive(Serialize)]
struct Checked {
    path: PathBuf,
    kind: &'static str,
    valid: bool,
    /// What it is, or what is wrong with it.
    message: String,
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(files) = arguments.stream.paths() {
        return stream::check(files, &arguments.stream, arguments.json);
    }
    if arguments.stream.is_given() {
        let problem = "--models, --columns, --units and --rate go with --stream".to_owned();
        return Err(ConfigError::OutOfRange(vec![problem]).into());
    }
    let one = |path: &Path| {
        if path.is_dir() {
            ("model", check_model(path))
        } else if is_scenario(path) {
            ("scenario", check_scenario(path))
        } else {
            ("configuration", check_config(path))
        }
    };
    all(&arguments.paths, one, arguments.json)
}

/// Checks model directories.
pub(super) fn models(directories: &[PathBuf], json: bool) -> anyhow::Result<()> {
    all(directories, |path| ("model", check_model(path)), json)
}

/// Checks all of `paths`, each by `one`, which says what it is, and what it holds or what is wrong.
fn all(
    paths: &[PathBuf],
    one: impl Fn(&Path) -> (&'static str, anyhow::Result<String>),
    json: bool,
) -> anyhow::Result<()> {
    let mut first_error = None;
    let mut checked = Vec::new();
    for path in paths {
        let (kind, outcome) = one(path);
        let valid = outcome.is_ok();
        let message = outcome.unwrap_or_else(|error| {
            let message = format!("{error:#}");
            first_error.get_or_insert(error);
            message
        });
        if !json {
            super::print(&format!("{} {}: {message}\n", if valid { "ok   " } else { "WRONG" }, path.display()))?;
        }
        checked.push(Checked { path: path.clone(), kind, valid, message });
    }
    if json {
        super::print_json(&Report { checked })?;
    }
    first_error.map_or(Ok(()), |error| Err(error.context("not everything is valid")))
}

/// Whether the file is a scenario rather than a configuration: only scenarios have slowdowns.
fn is_scenario(path: &Path) -> bool {
    let value = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    value.is_some_and(|value| value.get("slowdown").is_some())
}

fn check_scenario(path: &Path) -> anyhow::Result<String> {
    let scenario = Scenario::read(path)?;
    let configurations = match &scenario.ladder {
        LadderSpec::Given { configurations, .. } => configurations.len(),
        LadderSpec::Model { models, .. } => super::loading::load(models.as_deref(), BackendChoice::Auto)
            .context(path.display().to_string())?
            .configurations()
            .len(),
    };
    let slowdowns = match &scenario.slowdown {
        SlowdownSpec::Process(process) => format!("slowdown levels: {}", process.levels.len()),
        SlowdownSpec::Trace(trace) => format!("recorded slowdowns: {}", trace.slowdown.len()),
    };
    Ok(format!(
        "scenario {}; configurations: {configurations}, {slowdowns}, inferences: {} x {} seeds",
        scenario.name,
        scenario.inferences,
        scenario.seeds.len()
    ))
}

fn check_config(path: &Path) -> anyhow::Result<String> {
    let config = Config::read(path)?;
    config.check()?;
    // the policy may name a configuration, so the model decides whether it is valid
    let ladder = super::loading::load(config.models.as_deref(), config.backend)?;
    let task = &ladder.manifest().task;
    let plans = ladder.manifest().plans();
    config.control.settings().check(&plans, ladder.manifest().knows_accuracy()).context(path.display().to_string())?;
    Ok(format!(
        "configuration; model {}, {} labels, budget {} ms, {}",
        ladder.manifest().name,
        task.labels.len(),
        config.control.budget_ms,
        backend(&ladder)
    ))
}

fn check_model(path: &Path) -> anyhow::Result<String> {
    let ladder = super::loading::load(Some(path), BackendChoice::Auto)?;
    let manifest = ladder.manifest();
    Ok(format!(
        "model {}; {} with hashes and golden vectors, {} at {} Hz, {}",
        manifest.name,
        counted(ladder.configurations().len() as u64, "configuration agrees", "configurations agree"),
        counted(manifest.task.input.channels.len() as u64, "channel", "channels"),
        manifest.task.sample_rate_hz,
        backend(&ladder)
    ))
}

/// What executes `ladder`, and why what comes before it does not.
fn backend(ladder: &Ladder) -> String {
    let left = ladder.left().iter().map(|(backend, reason)| format!("; {backend} leaves it, because of {reason}"));
    let left: String = left.collect();
    format!("backend {} ({}){left}", ladder.backend(), ladder.network().identity())
}
