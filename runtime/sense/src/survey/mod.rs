//! A first look at a text of samples, before it is read: columns, units, rate, gravity.

mod rest;
mod several;
mod stamps;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::stream::continuity::LARGEST_VALUE;
use gaitd_core::stream::{Channel, Reading, Sample, StreamFormat};

use super::name::{Meaning, Name, Sensor};
use crate::{NO_DEADLINE, Pace, SenseError, Source, Spelling, TagColumns, TextLayout, TextSource, rate};

pub use rest::AtRest;
pub(crate) use several::{Seen, empty, missing, names};
pub use stamps::nominal_hz;

/// The rate at which the units of times are told apart, in hertz; what comes at another one is understood as well.
const USUAL_HZ: f64 = 50.0;
/// So many rows at most are looked at.
const MOST_ROWS: u64 = 20_000;
/// A look ends after so many seconds of the stream.
const LONG_S: f64 = 120.0;

/// What the caller knows of a text.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Names and units.
    pub spelling: Spelling,
    /// Columns of the activity and the wearer.
    pub tags: TagColumns,
    /// Axes of which nothing says of which sensor are the accelerometer's.
    pub(crate) bare_acceleration: bool,
}

impl Known {
    /// These names and units, and these columns.
    #[must_use]
    pub fn new(spelling: Spelling, tags: TagColumns) -> Self {
        Self { spelling, tags, bare_acceleration: false }
    }

    /// Opens the text at `path`.
    pub(crate) fn open(
        &self,
        path: &Path,
        format: &StreamFormat,
        pace: Pace,
        clock: Arc<dyn Clock>,
    ) -> Result<TextSource<BufReader<Arc<File>>>, SenseError> {
        let source = TextSource::open(path, format, None, pace, clock)?;
        let source = source.spelled(self.spelling.clone()).tagged(self.tags.clone());
        Ok(if self.bare_acceleration { source.with_bare_acceleration() } else { source })
    }
}

/// What the first two minutes of a text are.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What its columns were read as.
    pub layout: TextLayout,
    /// The rate that it declares, in hertz.
    pub declared_hz: Option<f64>,
    /// The rate by its time column, in hertz.
    pub rate_hz: Option<f64>,
    /// The accelerometer at rest, in the unit that is expected where the text states another or none.
    pub at_rest: Option<AtRest>,
    /// Rows that were looked at.
    pub rows: u64,
    /// Channels of which there was no value at all.
    pub absent: Vec<usize>,
}

impl Survey {
    /// Looks at the text at `path`, in which `channels` are expected, at whatever rate.
    ///
    /// # Errors
    /// When the text cannot be opened or read, or lacks channels.
    pub fn of(path: &Path, channels: &[Channel], known: &Known) -> Result<Self, SenseError> {
        let format = StreamFormat { channels: channels.to_vec(), rate_hz: USUAL_HZ };
        let mut source = known.open(path, &format, Pace::Fast, Arc::new(MonotonicClock::start()))?.surveyed();
        let mut sample = Sample { time_s: None, values: vec![f64::NAN; channels.len()] };
        let acceleration = axes(channels, Sensor::Acceleration).or_else(|| axes(channels, Sensor::Gravity));
        let (mut stamps, mut rest) = (stamps::Stamps::default(), rest::Rest::default());
        let (mut rows, mut first_s, mut absent) = (0, None, vec![true; channels.len()]);
        while rows < MOST_ROWS {
            match source.read(&mut sample, NO_DEADLINE)? {
                Reading::End => break,
                Reading::Sample => {}
                Reading::Malformed(_) => {
                    rows += 1;
                    continue;
                }
                Reading::Pending | Reading::Interrupted => continue,
            }
            rows += 1;
            for (absent, value) in absent.iter_mut().zip(&sample.values) {
                *absent &= !value.is_finite();
            }
            if let Some([x, y, z]) = acceleration {
                let usable = |axis: usize| Some(sample.values[axis]).filter(|value| value.abs() <= LARGEST_VALUE);
                let values = [x, y, z].map(|axis| usable(axis).unwrap_or(f64::NAN));
                rest.observe(sample.time_s, values);
            }
            if let Some(time_s) = sample.time_s {
                stamps.observe(time_s);
                if time_s - *first_s.get_or_insert(time_s) > LONG_S {
                    break;
                }
            }
        }
        let layout = source.layout().unwrap_or_default();
        // the times of a stream that declares its rate are its own invention
        let rate_hz = stamps.rate_hz().filter(|_| layout.time.is_some());
        let absent = (0..channels.len()).filter(|&index| rows > 0 && absent[index]).collect();
        Ok(Self { rate_hz, declared_hz: source.declared_hz(), at_rest: rest.at_rest(), layout, rows, absent })
    }
}

/// Whether samples at `found_hz` can be brought to `wanted_hz`: there are 0.8 to 20 times as many.
#[must_use]
pub fn fits(found_hz: f64, wanted_hz: f64) -> bool {
    rate::fits(found_hz, wanted_hz)
}

/// The places of the three axes of a sensor.
fn axes(channels: &[Channel], sensor: Sensor) -> Option<[usize; 3]> {
    let of = |wanted: usize| {
        let is = |channel: &Channel| matches!(Name::new(&channel.name).meaning, Meaning::Axis(of, axis, _) if (of, axis) == (sensor, wanted));
        channels.iter().position(is)
    };
    Some([of(0)?, of(1)?, of(2)?])
}
