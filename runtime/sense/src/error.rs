//! What can be wrong with a source of samples.

use std::io;
use std::path::PathBuf;

use gaitd_core::exit::{self, ExitCode};
use gaitd_core::stream::unit;
use gaitd_core::window::Shortfall;

/// Why a source cannot be read (on). Every message says what was wrong, where, and what to do, with what
/// the system said, which is not exposed as a source.
#[derive(Debug, thiserror::Error)]
pub enum SenseError {
    /// The file cannot be opened.
    #[error("cannot open {}: {error}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// Reading failed.
    #[error("cannot read on after {place}: {error}")]
    Read {
        /// Source and last line that was read.
        place: String,
        /// What the operating system said.
        error: io::Error,
    },
    /// There is nothing to read.
    #[error("{origin} is empty; expected a CSV header, or one JSON object per line, with the channels {expected}")]
    Empty {
        /// The source.
        origin: String,
        /// Channels that were looked for.
        expected: String,
    },
    /// Nothing in the first lines could be understood, or the stream ended before anything could be.
    #[error(
        "{origin} does not look like CSV or NDJSON samples: none of its first {lines} lines could be used{}; expected \
         a CSV header, or one JSON object per line, with the channels {expected}",
        first.as_ref().map(|first| format!(" ({first})")).unwrap_or_default()
    )]
    NotSamples {
        /// The source.
        origin: String,
        /// Lines that were looked at.
        lines: u64,
        /// What was wrong with the first of them, where it was not empty.
        first: Option<String>,
        /// Channels that were looked for.
        expected: String,
    },
    /// The stream lacks channels.
    #[error(
        "{place}: missing {missing}; found {found}; {near}name the missing {} in the stream, or by --columns \
         (`source.columns`), or use a model that does without",
        if missing.contains(',') { "channels" } else { "channel" }
    )]
    MissingChannels {
        /// Source and line.
        place: String,
        /// Names that are missing.
        missing: String,
        /// Names that were found.
        found: String,
        /// What came near, each followed by a semicolon and a blank; most often nothing.
        near: String,
    },
    /// A channel, the time or the label is there twice.
    #[error("{place}: `{channel:.40}` is there twice, or two columns of that kind are; leave one of them out")]
    Duplicate {
        /// Source and line.
        place: String,
        /// Name of the second one.
        channel: String,
    },
    /// A channel comes in a unit that cannot be converted.
    #[error(
        "{place}: `{channel:.40}` is in {found:.40}, but {expected} is expected and there is no conversion{}; write the stream \
         in {expected}, or correct its unit, in the stream or by --units (`source.units`)",
        if unit::quantity(expected).is_some() { format!(" (known are {})", unit::KNOWN) } else { String::new() }
    )]
    Unit {
        /// Source and line.
        place: String,
        /// Name of the channel.
        channel: String,
        /// Unit that the stream states.
        found: String,
        /// Unit that the model expects.
        expected: String,
    },
    /// What the stream says about itself cannot be understood.
    #[error("{place}: {problem}")]
    Header {
        /// Source and line.
        place: String,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// The stream has another sample rate.
    #[error(
        "{place}: the stream has {found_hz:.2} samples per second by its {by}, but the model expects {expected_hz:.2}, to which \
         0.8 to 20 times as many can be brought; sample at such a rate, or use a model for this one"
    )]
    Rate {
        /// Source and line.
        place: String,
        /// Rate of the stream in hertz.
        found_hz: f64,
        /// Rate that is expected, in hertz.
        expected_hz: f64,
        /// How the rate is known: `declaration` or `timestamps`.
        by: &'static str,
    },
    /// Streams that cannot be put together.
    #[error("cannot put {names} together: {problem}")]
    Apart {
        /// All of them.
        names: String,
        /// What keeps them apart, and what to do.
        problem: String,
    },
    /// There is nothing that a mount matrix could turn.
    #[error(
        "a mount matrix (--mount-matrix, `source.mount_matrix`) turns sensors with the axes x, y and z, and the model reads \
         none: its channels are {channels}; leave it out"
    )]
    Mount {
        /// The model's channels.
        channels: String,
    },
    /// The stream has ended without a window.
    #[error("{origin}: there is no answer, since no window came of it: {shortfall}")]
    NoWindow {
        /// The source.
        origin: String,
        /// Why none did.
        shortfall: Box<Shortfall>,
    },
    /// The stream has ended, and all of its windows were held back.
    #[error(
        "{origin}: there is no answer, since {} held back: {why}",
        if *windows == 1 { "its one window was".to_owned() } else { format!("all of its {windows} windows were") }
    )]
    Implausible {
        /// The source.
        origin: String,
        /// How many windows there were.
        windows: u64,
        /// What is wrong with its sensors.
        why: String,
    },
    /// A sensor of the kernel's.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Iio(#[from] crate::iio::IioError),
    /// The longest stretch to be bridged is not a sensible time.
    #[error(transparent)]
    Bridge(#[from] gaitd_core::stream::BridgeError),
}

impl ExitCode for SenseError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Open { .. } => exit::NO_INPUT,
            Self::Read { .. } => exit::IO,
            Self::Mount { .. } => exit::CONFIG,
            #[cfg(target_os = "linux")]
            Self::Iio(error) => error.exit_code(),
            _ => exit::DATA,
        }
    }
}
