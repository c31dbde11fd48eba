//! gaitd's own engine: all configurations of a ladder from one set of weights.
//!
//! A width is the first channels of the widest network, and what batch-norm has for a configuration is a factor and a
//! summand for each of them. So [`Supernet`] packs the weights of a ladder once; where a configuration has others after all, it
//! keeps that layer's of its own. It takes what `gaitd-train` writes: convolutions, rectifications, sums, and a pooled
//! linear layer. Every other ladder it leaves to the next backend, and says why.
//!
//! An inference is done whole, or in two halves: the head needs none of a window's last samples, the tail is the rest, and
//! both together answer the same to the bit. A layer's positions that depend on a missing sample get the sums over the taps
//! that do not in the head, and go on from them in the tail.
//!
//! | file | what |
//! | --- | --- |
//! | `reader`, `graph` | from an ONNX file to a network |
//! | `schedule` | from a network to steps over buffers |
//! | `sharing`, `pack` | whether weights are shared, and where they lie |
//! | `plan` | the tables of an inference, whole and split, and the proof that nothing points beyond its memory |
//! | `kernels` | what computes, for each instruction set; the only place with `unsafe` |
//! | `instruction_set` | which kernels are chosen |
//! | `splits` | how inferences are split where the end of a window is missing |
//! | `backend`, `runner` | the doors of `gaitd-core` |
//!
//! ```
//! use gaitd_core::ladder::Ladder;
//! use gaitd_embedded::Embedded;
//! use gaitd_supernet::Supernet;
//!
//! let ladder = Ladder::load(&Embedded, &[&Supernet])?;
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

mod aligned;
mod backend;
mod graph;
mod instruction_set;
mod kernels;
mod pack;
mod plan;
mod reader;
mod runner;
mod schedule;
mod sharing;
mod splits;

pub use backend::{Supernet, WithKernels};
pub use instruction_set::ISA_VARIABLE;
pub use kernels::peak::fma_peak;
