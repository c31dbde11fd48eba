//! The shipped ladders on tract: their golden vectors.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;
