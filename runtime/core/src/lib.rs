//! The rules of gaitd, without threads, sockets or a clock of their own.
//!
//! Data flows one way through the modules:
//!
//! | module | what it does |
//! | --- | --- |
//! | [`stream`] | samples, made continuous |
//! | [`plausibility`] | whether samples can be what the network was trained on, or be measured at all |
//! | [`condition`] | from samples to the channels that a network was trained on |
//! | [`window`] | from conditioned samples to windows `[channels, time]`, one every hop |
//! | [`ladder`] | the configurations of a model, verified and measured |
//! | [`control`] | which configuration the next window gets |
//! | [`engine`] | one decision for one window |
//!
//! Beside them stand [`clock`], [`virtual_time`], [`json`], [`state_file`] and [`exit`], which all crates share.
//!
//! Time, load and settings come in as arguments, so that each policy can be tested and simulated without sleeping. What
//! executes a ladder is a [`ladder::Backend`], and no inference library is named here.
//!
//! # Example
//!
//! A ladder is loaded, and ten windows of one wearer are decided. The model is a fake of the module `testing` (a feature) whose inferences
//! take virtual time; a real one is a [`ladder::ModelDirectory`], run by a backend of an inference library.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use gaitd_core::control::{Load, Overhead, PolicySpec};
//! use gaitd_core::engine::{Decision, Engine, Inputs, Settings, Wearer};
//! use gaitd_core::ladder::{Ladder, Profile};
//! use gaitd_core::testing::{FakeBackend, FakeModel, next_window};
//! use gaitd_core::{virtual_time::VirtualClock, window::Window};
//!
//! let clock = Arc::new(VirtualClock::new());
//! let latencies = [5, 10, 20].map(Duration::from_millis);
//! let ladder = Ladder::load(&FakeModel::new(3), &[&FakeBackend::new(&latencies, &clock)])?;
//! let (manifest, profile) = (ladder.manifest().clone(), Profile::known(&ladder, "a processor", &latencies));
//! let settings = Settings::new(Duration::from_millis(50), 0.02, PolicySpec::default());
//!
//! let mut wearer = Wearer::new(&ladder)?;
//! let mut engine = Engine::new(ladder, &profile, &settings, 0)?;
//! let mut window = Window::new(manifest.task.channels.len(), manifest.task.window);
//! let mut decision = Decision::empty(&manifest);
//! for index in 0..10 {
//!     next_window(&mut window, &manifest.task, index, 1, clock.as_ref());
//!     let inputs = Inputs { load: Load::NONE, reserve: Duration::ZERO, overhead: &Overhead::NONE, settings: &settings };
//!     engine.decide(&mut wearer, &window, &inputs, clock.as_ref(), &mut decision)?;
//! }
//! assert_eq!((decision.window, decision.label()), (9, "walking"));
//! assert_eq!(decision.configuration().id, "1.00x-128", "there is time for the most accurate one");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod clock;

pub mod json;

pub mod state_file;

pub mod stream;

pub mod plausibility;

pub mod condition;

pub mod window;

pub mod ladder;

pub mod control;
pub mod decode;

pub mod engine;
pub mod exit;

pub mod virtual_time;
pub mod words;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
