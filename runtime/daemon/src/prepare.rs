//! From a configuration to an engine that is ready to run: at the start, and again at each reload, beside the one that
//! runs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::{Config, ConfigError, Output};
use crate::config::source::OpenError;
use crate::control_handle::ControlHandle;
use crate::learned_state::LearnedState;
use crate::load::cpu_name;
use crate::publish::RunHeader;
use crate::publish::output::{LineOutput, NoOutput, open_file};
use crate::threads::loader::LoaderThread;
use crate::threads::publishing::{NewPublisher, Role};
use crossbeam_channel::Receiver;
use gaitd_api::LadderView;
use gaitd_core::clock::Clock;
use gaitd_core::control::PolicyError;
use gaitd_core::engine::{Engine, Wearer};
use gaitd_core::exit::{self, ExitCode};
use gaitd_core::ladder::{
    Effort, InferenceError, Ladder, Library, LoadError, Manifest, ManifestError, Profile, ProfileKey, measure,
};
use gaitd_core::state_file;

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
    #[error("cannot write to {}: {error}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl ExitCode for StartError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Config(error) => error.exit_code(),
            Self::Load(error) => error.exit_code(),
            Self::Manifest(_) => exit::DATA,
            Self::Open(error) => error.exit_code(),
            Self::Policy(error) => error.exit_code(),
            Self::Output { .. } => exit::IO,
            Self::Thread(_) => exit::OS,
            Self::Panicked | Self::Measure(_) => exit::SOFTWARE,
        }
    }
}

/// An engine, and what else belongs to it.
pub(crate) struct Prepared {
    pub(crate) engine: Engine,
    /// The stream's side of it.
    pub(crate) wearer: Wearer,
    /// What is demanded of it.
    pub(crate) handle: ControlHandle,
    pub(crate) view: LadderView,
    pub(crate) key: ProfileKey,
    /// Where what the policy learns of this device is kept, if anywhere: it must come from windows that were paced as
    /// a sensor paces them, for inferences straight after each other take another time.
    pub(crate) learned: Option<LearnedState>,
}

