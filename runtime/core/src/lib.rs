//! The rules of gaitd, without threads, sockets or a clock of their own.
//!
//! Data flows one way through the modules: [`stream`] (samples, made continuous), [`condition`] (to the channels that a
//! network was trained on), [`window`], [`ladder`] (configurations, verified and measured), [`control`] (which
//! configuration the next window gets) and [`engine`] (one decision for one window). Time and load come in as
//! arguments, so that each policy can be tested and simulated without sleeping. What executes a ladder is a
//! [`ladder::Backend`], and no inference library is named here.

#![forbid(unsafe_code)]

pub mod clock;

pub mod json;

pub mod state_file;

pub mod stream;

pub mod condition;

pub mod window;

pub mod ladder;

pub mod control;

pub mod engine;
pub mod exit;

pub mod virtual_time;
