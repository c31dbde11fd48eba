//! One rule for gaps, samples out of order and values that cannot be used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::Place;
use super::grid::Grid;
use super::kernel;
use super::sensor_clock::{SensorClock, Verdict};
use crate::stream::{Reading, Sample, StreamFormat};

/// Values beyond this, in the channel's unit, are no measurement. No sensor of motion comes near it, and filters,
/// differences and float32 all stay finite below it.
pub const LARGEST_VALUE: f64 = 1e6;

/// Default of the longest stretch of missing samples that is bridged, in seconds.
pub const DEFAULT_BRIDGE_S: f64 = 0.1;

/// An interval of more periods than this between two timestamps means that samples are missing. Shorter ones are jitter.
const LONGEST_INTERVAL: f64 = 1.75;

/// When samples are missing before more than so many in a row, the sensor's rate has fallen.
const SEVERAL: u32 = 5;

/// Intervals shorter than this, in periods, before a pause are those of a burst.
const BURST: f64 = 0.25;

/// A counter that began again goes on from zero, and from what it had before, within so many periods.
const BEGUN_AGAIN: f64 = 5.0;

/// Counters of 32 bits that count milliseconds, microseconds and nanoseconds begin again after so many seconds.
const WRAPS_S: [f64; 3] = [4_294_967.296, 4_294.967_296, 4.294_967_296];

/// Whether every value is one that can be used.
#[must_use]
pub fn is_measured(sample: &Sample) -> bool {
    // the comparison is false for NaN as well
    sample.values.iter().all(|value| value.abs() <= LARGEST_VALUE)
}

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
    /// Samples that were dropped because they were not later than the one before, or because they were there twice.
    pub out_of_order: u64,
    /// Samples that were dropped because of a timestamp far ahead of those before and after it.
    #[serde(default)]
    pub astray: u64,
    /// Samples that were not taken when their timestamps say, but evenly, as all samples together show.
    #[serde(default)]
    pub moved: u64,
    /// Samples that were computed from those around them, since none was taken at their time.
    #[serde(default)]
    pub resampled: u64,
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
    /// The next sample of the grid, one period after the one before.
    Sample {
        /// Number of the sample in the stream, from 0; bridged samples count.
        number: u64,
        /// The sample; all values are finite and within [`LARGEST_VALUE`].
        sample: &'a Sample,
        /// Whether it was missing and is interpolated.
        bridged: bool,
    },
}

/// Makes a stream continuous, and even: what comes out lies on a grid of the ladder's rate. It stands behind every source:
///
/// - A malformed reading, and a sample with a value that is not finite or beyond [`LARGEST_VALUE`], count as missing.
/// - **Honest stamps.** Samples whose timestamps lie within their own resolution, or 2 % of a period, of a straight line at
///   the ladder's rate (by 0.1 %) pass as they are. So do samples without timestamps.
/// - **All others** are put onto the grid by a low-pass that looks 3 periods ahead (60 ms at 50 Hz): faster and slower ones,
///   jitter, bursts, packets that share a timestamp. After 5 s of honest stamps the grid has come back to the samples.
/// - **Which times hold.** Samples may have been taken at the times that uneven stamps say, or evenly. Both are tried: the
///   one under which each sample lies nearer to the line between its neighbours, over about two seconds, is the truth. Where
///   several samples share a stamp, they were taken evenly.
/// - **Missing samples.** An interval of more than 1.75 periods (of the sensor) holds as many missing samples as the number of
///   samples so far does not explain. Without timestamps the samples that counted as missing are the missing ones. Up to
///   `bridge_s` of them are filled in by linear interpolation; more are a gap: a [`Step::Reset`] goes before the sample.
///   (Before the first good sample nothing is missing.)
/// - **One wild stamp** costs one sample: the first one after a gap waits for the next, and is dropped if that goes on from
///   what was before.
/// - **Late samples** are dropped, up to `bridge_s` of them in a row. More, and the stream's clock was set back: a
///   [`Step::Reset`], and the stream goes on from there. A counter of 32 bits that begins again is followed.
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
/// // what comes after a gap waits for the next sample
/// continuity.push(&Reading::End, &Sample { time_s: None, values: vec![0.0] }, |step| {
///     if let Step::Sample { sample, .. } = step {
///         passed.push(sample.values[0].to_string());
///     }
/// });
/// assert_eq!(passed, ["1", "1.5", "2", "3"]);
/// # Ok::<(), gaitd_core::stream::BridgeError>(())
/// ```
#[derive(Debug)]
pub struct Continuity {
    period_s: f64,
    rate_hz: f64,
    bridge: u64,
    /// The time of the sample accepted last, once there is one.
    last_s: Option<f64>,
    started: bool,
    /// Timestamp of the first sample since the last fresh start.
    origin_s: f64,
    /// What the stream's own counter lacks since it began again.
    wrapped_s: f64,
    clock: SensorClock,
    /// Periods from the sample before the last one to that.
    step: f64,
    /// Samples in a row before which others were missing, and those of the missing ones that may turn out to be none.
    thinned: u32,
    doubtful: u64,
    grid: Grid,
    /// The samples of late have passed as they are, which `clock` has not seen.
    passed: bool,
    /// Readings since `last` that count as missing.
    missing: u64,
    /// Samples in a row that were late.
    behind: u64,
    /// A sample after a gap, which the next one may prove to be astray.
    suspect: Sample,
    suspecting: bool,
    counts: StreamCounts,
}