/// Loads, verifies, warms up and, where there is no profile yet, measures the ladder that `config` names, and makes
/// its engine.
pub(crate) fn prepare(
    loader: &LoaderThread,
    library: &Arc<Library>,
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<Prepared, StartError> {
    let (library, config, clock) = (Arc::clone(library), config.clone(), Arc::clone(clock));
    // whatever a model makes the inference library do, the ladder that runs stays
    loader.run(move || make(&library, &config, &clock)).unwrap_or(Err(StartError::Panicked))
}

fn make(library: &Library, config: &Config, clock: &Arc<dyn Clock>) -> Result<Prepared, StartError> {
    let ladder = library.load(library.files(config.models.as_deref()).as_ref(), config.backend)?;
    let state = config.state_directory();
    let key = ProfileKey::new(&ladder, &cpu_name());
    let unusable = unusable_state(&state, config.source.is_timed());
    let missing = config.missing(&ladder.manifest().task);
    let profile = found_or_measured(&ladder, &key, &state, missing, clock).map_err(StartError::Measure)?;
    let view = LadderView::new(&ladder, &profile);
    let mut settings = config.control.settings();
    // aware by default, where the ladder gives something to be aware of
    settings.activity_aware &= ladder.manifest().knows_recall();
    let knows_accuracy = ladder.manifest().knows_accuracy();
    let plans = ladder.manifest().plans();
    let engine = Engine::new(ladder, &profile, &settings, missing)?;
    let wearer = wearer(engine.ladder(), engine.missing()).map_err(LoadError::Runner)?;
    let handle = ControlHandle::new(plans, knows_accuracy, settings)?;
    let learned = config.source.is_timed().then(|| LearnedState::new(&key, &state).told(unusable));
    Ok(Prepared { engine, wearer, handle, view, key, learned })
}

/// A wearer whose windows `ladder` infers, and can begin with when `missing` of their samples are missing, where that is not 0.
fn wearer(ladder: &Ladder, missing: usize) -> Result<Wearer, InferenceError> {
    let runner = || {
        let mut runner = ladder.runner()?;
        if missing > 0 {
            // the first head makes its tables, for which no window is to wait
            let task = &ladder.manifest().task;
            runner.head(0, &vec![0.0; task.channels.len() * task.window], missing, &mut || true)?;
        }
        Ok::<_, InferenceError>(runner)
    };
    let wearer = Wearer::with_runner(ladder, runner()?);
    Ok(if missing > 0 { wearer.insured_by(runner()?) } else { wearer })
}

/// The manifest of the model that `config` names, of which nothing else has been looked at.
pub(crate) fn manifest(library: &Library, config: &Config) -> Result<Manifest, StartError> {
    Ok(Ladder::manifest_of(library.files(config.models.as_deref()).as_ref())?)
}

/// Says at the start what is lost where nothing can be kept in the folder `state`; returns the kind of error.
fn unusable_state(state: &Path, learns: bool) -> Option<ErrorKind> {
    let error = state_file::probe(state).err()?;
    let learned = if learns { ", and what is learned of it is forgotten" } else { "" };
    log::warn!(
        "{}: nothing can be kept there: {error}; each start measures the ladder anew{learned}; name a folder that gaitd may \
         write to (--state, or `state` in the configuration)",
        state.display()
    );
    Some(error.kind())
}

/// The profile kept below `state` under `key`, or one measured quickly now and kept, so that what is learned of its
/// errors stays true at the next start. A damaged one is logged and replaced by a measurement, since nothing is lost
/// with it; so is a folder in which nothing can be kept.
///
/// # Errors
/// When an inference fails.
pub fn kept_or_measured(
    ladder: &Ladder,
    key: &ProfileKey,
    state: &Path,
    clock: &Arc<dyn Clock>,
) -> Result<Profile, InferenceError> {
    unusable_state(state, false);
    found_or_measured(ladder, key, state, 0, clock)
}

fn found_or_measured(
    ladder: &Ladder,
    key: &ProfileKey,
    state: &Path,
    missing: usize,
    clock: &Arc<dyn Clock>,
) -> Result<Profile, InferenceError> {
    match Profile::find(key, state) {
        Ok(Some(profile)) => return Ok(profile),
        Ok(None) => {
            log::info!("no profile of this ladder on this processor yet; measuring briefly (see `gaitd profile`)");
        }
        Err(error) => log::warn!("{error}; measuring briefly"),
    }
    let effort = Effort { missing, ..Effort::QUICK };
    let mut profile = measure(ladder, ladder.runner()?.as_mut(), key, effort, clock.as_ref(), |_| ())?;
    profile.warnings.push("measured briefly at a start; `gaitd profile` measures well".to_owned());
    if let Err(error) = profile.save(state) {
        // told at the start
        log::debug!("{error}");
    }
    Ok(profile)
}

/// What the decisions by `config` and the model `manifest` have in common.
pub(crate) fn header(config: &Config, manifest: &Arc<Manifest>) -> RunHeader {
    RunHeader {
        manifest: Arc::clone(manifest),
        stream: config.stream.clone(),
        source: config.source.name(),
        simulated: config.source.is_simulated(),
        timed: config.source.is_timed(),
        policy: config.control.policy.name().to_owned(),
        budget: config.control.budget(),
    }
}

/// Opens the files of all outputs and closes them again, to find out what would be wrong with them.
pub(crate) fn check_outputs(config: &Config) -> Result<(), StartError> {
    config
        .written_outputs()
        .try_for_each(|output| open_file(output).map(drop).map_err(|error| unwritable(output, error)))
}

/// The outputs that `config` names, open; one that publishes nothing where there are none. `flowing` says once that samples
/// come, where they are waited for.
pub(crate) fn outputs(
    config: &Config,
    header: &RunHeader,
    flowing: Option<&Receiver<()>>,
) -> Result<Vec<NewPublisher>, StartError> {
    let open = |output: &Output| {
        let publisher =
            LineOutput::open(output, header, flowing, config.detailed).map_err(|error| unwritable(output, error))?;
        Ok(NewPublisher { publisher: Box::new(publisher), name: output.name(), role: Role::Output })
    };
    let mut outputs = config.written_outputs().map(open).collect::<Result<Vec<_>, StartError>>()?;
    if outputs.is_empty() {
        outputs.push(NewPublisher { publisher: Box::new(NoOutput), name: "account".to_owned(), role: Role::Account });
    }
    Ok(outputs)
}

fn unwritable(output: &Output, error: std::io::Error) -> StartError {
    StartError::Output { path: output.path.clone().unwrap_or_default(), error }
}
