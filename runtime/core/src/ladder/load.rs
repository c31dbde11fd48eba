//! From a model's files to a ladder that is ready to run.

use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::backend::{Backend, BackendChoice, InferenceError, Loaded, Network, NetworkFiles, Runner, hex};
use super::configuration::Configuration;
use super::files::{FilesError, ModelFiles};
use super::golden::{Golden, GoldenError};
use super::manifest::{Manifest, ManifestError};
use crate::exit::{self, ExitCode};
use crate::window::Normalisation;

/// A ladder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is missing or unreadable.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file differs from the one that the manifest was written for.
    #[error(
        "{}: SHA-256 is {found}, and the manifest says {expected}: the file is damaged or was altered; export or copy \
         the model again",
        path.display()
    )]
    Hash {
        /// The file.
        path: PathBuf,
        /// Its digest.
        found: String,
        /// The manifest's.
        expected: String,
    },
    /// A network stands in the directory that the manifest does not list.
    #[error(
        "{}: the manifest does not list this file, so nothing vouches for it; remove it or export the model again",
        path.display()
    )]
    Unlisted {
        /// The file.
        path: PathBuf,
    },
    /// A network cannot be run.
    #[error("{}: {reason}", path.display())]
    Network {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: InferenceError,
    },
    /// No backend of this program, of those that are wanted, takes the ladder.
    #[error("{origin}: no backend that is wanted runs this ladder{}; {}", reasons(left), remedy(absent))]
    NoBackend {
        /// The model.
        origin: String,
        /// The backends that left it, and why.
        left: Vec<(&'static str, String)>,
        /// The backends that this program is built without.
        absent: Vec<&'static str>,
    },
    /// A backend that cannot work here.
    #[error("{backend}: {message}")]
    Backend {
        /// Its name.
        backend: &'static str,
        /// Why.
        message: String,
    },
    /// The ladder gives no buffers to run it.
    #[error("the ladder cannot be run: {0}")]
    Runner(InferenceError),
    /// The golden vectors are unusable, or this machine's answers differ from them.
    #[error(transparent)]
    Golden(#[from] GoldenError),
}

fn reasons(left: &[(&'static str, String)]) -> String {
    left.iter().map(|(backend, reason)| format!("; {backend} leaves it, because of {reason}")).collect()
}

/// What to do about a ladder that is not run, in a program without the backends `absent`.
fn remedy(absent: &[&str]) -> String {
    if absent.is_empty() {
        return "let gaitd choose (backend: auto)".to_owned();
    }
    let names = absent.join(" and ");
    format!("this gaitd is built without {names}: take one that is built with the feature `{names}`")
}

impl ExitCode for LoadError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Files(_) => exit::NO_INPUT,
            Self::Backend { .. } => exit::CONFIG,
            _ => exit::DATA,
        }
    }
}

/// A verified ladder: its configurations in the manifest's order, and the network that executes them. It never changes,
/// and a copy shares all of it.
#[derive(Clone)]
pub struct Ladder {
    manifest: Arc<Manifest>,
    model_hash: String,
    backend: &'static str,
    left: Arc<[(&'static str, String)]>,
    network: Arc<dyn Network>,
}

impl Ladder {
    /// Reads, checks, loads, optimises and warms up the model in `files` by the first of `backends` that takes it.
    ///
    /// # Errors
    /// When a file is missing, unlisted or altered, the manifest or the golden vectors are wrong, or a network cannot be
    /// run or answers differently from the trainer.
    pub fn load(files: &dyn ModelFiles, backends: &[&dyn Backend]) -> Result<Self, LoadError> {
        let _held = files.hold()?;
        let mut manifest = Self::manifest_of(files)?;
        let listed = |name: &String| manifest.configurations.iter().any(|configuration| configuration.file == *name);
        if let Some(name) = files.networks()?.iter().find(|name| !listed(name)) {
            return Err(LoadError::Unlisted { path: files.path(name) });
        }
        let golden = Golden::parse(&files.read("golden.json")?, &files.path("golden.json"), &manifest)?;
        let (backend, left, network) = Self::network_of(&NetworkFiles::new(&manifest, files), files, backends)?;
        // running the golden windows warms up as well
        golden.check(&manifest, runner_of(network.as_ref(), &manifest).map_err(LoadError::Runner)?.as_mut())?;
        let mut hash = Sha256::new();
        manifest.configurations.iter().for_each(|configuration| hash.update(configuration.identity()));
        manifest.task.normalisation.iter().for_each(|it| hash.update(format!("{it:?}")));
        for (rung, configuration) in manifest.configurations.iter_mut().enumerate() {
            let counted = |given: &mut u64, counted: Option<u64>| {
                if *given == 0 {
                    *given = counted.unwrap_or_default();
                }
            };
            counted(&mut configuration.macs, network.macs(rung));
            counted(&mut configuration.parameters, network.parameters(rung));
        }
        Ok(Self { manifest: Arc::new(manifest), model_hash: hex(&hash.finalize()), backend, left, network })
    }

    fn network_of(
        networks: &NetworkFiles<'_>,
        files: &dyn ModelFiles,
        backends: &[&dyn Backend],
    ) -> Result<Executed, LoadError> {
        let mut left = Vec::new();
        for backend in backends {
            match backend.load(networks)? {
                Loaded::Network(network) => return Ok((backend.name(), left.into(), network)),
                Loaded::Left(reason) => left.push((backend.name(), reason)),
            }
        }
        Err(LoadError::NoBackend { origin: files.origin(), left, absent: Vec::new() })
    }

    /// What the model in `files` says of itself, of which nothing else has been looked at.
    ///
    /// # Errors
    /// When its manifest is missing or wrong.
    pub fn manifest_of(files: &dyn ModelFiles) -> Result<Manifest, LoadError> {
        Ok(Manifest::parse(&files.read("manifest.json")?, &files.path("manifest.json"))?)
    }

    /// What the model says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The configurations; a rung is a place among them.
    #[must_use]
    pub fn configurations(&self) -> &[Configuration] {
        &self.manifest.configurations
    }

    /// SHA-256 over the digests of all networks, which names exactly what is executed; temperatures and other figures
    /// of the manifest have no part in it.
    #[must_use]
    pub fn model_hash(&self) -> &str {
        &self.model_hash
    }

    /// The name of the inference library that executes it.
    #[must_use]
    pub fn backend(&self) -> &'static str {
        self.backend
    }

    /// The backends that left it to that one, and why.
    #[must_use]
    pub fn left(&self) -> &[(&'static str, String)] {
        &self.left
    }

    /// What executes it.
    #[must_use]
    pub fn network(&self) -> &dyn Network {
        self.network.as_ref()
    }

    /// The buffers of one more stream.
    ///
    /// # Errors
    /// When the inference library gives none.
    pub fn runner(&self) -> Result<Box<dyn Runner>, InferenceError> {
        runner_of(self.network.as_ref(), &self.manifest)
    }
}

/// The name of a backend, those that left the ladder to it, and its network.
type Executed = (&'static str, Arc<[(&'static str, String)]>, Arc<dyn Network>);

