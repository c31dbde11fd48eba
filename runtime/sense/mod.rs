//! Samples in: from a file, standard input, Linux IIO or the simulated wearer; decoded, paced, and made continuous.
//!
//! A [`Source`] yields raw readings one at a time. [`Continuity`] stands behind every source and settles by one rule
//! what happens to gaps, samples out of order and values that are not finite, so that nothing behind it ever sees one.

pub mod clock;
mod column;
pub mod continuity;
mod csv;
mod error;
#[cfg(target_os = "linux")]
pub mod iio;
mod lines;
mod ndjson;
mod pace;
mod rate;
mod recording;
mod text;
pub(crate) mod unit;
pub mod wearer;
mod writer;

use serde::{Deserialize, Serialize};

pub use clock::{Clock, MonotonicClock};
pub use continuity::{Continuity, Step, StreamCounts};
pub use error::SenseError;
pub use pace::{Pace, Pacer};
pub use recording::Recording;
pub use text::{TextFormat, TextSource};
pub use writer::TextWriter;

/// One sensor channel: its name and the unit of its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Name, unique within a stream, such as `acc_x`.
    pub name: String,
    /// Unit as written in manifests and stream headers: `g`, `m/s2`, `rad/s`, `deg/s`.
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

/// What a [`Source`] yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The caller's [`Sample`] was filled.
    Sample,
    /// One reading could not be understood and is counted as missing; the text says what was wrong and where.
    Malformed(String),
    /// The stream was interrupted: what follows does not go on from what came before.
    Interrupted,
    /// The stream is over.
    End,
}

/// Where samples come from.
pub trait Source: Send {
    /// Reads the next sample into `sample` (whose `values` has one place per channel), waiting for it where the
    /// source is paced or live.
    ///
    /// # Errors
    /// When the source itself fails (a read error, a stream in another rate or with other channels). A reading that
    /// cannot be understood is not an error but [`Reading::Malformed`].
    fn read(&mut self, sample: &mut Sample) -> Result<Reading, SenseError>;
}
