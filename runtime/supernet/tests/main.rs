//! The shipped ladders, and networks made up, on every set of kernels that this processor has.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;
mod halves;
mod ladders;
mod runners;
