//! The seam between a ladder and what executes it.
//!
//! A [`Backend`] reads all networks of a ladder at once, so that configurations can share weights, and gives a
//! [`Network`]: weights and plans, which any number of streams share. Each stream infers through a [`Runner`] of its
//! own, which holds the buffers.

use std::collections::HashMap;
use std::iter::Sum;
use std::ops::Add;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::files::ModelFiles;
use super::load::LoadError;
use super::manifest::Manifest;

/// A network that cannot be run, or an inference that failed.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The network could not be read, shaped or optimised.
    #[error("not a network that gaitd can run: {0}")]
    Unusable(String),
    /// The network ran and failed.
    #[error("inference failed: {0}")]
    Failed(String),
    /// The network answered with values that are not numbers.
    #[error("the network's logits are not finite")]
    NotFinite,
    /// The tail of an inference was asked for whose head is not done.
    #[error("there is no inference whose head is done")]
    NoHead,
}

/// An inference library.
pub trait Backend: Send + Sync {
    /// Its name, as reports and metrics show it.
    fn name(&self) -> &'static str;

    /// Reads, shapes and optimises all networks of the ladder in `files`, or leaves the whole ladder to another backend.
    ///
    /// # Errors
    /// When a file is missing or altered, or a network cannot be run.
    fn load(&self, files: &NetworkFiles<'_>) -> Result<Loaded, LoadError>;
}

/// What a backend makes of a ladder.
pub enum Loaded {
    /// What executes it.
    Network(Arc<dyn Network>),
    /// Nothing; why the backend leaves it to another one.
    Left(String),
}

/// Which backend is to execute a ladder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackendChoice {
    /// The first that takes it.
    #[default]
    Auto,
    /// gaitd's own engine, for what `gaitd-train` writes.
    Supernet,
    /// tract, for any ONNX network.
    Tract,
}

impl BackendChoice {
    /// Those that ask for one backend.
    pub(super) const OF_ONE: [Self; 2] = [Self::Supernet, Self::Tract];

    /// The name of the only backend that may be tried.
    pub(super) fn only(self) -> Option<&'static str> {
        match self {
            Self::Auto => None,
            Self::Supernet => Some("supernet"),
            Self::Tract => Some("tract"),
        }
    }

    /// Whether the backend `name` may be tried.
    #[must_use]
    pub fn allows(self, name: &str) -> bool {
        self.only().is_none_or(|only| only == name)
    }
}

/// The networks of one ladder: weights and plans, which never change and are shared by every stream.
pub trait Network: Send + Sync {
    /// The buffers of one more stream.
    ///
    /// # Errors
    /// When the inference library gives none.
    fn runner(&self) -> Result<Box<dyn Runner>, InferenceError>;

    /// Backend, version and instruction set, in letters, digits, `.` and `-`: what a measured latency belongs to.
    fn identity(&self) -> String;

    /// Bytes of the whole ladder.
    fn memory(&self) -> Memory;

    /// Bytes of the configuration `rung` alone; what configurations share counts for each of them.
    fn rung_memory(&self, rung: usize) -> Memory;

    /// Multiply-accumulates of one inference of the configuration `rung`, as counted in its graph.
    fn macs(&self, rung: usize) -> Option<u64>;

    /// Weights of the configuration `rung`, as counted in its graph.
    fn parameters(&self, rung: usize) -> Option<u64>;

    /// Names of the matrix kernels that the configuration `rung` uses on this processor, in the order in which they
    /// first run.
    fn kernels(&self, rung: usize) -> &[String];

    /// Multiply-accumulates of the head of an inference of the configuration `rung`: of what needs none of a window's last
    /// `missing` samples. None where its inferences have no head.
    fn head_macs(&self, _rung: usize, _missing: usize) -> Option<u64> {
        None
    }
}

