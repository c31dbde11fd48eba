//! What the commands share about models: which one, its profile, and loading it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use gaitd::daemon::{cpu_name, kept_or_measured};
use gaitd::ladder::{Ladder, ModelStore, Profile, ProfileKey};
use gaitd::sense::Clock;
use indicatif::{ProgressBar, ProgressStyle};

/// The model to work on.
#[derive(clap::Args, Default)]
pub(super) struct ModelArguments {
    /// Model directory [default: the ladder inside gaitd]
    #[arg(short, long, value_name = "DIR")]
    pub(super) models: Option<PathBuf>,
}

impl ModelArguments {
    pub(super) fn store(&self) -> ModelStore {
        store(self.models.as_deref())
    }
}

pub(super) fn store(models: Option<&Path>) -> ModelStore {
    models.map_or(ModelStore::Embedded, ModelStore::directory)
}

/// Loads a ladder whole.
pub(super) fn load(store: &ModelStore) -> anyhow::Result<Ladder> {
    Ok(Ladder::load(store)?)
}

/// The profile kept for `ladder` on this processor, or one measured quickly now.
pub(super) fn profile(ladder: &mut Ladder, state: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<Profile> {
    let key = ProfileKey::new(ladder, &cpu_name());
    kept_or_measured(ladder, &key, state, clock).context("the ladder cannot be measured")
}

/// A progress bar on standard error, or nothing where that is not a terminal.
pub(super) fn progress(steps: u64, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} {eta}");
    let bar = ProgressBar::new(steps).with_message(what.to_owned());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
