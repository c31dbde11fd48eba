//! The ladder: from a model's files to verified, optimised and warmed-up configurations, and their profile.
//!
//! The manifest is checked before anything else, and a network's SHA-256 before anything of it runs; what executes a
//! ladder stands behind [`Backend`].

mod backend;
mod cascade;
mod configuration;
mod facts;
mod files;
mod golden;
mod layout;
mod load;
mod manifest;
mod measure;
mod profile;

pub use backend::{
    Backend, BackendChoice, InferenceError, Loaded, Memory, Network, NetworkFiles, Runner, finite, sha256,
};
pub use cascade::Cascade;
pub use configuration::{
    Accuracy, Answers, Calibration, CalibrationError, Configuration, NetworkInput, NetworkOutput, WeightFile,
};
pub use facts::{NetworkFacts, OutputFacts, Precision, ValueFacts};
pub use files::{FilesError, ModelDirectory, ModelFiles};
pub use golden::{GOLDEN_TOLERANCE, Golden, GoldenError, GoldenFile};
pub use layout::{Fit, Layout, LayoutError};
pub use load::{Ladder, Library, LoadError, runner_of};
pub use manifest::{InputSpec, Manifest, ManifestError, Task};
pub use measure::{Effort, measure};
pub use profile::{Percentiles, Profile, ProfileError, ProfileKey, Profiled, ProfiledHalves, Regime, nearest_rank};
