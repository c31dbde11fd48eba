//! The ladder: from a model directory to verified, optimised and warmed-up configurations, and their profile.
//!
//! The manifest is checked before anything else, and a network's SHA-256 before anything of it runs; nothing outside
//! this room knows which inference library executes a configuration ([`Executor`]).

mod embedded;
mod executor;
mod golden;
mod json;
pub(crate) mod keep;
mod load;
mod manifest;
mod measure;
mod onnx;
mod profile;
mod store;

pub use executor::{Executor, InferenceError};
pub use golden::{GOLDEN_TOLERANCE, Golden, GoldenError};
pub(crate) use json::{Misplaced, parse_json};
pub use load::{Ladder, LoadError, Rung};
pub use manifest::{Accuracy, Calibration, CalibrationError, Configuration, InputSpec, Manifest, ManifestError, Task};
pub use measure::{Effort, measure};
pub(crate) use profile::nearest_rank;
pub use profile::{Percentiles, Profile, ProfileError, ProfileKey, Profiled, Regime};
pub use store::{ModelStore, StoreError};
