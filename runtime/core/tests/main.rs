//! Conditioning, continuity and control against their references, and the engine on a fake network.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cascade;
mod changes;
mod conditioning;
mod continuity;
mod control;
mod decode;
mod engine;
mod heads;
mod plausibility;
mod timing;
