//! Samples in: from a file, standard input, Linux IIO or the simulated wearer; decoded and paced.
//!
//! A [`Source`] yields raw readings one at a time; [`gaitd_core::stream::Continuity`] stands behind every one.

#![forbid(unsafe_code)]

mod column;
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
pub mod wearer;
mod writer;

use gaitd_core::stream::{Reading, Sample};

pub use error::SenseError;
pub use pace::{Pace, Pacer};
pub use recording::Recording;
pub use text::{TextFormat, TextSource};
pub use writer::TextWriter;

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
