//! One rule for gaps, samples out of order and values that cannot be used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stream::{Reading, Sample, StreamFormat};

/// Values beyond this, in the channel's unit, are no measurement. No sensor of motion comes near it, and filters,
/// differences and float32 all stay finite below it.
pub const LARGEST_VALUE: f64 = 1e6;

/// Default of the longest stretch of missing samples that is bridged, in seconds.
pub const DEFAULT_BRIDGE_S: f64 = 0.1;

/// An interval of more periods than this between two timestamps means that samples are missing.
const LONGEST_INTERVAL: f64 = 1.5;

/// When timestamps stay behind for so long, in seconds, the stream's clock was set back.
const CLOCK_SET_BACK_S: f64 = 1.0;

/// The longest stretch to be bridged is not a sensible time.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("bridge_s is {0}, but must be between 0 and 1 (seconds)")]
pub struct BridgeError(pub f64);

/// What a stream consisted of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StreamCounts {
    /// Good samples that were passed on.
    pub samples: u64,
    /// Samples that were missing and were filled in by interpolation.
    pub bridged: u64,
    /// Readings that could not be understood.
    pub malformed: u64,
    /// Samples with a value that is not finite or beyond [`LARGEST_VALUE`].
    pub non_finite: u64,
    /// Samples that were dropped because they were not later than the one before.
    pub out_of_order: u64,
    /// Stretches of missing samples that were too long to be bridged.
    pub gaps: u64,
    /// Fresh starts: one for each gap, and one each time the stream's clock was set back.
    pub resets: u64,
}

/// What comes out of [`Continuity`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step<'a> {
    /// What follows does not continue what was before: conditioning and windowing start afresh.
    Reset {
        /// Number of the sample that follows.
        next: u64,
    },
    /// The next sample, one period after the one before.
    Sample {
        /// Number of the sample in the stream, from 0; bridged samples count.
        number: u64,
        /// The sample; all values are finite and within [`LARGEST_VALUE`].
        sample: &'a Sample,
        /// Whether it was missing and is interpolated.
        bridged: bool,
    },
}

/// Makes a stream continuous. It stands behind every source:
///
/// - A malformed reading, and a sample with a value that is not finite or beyond [`LARGEST_VALUE`], count as missing.
/// - Where samples have timestamps, an interval of more than 1.5 periods means round(interval / period) - 1 missing
///   samples, and the timestamps alone decide; shorter intervals are jitter. Without timestamps the samples that
///   counted as missing are the missing ones.
/// - When the next good sample arrives, up to `bridge_s` of missing samples are filled in by linear interpolation.
///   More are a gap: a [`Step::Reset`] goes before the sample. (Before the first good sample nothing is missing.)
/// - A sample that is not later than the one before is dropped as out of order. Once more than a second's worth of
///   samples in a row was, the stream's clock was set back: a [`Step::Reset`], and the stream goes on from there.
///
/// ```
/// use gaitd_core::stream::{Channel, Continuity, Reading, Sample, Step, StreamFormat};
///
/// let format = StreamFormat { channels: vec![Channel { name: "acc_x".into(), unit: "g".into() }], rate_hz: 50.0 };
/// let mut continuity = Continuity::new(&format, 0.1)?;
/// let mut passed = Vec::new();
/// for (time_s, value) in [(0.0, 1.0), (0.04, 2.0), (1.0, 3.0)] {
///     let sample = Sample { time_s: Some(time_s), values: vec![value] };
///     continuity.push(&Reading::Sample, &sample, |step| match step {
///         Step::Reset { next } => passed.push(format!("reset before {next}")),
///         Step::Sample { sample, .. } => passed.push(sample.values[0].to_string()),
///     });
/// }
/// assert_eq!(passed, ["1", "1.5", "2", "reset before 3", "3"]);
/// # Ok::<(), gaitd_core::stream::BridgeError>(())
/// ```
#[derive(Debug)]
pub struct Continuity {
    period_s: f64,
    bridge: u64,
    patience: u64,
    /// The sample passed on last, once there is one.
    last: Sample,
    started: bool,
    next: u64,
    /// Readings since `last` that count as missing.
    missing: u64,
    /// Samples in a row that were out of order.
    behind: u64,
    bridging: Sample,
    counts: StreamCounts,
}

