//! The built program as its users meet it.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test fails by panicking; its parts see each other"
)]

mod check_stream;
mod conditioning;
#[cfg(feature = "npz")]
mod context_figures;
mod ends;
mod episodes;
#[cfg(feature = "http")]
mod examples;
mod heads;
#[cfg(target_os = "linux")]
mod iio;
mod implausible;
mod import;
mod instant;
mod lag;
mod logging;
mod manual;
mod memory;
#[cfg(all(feature = "npz", feature = "tract"))]
mod model_new;
mod models;
#[cfg(feature = "tract")]
mod networks;
#[cfg(target_os = "linux")]
mod options;
#[cfg(all(feature = "npz", feature = "tract"))]
mod own_network;
mod package;
#[cfg(all(unix, feature = "http", feature = "npz"))]
mod pages;
#[cfg(feature = "npz")]
mod plausible;
mod program;
#[cfg(feature = "npz")]
mod recordings;
#[cfg(all(feature = "http", feature = "npz", feature = "tract"))]
mod reference;
mod rehearse;
mod replay;
mod run;
mod scenarios;
#[cfg(feature = "http")]
mod schema;
#[cfg(feature = "http")]
mod service;
mod shown;
mod sources;
mod termux;
mod together;
mod told;
#[cfg(target_os = "linux")]
mod units;
mod wearer;
#[cfg(all(feature = "npz", feature = "tract"))]
mod zoo;
