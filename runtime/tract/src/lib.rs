//! The backend that runs ONNX networks by [tract](https://docs.rs/tract-core); no other crate names tract.
//!
//! [`Tract`] reads each network, by the feature `onnx` (on by default) with all operators that tract knows and without it
//! with the eight that the trainer writes; it shapes it for one window, lets tract optimise it for this processor, and
//! gives each stream a runner with the states of all plans. Resampling to a configuration's resolution and the order in
//! which the network reads channels happen here, straight into the plan's inputs.
//!
//! ```
//! use gaitd_core::ladder::Ladder;
//! use gaitd_embedded::Embedded;
//! use gaitd_tract::Tract;
//!
//! let ladder = Ladder::load(&Embedded, &[&Tract])?;
//! let task = &ladder.manifest().task;
//! let (window, mut logits) = (vec![0.0; task.channels.len() * task.window], vec![0.0; task.labels.len()]);
//!
//! let mut runner = ladder.runner()?;
//! for rung in 0..ladder.configurations().len() {
//!     runner.infer(rung, &window, &mut logits)?;
//!     assert!(logits.iter().all(|logit| logit.is_finite()));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod backend;
mod executor;
mod feed;
mod onnx;
mod wanted;

pub use backend::{Tract, Unoptimised, inspect};
