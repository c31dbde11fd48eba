//! What the commands share about models: which one, its profile, and loading it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use gaitd_core::clock::Clock;
use gaitd_core::ladder::{Backend, BackendChoice, Ladder, Library, Profile, ProfileKey};
use gaitd_daemon::{cpu_name, kept_or_measured};
use gaitd_embedded::Embedded;
use gaitd_supernet::Supernet;
use indicatif::{ProgressBar, ProgressStyle};

/// The model to work on.
#[derive(clap::Args, Default)]
pub(super) struct ModelArguments {
    /// Model directory [default: the ladder inside gaitd]
    #[arg(short, long, value_name = "DIR")]
    pub(super) models: Option<PathBuf>,
    /// What executes it [default: auto]
    #[arg(long, value_enum, value_name = "BACKEND")]
    pub(super) backend: Option<BackendFlag>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum BackendFlag {
    /// supernet where it knows all networks of the ladder, and tract otherwise
    Auto,
    /// gaitd's own engine, for what gaitd-train writes
    Supernet,
    /// tract, for any ONNX network
    Tract,
}

impl From<BackendFlag> for BackendChoice {
    fn from(flag: BackendFlag) -> Self {
        match flag {
            BackendFlag::Auto => Self::Auto,
            BackendFlag::Supernet => Self::Supernet,
            BackendFlag::Tract => Self::Tract,
        }
    }
}

impl ModelArguments {
    pub(super) fn load(&self) -> anyhow::Result<Ladder> {
        load(self.models.as_deref(), self.backend.map(BackendChoice::from).unwrap_or_default())
    }

    /// Where the model comes from, for people.
    pub(super) fn origin(&self) -> String {
        library().files(self.models.as_deref()).origin()
    }
}

/// What this gaitd can load.
pub(super) fn library() -> Arc<Library> {
    let backends: Vec<Box<dyn Backend>> = vec![
        Box::new(Supernet),
        #[cfg(feature = "tract")]
        Box::new(gaitd_tract::Tract),
    ];
    Arc::new(Library::new(Arc::new(Embedded), backends))
}

/// Loads the model in the directory `models`, or the embedded one, by a backend that `choice` allows.
pub(super) fn load(models: Option<&Path>, choice: BackendChoice) -> anyhow::Result<Ladder> {
    let library = library();
    Ok(library.load(library.files(models).as_ref(), choice)?)
}

/// The profile kept for `ladder` on this processor, or one measured quickly now.
pub(super) fn profile(ladder: &Ladder, state: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<Profile> {
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
