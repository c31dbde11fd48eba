//! The daemon as its operator meets it: the built binary, `gaitd ctl`, signals, and the interfaces. Samples come from
//! the tests, so that nothing depends on the time.

mod asked;
mod changed;
mod ctl;
pub mod daemon;
mod implausible;
mod lifetime;
mod outputs;
mod reloaded;
mod sources;
mod terminal;
mod watch;
