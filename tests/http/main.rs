//! The HTTP interface as clients meet it, good ones and bad ones, before a daemon that is made up.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test fails by panicking; its parts see each other")]

#[path = "../common/mod.rs"]
mod common;
mod document;
mod events;
mod hostile;
mod listeners;
mod metrics;
#[path = "../common/openapi.rs"]
mod openapi;
mod rules;
mod world;
