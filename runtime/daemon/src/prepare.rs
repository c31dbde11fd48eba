//! From a configuration to an engine that is ready to run: at the start, and again at each reload, beside the one that
//! runs.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use super::config::{Config, ConfigError};
use crate::config::source::OpenError;
use crate::learned_state::Memory;
use crate::load::cpu_name;
use crate::publish::{Context, Format};
use crate::threads::loader::LoaderThread;
use crate::threads::output::Destination;
use gaitd_api::LadderView;
use gaitd_core::clock::Clock;
use gaitd_core::control::PolicyError;
use gaitd_core::engine::{Engine, PublishReserve};
use gaitd_core::ladder::{
    Effort, InferenceError, Ladder, Library, LoadError, Manifest, ManifestError, Profile, ProfileKey, measure,
};
use gaitd_sense::Pace;

/// A daemon that cannot start, or not go on with another configuration.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The ladder.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// Making the ladder has failed in a way that it never should.
    #[error("internal error: a panic while the ladder was made; please report this with the log and the model")]
    Panicked,
    /// What the manifest says of the stream.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The source.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The ladder cannot be measured.
    #[error("the ladder cannot be measured: {0}")]
    Measure(InferenceError),
    /// What is demanded.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The output.
    #[error("cannot write to {path}: {error}")]
    Output {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
}

/// An engine, and what else belongs to it.
pub(crate) struct Prepared {
    pub(crate) engine: Engine,
    pub(crate) view: LadderView,
    pub(crate) key: ProfileKey,
    /// Where what the policy learns of this device is kept, if anywhere: it must come from windows that were paced as
    /// a sensor paces them, for inferences straight after each other take another time.
    pub(crate) memory: Option<Memory>,
}

/// Loads, verifies, warms up and, where there is no profile yet, measures the ladder that `config` names, and makes
/// its engine.
pub(crate) fn prepare(
    loader: &LoaderThread,
    library: &Arc<Library>,
    config: &Config,
    reserve: PublishReserve,
    clock: &Arc<dyn Clock>,
) -> Result<Prepared, StartError> {
    let (library, config, clock) = (Arc::clone(library), config.clone(), Arc::clone(clock));
    // whatever a model makes the inference library do, the ladder that runs stays
    loader.run(move || make(&library, &config, reserve, &clock)).unwrap_or(Err(StartError::Panicked))
}

fn make(
    library: &Library,
    config: &Config,
    reserve: PublishReserve,
    clock: &Arc<dyn Clock>,
) -> Result<Prepared, StartError> {
    let ladder = library.load(library.files(config.models.as_deref()).as_ref())?;
    let state = config.state_directory();
    let key = ProfileKey::new(&ladder, &cpu_name());
    let profile = kept_or_measured(&ladder, &key, &state, clock).map_err(StartError::Measure)?;
    let view = LadderView::new(&ladder, &profile);
    let runner = ladder.runner().map_err(LoadError::Runner)?;
    let engine = Engine::new(ladder, runner, &profile, config.control.settings(), reserve)?;
    let paced = config.source.pace() != Pace::Fast;
    let memory = paced.then(|| Memory::new(&key, &state));
    Ok(Prepared { engine, view, key, memory })
}

/// The manifest of the model that `config` names, of which nothing else has been looked at.
pub(crate) fn manifest(library: &Library, config: &Config) -> Result<Manifest, StartError> {
    Ok(Ladder::manifest_of(library.files(config.models.as_deref()).as_ref())?)
}

/// The profile kept below `state` under `key`, or one measured quickly now and kept, so that what is learned of its
/// errors stays true at the next start. A damaged one is told and replaced by a measurement, since nothing is lost with
/// it.
///
/// # Errors
/// When an inference fails.
pub fn kept_or_measured(
    ladder: &Ladder,
    key: &ProfileKey,
    state: &Path,
    clock: &Arc<dyn Clock>,
) -> Result<Profile, InferenceError> {
    match Profile::find(key, state) {
        Ok(Some(profile)) => return Ok(profile),
        Ok(None) => {
            log::info!("no profile of this ladder on this processor yet; measuring briefly (see `gaitd profile`)");
        }
        Err(error) => log::warn!("{error}; measuring briefly"),
    }
    let mut profile = measure(ladder, ladder.runner()?.as_mut(), key, Effort::QUICK, clock.as_ref(), |_| ())?;
    profile.warnings.push("measured briefly at a start; `gaitd profile` measures well".to_owned());
    if let Err(error) = profile.save(state) {
        log::info!("{error}");
    }
    Ok(profile)
}

/// Opens the file for decisions, if there is to be one.
pub(crate) fn open_output(config: &Config) -> Result<Option<std::fs::File>, StartError> {
    let Some(path) = config.output.path.as_ref().filter(|_| config.output.format != Format::None) else {
        return Ok(None);
    };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.map(Some).map_err(|error| StartError::Output { path: path.display().to_string(), error })
}

/// Where the decisions of `engine` go by `config`.
pub(crate) fn destination(config: &Config, engine: &Engine) -> Result<Destination, StartError> {
    let format = config.output.format;
    let (output, terminal): (Option<Box<dyn Write + Send>>, bool) = match open_output(config)? {
        Some(file) => (Some(Box::new(file)), false),
        None if format == Format::None => (None, false),
        // standard output is line-buffered, and whole lines are written
        None => (Some(Box::new(std::io::stdout())), std::io::stdout().is_terminal()),
    };
    let context = Context::new(
        engine.ladder().manifest(),
        config.source.name(),
        config.source.is_simulated(),
        config.control.policy.name().to_owned(),
        config.control.budget(),
    );
    let text = match format {
        Format::Auto => terminal,
        Format::Text => true,
        Format::Ndjson | Format::None => false,
    };
    Ok(Destination { output, text, context })
}