/// How a sample goes on from the one before.
enum Following {
    /// After so many missing samples.
    Missing(u64),
    /// After more of them than can be bridged.
    Gap,
    /// It is earlier.
    Late,
    /// It is the same.
    Twice,
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
            rate_hz: format.rate_hz,
            // 0.1 s at 50 Hz are 5 samples, and not 4 because 0.1 is a little less than a tenth
            bridge: (bridge_s * format.rate_hz + 1e-6) as u64,
            last_s: None,
            started: false,
            origin_s: 0.0,
            wrapped_s: 0.0,
            clock: SensorClock::new(),
            step: 1.0,
            thinned: 0,
            doubtful: 0,
            grid: Grid::new(format),
            passed: false,
            missing: 0,
            behind: 0,
            suspect: blank,
            suspecting: false,
            counts: StreamCounts::default(),
        })
    }

    /// From one sample that is handed on to the next, in seconds.
    #[must_use]
    pub fn period_s(&self) -> f64 {
        self.period_s
    }

    /// By how much what is handed on is behind the newest sample at present, in seconds: nothing while samples pass as they
    /// are.
    #[must_use]
    pub fn delay_s(&self) -> f64 {
        if self.grid.is_passing() { 0.0 } else { kernel::AHEAD * self.period_s }
    }

    /// What the stream consisted of so far.
    #[must_use]
    pub fn counts(&self) -> StreamCounts {
        self.counts
    }

    /// Takes what the read of a source gave and the sample that it filled, and hands on what follows from it: nothing, or
    /// samples, with a reset before them.
    ///
    /// # Panics
    /// When the sample has not one value per channel.
    pub fn push(&mut self, reading: &Reading, sample: &Sample, mut each: impl FnMut(Step<'_>)) {
        let each = &mut each;
        match reading {
            Reading::Pending => {}
            Reading::End => {
                self.clear_suspect(each);
                self.finish(each);
            }
            Reading::Interrupted => {
                self.clear_suspect(each);
                if self.started {
                    self.counts.gaps += 1;
                    self.reset(each);
                    (self.started, self.missing, self.behind) = (false, 0, 0);
                }
            }
            Reading::Malformed(_) => {
                self.counts.malformed += 1;
                self.missing += 1;
            }
            Reading::Sample if is_measured(sample) => {
                if !self.started {
                    self.begin(sample, each);
                } else if !self.pass(sample, each) {
                    self.follow(sample, each);
                }
            }
            Reading::Sample => {
                self.counts.non_finite += 1;
                self.missing += 1;
            }
        }
    }

    /// Starts afresh with `sample`.
    fn begin(&mut self, sample: &Sample, each: &mut impl FnMut(Step<'_>)) {
        self.started = true;
        self.origin_s = sample.time_s.unwrap_or_default() + self.wrapped_s;
        self.clock.restart();
        self.passed = false;
        (self.step, self.thinned, self.doubtful) = (1.0, 0, 0);
        self.grid.begin(self.origin_s, sample, each);
        self.accepted(sample);
    }

    /// Hands on `sample` as it is, where the stream has long been honest and it is no exception: the most common case, and all
    /// that it costs. False where that is not so.
    #[inline]
    fn pass(&mut self, sample: &Sample, each: &mut impl FnMut(Step<'_>)) -> bool {
        let exceptional = self.suspecting || self.missing + self.behind + u64::from(self.thinned) > 0;
        if exceptional || sample.time_s.is_some() != self.last_s.is_some() {
            return false;
        }
        let stamp = sample.time_s.map(|time_s| self.stamp(time_s));
        if !self.grid.pass(stamp, sample, each) {
            return false;
        }
        self.last_s = sample.time_s;
        self.counts.samples += 1;
        self.passed = true;
        true
    }

    /// Goes on with `sample`.
    #[inline(never)]
    fn follow(&mut self, sample: &Sample, each: &mut impl FnMut(Step<'_>)) {
        if std::mem::take(&mut self.passed) {
            // the clock has not seen them, and has the ladder's rate
            self.clock.restart_at(self.grid.last(), 1.0);
            self.step = 1.0;
        }
        let following = self.following(sample);
        if self.suspecting {
            if matches!(following, Following::Missing(_)) {
                self.suspecting = false;
                self.counts.astray += 1;
            } else {
                self.clear_suspect(each);
                return self.follow(sample, each);
            }
        }
        match following {
            Following::Missing(missing) => self.go_on(sample, missing, each),
            Following::Gap if sample.time_s.is_some() => {
                self.suspecting = true;
                copy(sample, &mut self.suspect);
            }
            Following::Gap => {
                self.counts.gaps += 1;
                self.reset(each);
                self.begin(sample, each);
            }
            Following::Late if self.behind < self.bridge.max(1) => {
                self.counts.out_of_order += 1;
                self.behind += 1;
            }
            Following::Late => {
                self.reset(each);
                self.begin(sample, each);
            }
            Following::Twice => self.counts.out_of_order += 1,
        }
    }

    /// How `sample` goes on from the last one.
    fn following(&mut self, sample: &Sample) -> Following {
        let Some((time_s, last_s)) = sample.time_s.zip(self.last_s) else {
            return if self.missing <= self.bridge { Following::Missing(self.missing) } else { Following::Gap };
        };
        if !time_s.is_finite() {
            return Following::Late;
        }
        let mut step = (time_s - last_s) / self.period_s;
        if step < 0.0 {
            // the last one's time is without what its counter lacked
            let soon = |seconds: f64| (0.0..=BEGUN_AGAIN).contains(&(seconds / self.period_s));
            if let Some(wrap_s) = WRAPS_S.iter().find(|wrap_s| soon(time_s) && soon(time_s + **wrap_s - last_s)) {
                self.wrapped_s += wrap_s;
                self.last_s = Some(last_s - wrap_s);
                step = (time_s + wrap_s - last_s) / self.period_s;
            }
        }
        let (late, period) = (self.clock.late(self.stamp(time_s), self.grid.is_even()), self.clock.period());
        if step > LONGEST_INTERVAL * period {
            // the conversion saturates
            let missing = (late / period).round().max(0.0) as u64;
            // only what comes in packets or bursts has long pauses that the number of samples explains
            if missing <= self.bridge && step > self.bridge as f64 + LONGEST_INTERVAL * period && !self.grid.is_even() {
                if self.step >= BURST * period {
                    return Following::Gap;
                }
                self.grid.place_evenly();
            }
            return if missing <= self.bridge { Following::Missing(missing) } else { Following::Gap };
        }
        if step > 0.0 {
            Following::Missing(0)
        } else if step == 0.0 && self.behind == 0 {
            // in packets, a sensor at rest may well read the same again
            let twice = !self.grid.is_even() && sample.values == self.grid.newest();
            if twice { Following::Twice } else { Following::Missing(0) }
        } else if self.grid.is_even() && late >= -(self.bridge as f64) {
            // a stamp that is noisy enough to be earlier
            Following::Missing(0)
        } else {
            Following::Late
        }
    }

    /// A timestamp in periods since the fresh start.
    fn stamp(&self, time_s: f64) -> f64 {
        (time_s + self.wrapped_s - self.origin_s) * self.rate_hz
    }

    /// Puts `sample` onto the grid, after `missing` others that are bridged.
    fn go_on(&mut self, sample: &Sample, missing: u64, each: &mut impl FnMut(Step<'_>)) {
        let untimed = self.grid.last() + 1.0 + missing as f64;
        if let (Some(time_s), None) = (sample.time_s, self.last_s) {
            self.origin_s = time_s + self.wrapped_s - untimed * self.period_s;
            self.grid.set_origin(self.origin_s);
        }
        let stamp = sample.time_s.map_or(untimed, |time_s| self.stamp(time_s));
        let shared = sample.time_s.is_some() && sample.time_s == self.last_s;
        if shared && !self.grid.is_even() {
            self.clock.begin_packets();
        }
        self.step = stamp - self.last_s.map_or(self.grid.last(), |time_s| self.stamp(time_s));
        self.thinned = if missing > 0 { self.thinned + 1 } else { 0 };
        let even = match self.clock.push(stamp, missing as f64) {
            Verdict::Broken(period) if self.grid.is_even() => {
                // what was placed by the old rate does not fit
                let mut clock = std::mem::replace(&mut self.clock, SensorClock::new());
                clock.restart_at(0.0, period);
                self.reset(each);
                self.begin(sample, each);
                self.clock = clock;
                return;
            }
            Verdict::Broken(period) => {
                self.clock.restart_at(stamp, period);
                stamp
            }
            Verdict::Taken(_) if self.thinned > SEVERAL && !self.grid.is_even() => {
                // where samples are missing one after the other, there are fewer
                self.thinned = 0;
                self.counts.resampled += std::mem::take(&mut self.doubtful);
                self.clock.restart_at(stamp, self.step);
                stamp
            }
            Verdict::Taken(even) => even,
        };
        let place = Place { stamp, even, shared, period: self.clock.period() };
        let bridged = self.counts.bridged;
        self.grid.push(&place, sample, missing, &mut self.counts, each);
        if self.thinned > 1 {
            self.doubtful += std::mem::replace(&mut self.counts.bridged, bridged) - bridged;
        } else {
            self.counts.bridged += std::mem::take(&mut self.doubtful);
        }
        self.accepted(sample);
    }

    fn accepted(&mut self, sample: &Sample) {
        self.missing = 0;
        self.behind = 0;
        self.last_s = sample.time_s;
        self.counts.samples += 1;
    }

    /// Begins with the sample that waits for its successor, which does not belong before it.
    fn clear_suspect(&mut self, each: &mut impl FnMut(Step<'_>)) {
        if std::mem::take(&mut self.suspecting) {
            self.counts.gaps += 1;
            self.reset(each);
            let blank = Sample { time_s: None, values: Vec::new() };
            let suspect = std::mem::replace(&mut self.suspect, blank);
            self.begin(&suspect, each);
            self.suspect = suspect;
        }
    }

    /// Hands on what is left, and settles what was in doubt.
    fn finish(&mut self, each: &mut impl FnMut(Step<'_>)) {
        self.grid.finish(&mut self.counts, each);
        self.counts.bridged += std::mem::take(&mut self.doubtful);
    }

    fn reset(&mut self, each: &mut impl FnMut(Step<'_>)) {
        self.finish(each);
        self.counts.resets += 1;
        each(Step::Reset { next: self.grid.next() });
    }
}

/// `clone_from` would allocate.
fn copy(sample: &Sample, to: &mut Sample) {
    to.time_s = sample.time_s;
    to.values.copy_from_slice(&sample.values);
}
