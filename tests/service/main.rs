//! The daemon as its operator meets it: the built binary, `gaitd ctl`, signals, and the interfaces. Samples come from
//! the tests, so that nothing depends on the time.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test fails by panicking; its parts see each other")]

mod asked;
mod changed;
#[path = "../common/mod.rs"]
mod common;
mod ctl;
mod daemon;
mod lifetime;
#[path = "../common/openapi.rs"]
mod openapi;
mod outputs;
mod reloaded;
mod sources;