/// The buffers of one stream.
pub trait Runner: Send {
    /// One inference of the configuration `rung` on `window`, `[channels, time]` (row-major) at full resolution. The
    /// runner resamples it as the configuration needs it, and fills `logits`, one for each label.
    ///
    /// # Errors
    /// When the execution fails, or `logits` are not finite (see [`finite`]).
    fn infer(&mut self, rung: usize, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError>;

    /// The head of an inference of the configuration `rung`: all that needs none of the last `missing` samples of `window`,
    /// which are not read. `go_on` is asked every now and then, and where it says no, the head is given up. Returns whether
    /// it is done. Allocates nothing but where `missing` is another number than before.
    ///
    /// # Errors
    /// When the execution fails.
    fn head(
        &mut self,
        _rung: usize,
        _window: &[f32],
        _missing: usize,
        _go_on: &mut dyn FnMut() -> bool,
    ) -> Result<bool, InferenceError> {
        Ok(false)
    }

    /// The tail: what is left of the inference whose head was done last, on the same window, which is complete by now. It
    /// answers as [`Runner::infer`] does, and what was begun is then forgotten, as it is by any other call.
    ///
    /// # Errors
    /// When there is no head that is done, the execution fails, or `logits` are not finite.
    fn tail(&mut self, _window: &[f32], _logits: &mut [f32]) -> Result<(), InferenceError> {
        Err(InferenceError::NoHead)
    }
}

/// Refuses logits that are not finite, as every runner has to.
///
/// # Errors
/// [`InferenceError::NotFinite`].
pub fn finite(logits: &[f32]) -> Result<(), InferenceError> {
    if logits.iter().all(|logit| logit.is_finite()) { Ok(()) } else { Err(InferenceError::NotFinite) }
}

/// Bytes that an inference needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Weights and plans, once for all streams.
    pub shared: u64,
    /// Intermediate values, once for each stream.
    pub own: u64,
}

impl Memory {
    /// Both together: what one stream needs.
    #[must_use]
    pub fn total(self) -> u64 {
        self.shared + self.own
    }
}

impl Add for Memory {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { shared: self.shared + other.shared, own: self.own + other.own }
    }
}

impl Sum for Memory {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

/// The network files of a ladder, which hand out nothing that the manifest does not vouch for.
pub struct NetworkFiles<'a> {
    manifest: &'a Manifest,
    files: &'a dyn ModelFiles,
}

impl<'a> NetworkFiles<'a> {
    /// The networks in `files` that `manifest` lists.
    #[must_use]
    pub fn new(manifest: &'a Manifest, files: &'a dyn ModelFiles) -> Self {
        Self { manifest, files }
    }

    /// What the ladder says of itself.
    #[must_use]
    pub fn manifest(&self) -> &'a Manifest {
        self.manifest
    }

    /// The file of the configuration `rung`, as messages name it.
    #[must_use]
    pub fn path(&self, rung: usize) -> PathBuf {
        self.files.path(&self.manifest.configurations[rung].file)
    }

    /// The bytes of the file of the configuration `rung`, whose SHA-256 is the manifest's.
    ///
    /// # Errors
    /// When the file is missing, unreadable or altered.
    pub fn read(&self, rung: usize) -> Result<Vec<u8>, LoadError> {
        let configuration = &self.manifest.configurations[rung];
        self.vouched(&configuration.file, &configuration.sha256)
    }

    /// The bytes of the files that hold weights of the configuration `rung`, by name; their SHA-256 are the manifest's.
    ///
    /// # Errors
    /// When a file is missing, unreadable or altered.
    pub fn weights(&self, rung: usize) -> Result<HashMap<String, Vec<u8>>, LoadError> {
        let weights = self.manifest.configurations[rung].weights.iter();
        weights.map(|it| Ok((it.file.clone(), self.vouched(&it.file, &it.sha256)?))).collect()
    }

    fn vouched(&self, name: &str, expected: &str) -> Result<Vec<u8>, LoadError> {
        let bytes = self.files.read(name)?;
        let found = sha256(&bytes);
        if found != expected {
            return Err(LoadError::Hash { path: self.files.path(name), found, expected: expected.to_owned() });
        }
        Ok(bytes)
    }
}

/// SHA-256 of `bytes` in lower-case hexadecimal, as a manifest names a file's.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// `digest` in lower-case hexadecimal.
pub(super) fn hex(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::with_capacity(2 * digest.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
