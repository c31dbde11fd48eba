//! The ladder: from a model's files to verified, optimised and warmed-up configurations, and their profile.
//!
//! The manifest is checked before anything else, and a network's SHA-256 before anything of it runs; what executes a
//! ladder stands behind [`Backend`].

mod backend;
mod configuration;
mod files;
mod golden;
mod layout;
mod load;
mod manifest;
mod measure;
mod profile;

pub use backend::{Backend, InferenceError, Memory, Network, NetworkFiles, Runner, finite};
pub use configuration::{
    Accuracy, Answers, Calibration, CalibrationError, Configuration, NetworkInput, NetworkOutput, WeightFile,
};
pub use files::{FilesError, ModelDirectory, ModelFiles};
pub use golden::{GOLDEN_TOLERANCE, Golden, GoldenError};
pub use layout::{Layout, LayoutError};
pub use load::{Ladder, Library, LoadError};
pub use manifest::{InputSpec, Manifest, ManifestError, Task};
pub use measure::{Effort, measure};
pub use profile::{Percentiles, Profile, ProfileError, ProfileKey, Profiled, Regime, nearest_rank};
