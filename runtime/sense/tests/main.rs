//! Samples from text and from drivers, on the way to windows.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod allocations;
mod iio;
mod joined;
mod recordings;
mod sensing;
mod spelling;
