//! Conditioning and control against their references.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conditioning;
mod control;
