//! `gaitd check`: says what is wrong with a configuration or a model, and where, before it is used.

use std::path::PathBuf;

use anyhow::Context;
use gaitd::daemon::Config;
use gaitd::ladder::ModelStore;
use serde::Serialize;

/// Check configuration files and model directories without running them
#[derive(clap::Args)]
#[command(
    after_help = "A model is checked whole: its manifest, every file's SHA-256, and every configuration against \
                        the golden vectors.\n\nExample: gaitd check configs/default.json models/uci-har-cnn"
)]
pub(super) struct Arguments {
    /// Configuration files (JSON) and model directories
    #[arg(required = true, value_name = "CONFIG|MODEL_DIR")]
    paths: Vec<PathBuf>,
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
    let mut first_error = None;
    let mut checked = Vec::new();
    for path in &arguments.paths {
        let (kind, outcome) =
            if path.is_dir() { ("model", check_model(path)) } else { ("configuration", check_config(path)) };
        let valid = outcome.is_ok();
        let message = outcome.unwrap_or_else(|error| {
            let message = format!("{error:#}");
            first_error.get_or_insert(error);
            message
        });
        if !arguments.json {
            super::print(&format!("{} {}: {message}\n", if valid { "ok   " } else { "WRONG" }, path.display()))?;
        }
        checked.push(Checked { path: path.clone(), kind, valid, message });
    }
    if arguments.json {
        super::print_json(&Report { checked })?;
    }
    first_error.map_or(Ok(()), |error| Err(error.context("not everything is valid")))
}

fn check_config(path: &std::path::Path) -> anyhow::Result<String> {
    let config = Config::read(path)?;
    config.check()?;
    // the policy may name a configuration, so the model decides whether it is valid
    let ladder = super::model::load(&super::model::store(config.models.as_deref()))?;
    let task = &ladder.manifest().task;
    let ids: Vec<String> = ladder.rungs().iter().map(|rung| rung.configuration().id.clone()).collect();
    config.control.policy.check(&ids, config.control.budget()).context(path.display().to_string())?;
    Ok(format!(
        "configuration; model {}, {} labels, budget {} ms",
        ladder.manifest().name,
        task.labels.len(),
        config.control.budget_ms
    ))
}

fn check_model(path: &std::path::Path) -> anyhow::Result<String> {
    let ladder = super::model::load(&ModelStore::directory(path))?;
    let manifest = ladder.manifest();
    Ok(format!(
        "model {}; {} configurations agree with their hashes and golden vectors, {} channels at {} Hz",
        manifest.name,
        ladder.rungs().len(),
        manifest.task.input.channels.len(),
        manifest.task.sample_rate_hz
    ))
}
