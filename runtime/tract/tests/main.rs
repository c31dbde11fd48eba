//! The shipped ladders on tract, and networks of others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod foreign;
mod golden;
