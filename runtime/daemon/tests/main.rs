//! The parts of the daemon that meet the outside: service manager, clients, output.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test fails by panicking; its parts see each other")]

mod account;
#[cfg(target_os = "linux")]
mod activation;
mod clock_steps;
#[cfg(feature = "http")]
mod http;
#[cfg(target_os = "linux")]
mod notify;
mod steady;
