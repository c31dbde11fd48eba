//! The HTTP interface as clients meet it, good ones and bad ones, before a daemon that is made up.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod document;
mod events;
mod hostile;
mod listeners;
mod metrics;
mod rules;
mod world;
