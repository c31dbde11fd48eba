//! From a model's files to a ladder that is ready to run.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::executor::{Executor, InferenceError, TractExecutor};
use super::golden::{Golden, GoldenError};
use super::manifest::{Configuration, Manifest, ManifestError};
use super::store::{ModelStore, StoreError};
use crate::window::Resampler;

/// A ladder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is missing or unreadable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file differs from the one that the manifest was written for.
    #[error(
        "{path}: SHA-256 is {found}, and the manifest says {expected}: the file is damaged or was altered; export or copy the model again"
    )]
    Hash {
        /// The file.
        path: String,
        /// Its digest.
        found: String,
        /// The manifest's.
        expected: String,
    },
    /// A network stands in the directory that the manifest does not list.
    #[error(
        "{path}: the manifest does not list this file, so nothing vouches for it; remove it or export the model again"
    )]
    Unlisted {
        /// The file.
        path: String,
    },
    /// A network cannot be run.
    #[error("{path}: {source}")]
    Network {
        /// The file.
        path: String,
        /// Why.
        source: InferenceError,
    },
    /// The golden vectors are unusable, or this machine's answers differ from them.
    #[error(transparent)]
    Golden(#[from] GoldenError),
}

/// Reads, checks, optimises and warms up one configuration after the other, so that no more than one network's file of a
/// directory is in memory at a time; each is checked before anything of it runs.
fn build(store: &ModelStore) -> Result<Ladder, LoadError> {
    let _held = store.held()?;
    let manifest = Ladder::manifest_of(store)?;
    if let Some(name) =
        store.networks()?.into_iter().find(|name| manifest.configurations.iter().all(|c| c.file != *name))
    {
        return Err(LoadError::Unlisted { path: store.describe(&name) });
    }
    let golden = Golden::parse(&store.read("golden.json")?, &store.describe("golden.json"), &manifest)?;
    let mut hash = Sha256::new();
    let mut rungs = Vec::with_capacity(manifest.configurations.len());
    for configuration in &manifest.configurations {
        let path = || store.describe(&configuration.file);
        let bytes = store.read(&configuration.file)?;
        let found = hex(&Sha256::digest(&bytes));
        if found != configuration.sha256 {
            return Err(LoadError::Hash { path: path(), found, expected: configuration.sha256.clone() });
        }
        hash.update(&configuration.sha256);
        let mut rung = Rung::new(configuration.clone(), &bytes, &manifest)
            .map_err(|source| LoadError::Network { path: path(), source })?;
        // running the golden windows warms the rung up as well
        golden.check(&mut rung)?;
        rungs.push(rung);
    }
    Ok(Ladder { manifest: Arc::new(manifest), model_hash: hex(&hash.finalize()), rungs })
}

/// The configurations that a model offers, ready to run, in the manifest's order.
pub struct Ladder {
    manifest: Arc<Manifest>,
    model_hash: String,
    rungs: Vec<Rung>,
}

impl Ladder {
    /// Reads, checks, loads, optimises and warms up the model in `store`.
    ///
    /// # Errors
    /// When a file is missing, unlisted or altered, the manifest or the golden vectors are wrong, or a network cannot be
    /// run or answers differently from the trainer.
    pub fn load(store: &ModelStore) -> Result<Self, LoadError> {
        build(store)
    }

    /// What the model in `store` says of itself, of which nothing else has been looked at.
    ///
    /// # Errors
    /// When its manifest is missing or wrong.
    pub fn manifest_of(store: &ModelStore) -> Result<Manifest, LoadError> {
        Ok(Manifest::parse(&store.read("manifest.json")?, &store.describe("manifest.json"))?)
    }

    /// What the model says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// SHA-256 over the digests of all networks, which names exactly what is executed; temperatures and other figures
    /// of the manifest have no part in it.
    #[must_use]
    pub fn model_hash(&self) -> &str {
        &self.model_hash
    }

    /// The configurations.
    #[must_use]
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// The configurations, to run them.
    pub fn rungs_mut(&mut self) -> &mut [Rung] {
        &mut self.rungs
    }
}

/// One configuration, ready to run.
pub struct Rung {
    configuration: Configuration,
    resampler: Resampler,
    executor: Box<dyn Executor>,
    kernels: Vec<String>,
    input: Vec<f32>,
}

impl Rung {
    fn new(configuration: Configuration, onnx: &[u8], manifest: &Manifest) -> Result<Self, InferenceError> {
        let channels = manifest.task.channels.len();
        let executor = TractExecutor::new(onnx, channels, configuration.resolution, manifest.task.labels.len())?;
        let resampler = Resampler::new(manifest.task.window, configuration.resolution)
            .map_err(|error| InferenceError::Unusable(error.to_string()))?;
        let input = vec![0.0; channels * configuration.resolution];
        let kernels = executor.kernels().to_vec();
        Ok(Self { configuration, resampler, executor: Box::new(executor), kernels, input })
    }

    /// What the manifest says of it.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Puts `wrapper` around what executes this configuration, to watch it or to change how long it takes.
    pub fn wrap(&mut self, wrapper: impl FnOnce(Box<dyn Executor>) -> Box<dyn Executor>) {
        let inner = std::mem::replace(&mut self.executor, Box::new(Absent));
        self.executor = wrapper(inner);
    }

    /// Bytes of its weights and of all intermediate values of one inference.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.executor.memory()
    }

    /// Names of the matrix kernels that were picked for it on this processor, in the order in which they first run.
    #[must_use]
    pub fn kernels(&self) -> &[String] {
        &self.kernels
    }

    /// Resamples `window` (`[channels, time]`, row-major) to this configuration's resolution, into the rung's buffer.
    pub fn resample(&mut self, window: &[f32]) {
        self.resampler.apply(window, &mut self.input);
    }

    /// Infers on the window last resampled; `logits` has one place per label.
    ///
    /// # Errors
    /// When the execution fails or the logits are not finite.
    pub fn infer(&mut self, logits: &mut [f32]) -> Result<(), InferenceError> {
        self.executor.infer(&self.input, logits)
    }
}

/// Stands in for an executor that is being wrapped.
struct Absent;

impl Executor for Absent {
    fn infer(&mut self, _: &[f32], _: &mut [f32]) -> Result<(), InferenceError> {
        Err(InferenceError::Failed("the configuration is being changed".to_owned()))
    }

    fn memory(&self) -> u64 {
        0
    }
}

fn hex(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::with_capacity(2 * digest.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
