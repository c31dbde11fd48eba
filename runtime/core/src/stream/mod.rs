//! A stream: samples in time order from one wearer, made continuous.
//!
//! [`Continuity`] stands behind every source of samples and settles by one rule what happens to gaps, samples out of
//! order, values that are not finite and samples that are not evenly taken, so that nothing behind it ever sees one:
//! what it hands on lies on the even grid of the ladder's rate.

pub mod continuity;
mod evidence;
mod grid;
mod interpolator;
mod kernel;
mod sensor_clock;
pub mod unit;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use continuity::{BridgeError, Continuity, Step, StreamCounts};

/// One sensor channel: its name and the unit of its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Name, unique within a stream, such as `acc_x`.
    pub name: String,
    /// Unit as written in manifests and stream headers: `g`, `m/s2`, `rad/s`, `deg/s`; `1` for values without one.
    pub unit: String,
}

/// What a network (or its conditioning) expects of a stream: the channels in order and the sample rate.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamFormat {
    /// Channels in the order in which a [`Sample`] holds their values.
    pub channels: Vec<Channel>,
    /// Nominal sample rate in hertz.
    pub rate_hz: f64,
}

/// One reading of all sensor channels at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Seconds on the stream's own clock, where the stream has timestamps.
    pub time_s: Option<f64>,
    /// One value per channel of the [`StreamFormat`], in its order and units.
    pub values: Vec<f64>,
}

/// What a source of samples yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The caller's [`Sample`] was filled.
    Sample,
    /// One reading could not be understood and is counted as missing; the text says what was wrong and where.
    Malformed(String),
    /// The stream was interrupted: what follows does not go on from what came before.
    Interrupted,
    /// Nothing came by the deadline of the call; the stream goes on with the next one.
    Pending,
    /// The stream is over.
    End,
}
