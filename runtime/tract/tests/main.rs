//! The shipped ladders on tract: their golden vectors, and the engine with a whole ladder.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod engine;
mod golden;