/// A runner of `network` that normalises each window first, where `manifest` says so.
///
/// # Errors
/// When the inference library gives no buffers.
pub fn runner_of(network: &dyn Network, manifest: &Manifest) -> Result<Box<dyn Runner>, InferenceError> {
    let runner = network.runner()?;
    let Some(normalisation) = manifest.task.normalisation else { return Ok(runner) };
    let channels = manifest.task.channels.len();
    Ok(Box::new(Normalised { runner, normalisation, channels, window: vec![0.0; channels * manifest.task.window] }))
}

/// Normalises each window before it is inferred.
struct Normalised {
    runner: Box<dyn Runner>,
    normalisation: Normalisation,
    channels: usize,
    window: Vec<f32>,
}

impl Runner for Normalised {
    fn infer(&mut self, rung: usize, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError> {
        self.normalisation.apply(window, self.channels, &mut self.window);
        self.runner.infer(rung, &self.window, logits)
    }
}

/// What a program can load: the model that it ships, models in directories, and the inference libraries that run them.
pub struct Library {
    shipped: Arc<dyn ModelFiles>,
    backends: Vec<Box<dyn Backend>>,
}

impl Library {
    /// A program that ships the model `shipped` and executes ladders by the first of `backends` that takes them.
    #[must_use]
    pub fn new(shipped: Arc<dyn ModelFiles>, backends: Vec<Box<dyn Backend>>) -> Self {
        Self { shipped, backends }
    }

    /// The model in `directory`, or the shipped one.
    #[must_use]
    pub fn files(&self, directory: Option<&std::path::Path>) -> Arc<dyn ModelFiles> {
        match directory {
            Some(directory) => Arc::new(super::files::ModelDirectory::new(directory)),
            None => Arc::clone(&self.shipped),
        }
    }

    /// See [`Ladder::load`]; by a backend that `choice` allows.
    ///
    /// # Errors
    /// Those of [`Ladder::load`].
    pub fn load(&self, files: &dyn ModelFiles, choice: BackendChoice) -> Result<Ladder, LoadError> {
        let backends = self.backends.iter().map(AsRef::as_ref).filter(|backend| choice.allows(backend.name()));
        Ladder::load(files, &backends.collect::<Vec<_>>()).map_err(|error| match error {
            LoadError::NoBackend { origin, left, .. } => LoadError::NoBackend { origin, left, absent: self.absent() },
            other => other,
        })
    }

    /// The backends that can be asked for, of which this program has none.
    fn absent(&self) -> Vec<&'static str> {
        let there = |name: &&str| self.backends.iter().any(|backend| backend.name() == *name);
        BackendChoice::OF_ONE.into_iter().filter_map(BackendChoice::only).filter(|name| !there(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A backend of that name, which takes no ladder.
    struct Picky(&'static str);

    impl Backend for Picky {
        fn name(&self) -> &'static str {
            self.0
        }

        fn load(&self, _: &NetworkFiles<'_>) -> Result<Loaded, LoadError> {
            Ok(Loaded::Left("a.onnx: an LSTM".to_owned()))
        }
    }

    #[test]
    fn a_ladder_that_needs_a_backend_that_is_not_there_says_which() {
        let refused = |names: &[&'static str], choice| {
            let backends = names.iter().map(|&name| Box::new(Picky(name)) as Box<dyn Backend>);
            let library = Library::new(Arc::new(crate::testing::FakeModel::new(1)), backends.collect());
            library.load(library.files(None).as_ref(), choice).err().map(|error| error.to_string()).unwrap_or_default()
        };
        let start = "a fake model: no backend that is wanted runs this ladder; ";
        let left = "supernet leaves it, because of a.onnx: an LSTM; ";
        let built = "this gaitd is built without tract: take one that is built with the feature `tract`";
        assert_eq!(refused(&["supernet"], BackendChoice::Auto), format!("{start}{left}{built}"));
        assert_eq!(refused(&["supernet"], BackendChoice::Tract), format!("{start}{built}"));
        let choose = "let gaitd choose (backend: auto)";
        assert_eq!(refused(&["supernet", "tract"], BackendChoice::Supernet), format!("{start}{left}{choose}"));
    }
}