impl Continuity {
    /// For a stream in this format, bridging up to `bridge_s` seconds (0 to 1) of missing samples.
    ///
    /// # Errors
    /// When `bridge_s` is not between 0 and 1.
    pub fn new(format: &StreamFormat, bridge_s: f64) -> Result<Self, BridgeError> {
        if !(0.0..=1.0).contains(&bridge_s) {
            return Err(BridgeError(bridge_s));
        }
        let blank = Sample { time_s: None, values: vec![0.0; format.channels.len()] };
        Ok(Self {
            period_s: format.rate_hz.recip(),
            // 0.1 s at 50 Hz are 5 samples, and not 4 because 0.1 is a little less than a tenth
            bridge: (bridge_s * format.rate_hz + 1e-6) as u64,
            patience: (CLOCK_SET_BACK_S * format.rate_hz) as u64,
            last: blank.clone(),
            started: false,
            next: 0,
            missing: 0,
            behind: 0,
            bridging: blank,
            counts: StreamCounts::default(),
        })
    }

    /// What the stream consisted of so far.
    #[must_use]
    pub fn counts(&self) -> StreamCounts {
        self.counts
    }

    /// Takes what the read of a source gave and the sample that it filled, and hands on what
    /// follows from it: nothing, or one sample, with a reset or bridged samples before it.
    ///
    /// # Panics
    /// When the sample has not one value per channel.
    pub fn push(&mut self, reading: &Reading, sample: &Sample, mut each: impl FnMut(Step<'_>)) {
        match reading {
            Reading::End | Reading::Pending => return,
            Reading::Interrupted => {
                if self.started {
                    self.counts.gaps += 1;
                    self.reset(&mut each);
                    (self.started, self.missing, self.behind) = (false, 0, 0);
                }
                return;
            }
            Reading::Malformed(_) => {
                self.counts.malformed += 1;
                self.missing += 1;
                return;
            }
            Reading::Sample => {}
        }
        // the comparison is false for NaN as well
        if !sample.values.iter().all(|value| value.abs() <= LARGEST_VALUE) {
            self.counts.non_finite += 1;
            self.missing += 1;
            return;
        }
        if self.started {
            match self.missing_before(sample) {
                Some(0) => {}
                Some(missing) if missing <= self.bridge => self.bridge_to(sample, missing, &mut each),
                Some(_) => {
                    self.counts.gaps += 1;
                    self.reset(&mut each);
                }
                None => {
                    self.counts.out_of_order += 1;
                    self.behind += 1;
                    if self.behind <= self.patience {
                        return;
                    }
                    // this one is not dropped after all
                    self.counts.out_of_order -= 1;
                    self.reset(&mut each);
                }
            }
        }
        self.started = true;
        self.missing = 0;
        self.behind = 0;
        // `clone_from` would allocate
        self.last.time_s = sample.time_s;
        self.last.values.copy_from_slice(&sample.values);
        self.counts.samples += 1;
        each(Step::Sample { number: self.next, sample, bridged: false });
        self.next += 1;
    }

    /// How many samples are missing between the last one and this; nothing if this one is not later.
    fn missing_before(&self, sample: &Sample) -> Option<u64> {
        let Some(interval) = sample.time_s.zip(self.last.time_s).map(|(now, last)| now - last) else {
            return Some(self.missing);
        };
        if interval > LONGEST_INTERVAL * self.period_s {
            // at least 1, because of how the test was rounded; the conversion saturates
            Some(((interval / self.period_s).round() - 1.0).max(1.0) as u64)
        } else {
            (interval > 0.0).then_some(0)
        }
    }

    fn bridge_to(&mut self, sample: &Sample, missing: u64, each: &mut impl FnMut(Step<'_>)) {
        for step in 1..=missing {
            let share = step as f64 / (missing + 1) as f64;
            let between = |last: f64, now: f64| last + (now - last) * share;
            for ((value, &last), &now) in self.bridging.values.iter_mut().zip(&self.last.values).zip(&sample.values) {
                *value = between(last, now);
            }
            self.bridging.time_s = self.last.time_s.zip(sample.time_s).map(|(last, now)| between(last, now));
            self.counts.bridged += 1;
            each(Step::Sample { number: self.next, sample: &self.bridging, bridged: true });
            self.next += 1;
        }
    }

    fn reset(&mut self, each: &mut impl FnMut(Step<'_>)) {
        self.counts.resets += 1;
        each(Step::Reset { next: self.next });
    }
}
