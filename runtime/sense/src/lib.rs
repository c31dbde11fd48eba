//! Samples in: from a file, standard input, Linux IIO or the simulated wearer; decoded and paced.
//!
//! A [`Source`] yields raw readings one at a time, and never keeps its caller beyond a deadline:
//! [`gaitd_core::stream::Continuity`] stands behind every one.
//!
//! - [`TextSource`]: CSV or NDJSON from a file, a pipe, standard input or memory. [`TextWriter`] writes the same.
//! - [`JoinedSource`]: several such texts, each with some of the sensors, on one clock.
//! - [`Mounted`]: any source, its sensors turned by a mount matrix.
//! - [`Limited`]: any source, its first so many seconds.
//! - [`wearer::WearerSource`]: a simulated wearer, for tests and for a first look.
//! - `iio::Capture`: a motion sensor that the Linux kernel has a driver for.
//! - [`Recording`]: a whole labelled recording in memory.
//!
//! ```
//! use std::sync::Arc;
//!
//! use gaitd_core::clock::MonotonicClock;
//! use gaitd_core::stream::{Channel, Reading, Sample, StreamFormat};
//! use gaitd_sense::{NO_DEADLINE, Pace, SenseError, Source, TextSource};
//!
//! let csv = b"t,acc_x [m/s2]\n0.00,9.80665\n0.02,oops\n0.04,19.6133\n";
//! // what the model wants: one channel in g, at 50 Hz
//! let channels = vec![Channel { name: "acc_x".into(), unit: "g".into() }];
//! let expected = StreamFormat { channels, rate_hz: 50.0 };
//! let clock = Arc::new(MonotonicClock::start());
//! let mut source = TextSource::new(&csv[..], "a.csv".into(), &expected, None, Pace::Fast, clock);
//!
//! let mut sample = Sample { time_s: None, values: vec![0.0] };
//! let mut accelerations = Vec::new();
//! loop {
//!     match source.read(&mut sample, NO_DEADLINE)? {
//!         Reading::Sample => accelerations.push(sample.values[0]),
//!         Reading::Malformed(problem) => assert_eq!(problem, "a.csv, line 3: field 2 is not a number: oops"),
//!         Reading::Interrupted | Reading::Pending => {}
//!         Reading::End => break,
//!     }
//! }
//! assert_eq!(accelerations, [1.0, 2.0]);
//! # Ok::<(), SenseError>(())
//! ```

#![forbid(unsafe_code)]

mod assembly;
mod bytes;
mod column;
mod csv;
mod decoder;
mod error;
mod fields;
mod files;
#[cfg(target_os = "linux")]
pub mod iio;
pub mod import;
mod joined;
mod layout;
mod limited;
mod lines;
mod merge;
mod mount;
mod name;
mod ndjson;
mod near;
mod number;
mod pace;
mod place;
mod rate;
mod recording;
mod recording_file;
mod rising;
mod row;
mod spelling;
pub mod survey;
mod tags;
mod text;
mod time;
mod wanted;
pub mod wearer;
mod writer;

use std::time::Duration;

use gaitd_core::stream::{Reading, Sample};

pub use error::SenseError;
pub use files::{open_file, same_file};
pub use joined::{JoinedSource, MOST_PARTS};
pub use layout::{ChannelColumn, TextLayout, TimeColumn};
pub use limited::Limited;
pub use mount::{Mount, Mounted};
pub use pace::{Pace, Pacer};
pub use recording::Recording;
pub use recording_file::{
    FORM, LONGEST_STEP, RecordingInfo, RecordingPaths, RecordingWriter, SourceInfo, VERSION, WriteError,
};
pub use spelling::{HeaderMemory, Spelling};
pub use tags::TagColumns;
pub use text::{TextFormat, TextSource};
pub use writer::TextWriter;

/// The deadline of a caller that waits for as long as it takes.
pub const NO_DEADLINE: Duration = Duration::MAX;

/// Where samples come from.
pub trait Source: Send {
    /// Reads the next sample into `sample` (whose `values` has one place per channel), waiting for it where the
    /// source is paced or live, but not beyond `deadline` by the clock that the source was made with:
    /// [`Reading::Pending`] says that nothing came by then, and leaves no meaning in `sample`. Nothing is lost by a
    /// deadline, however short: what is read is the same for any.
    ///
    /// # Errors
    /// When the source itself fails (a read error, a stream in another rate or with other channels). A reading that
    /// cannot be understood is not an error but [`Reading::Malformed`].
    fn read(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError>;

    /// The source whose samples this one passes on; what it is asked below is what that one says.
    fn inner(&self) -> Option<&dyn Source> {
        None
    }

    /// The activity that the source states for the sample read last; nothing where it knows of none.
    fn label(&self) -> Option<&str> {
        self.inner()?.label()
    }

    /// Whoever wears the sensor by the source, for the sample read last; nothing where it does not say.
    fn subject(&self) -> Option<&str> {
        self.inner()?.subject()
    }

    /// At what rate, in hertz, the sample that was read last is taken to have come, where it had no timestamp of its own and the
    /// stream declares a rate; nothing where the rate is the expected one, or the timestamps tell.
    fn untimed_hz(&self) -> Option<f64> {
        self.inner()?.untimed_hz()
    }
}
