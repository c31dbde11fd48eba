//! The even grid of the ladder's rate, and how samples get onto it.

use super::evidence::{Evidence, Place};
use super::interpolator::Interpolator;
use super::{Sample, Step, StreamCounts, StreamFormat, kernel};

/// Stamps this far from a straight line, in periods, are on it.
const TOLERANCE: f64 = 0.02;

/// The most that a coarse resolution of the stamps may add to that, in periods.
const COARSEST: f64 = 0.25;

/// Resolutions of stamps that are looked for, in steps per second, the coarsest first.
const RESOLUTIONS: [f64; 2] = [100.0, 1000.0];

/// How far the rate may be from the ladder's, as a share, for samples to pass as they are, and for the grid to be moved
/// back to them.
const SAME_RATE: f64 = 0.001;

/// Honest samples in a row, in seconds, after which the grid goes back to the samples.
const TRUST_S: f64 = 5.0;

/// Samples in a row that have passed, after which nothing else is to be learned of them.
const SETTLED: u32 = 100;

/// Stamps no farther from the even time than this, as a share of the sensor's period, are scattered about it.
const SCATTERED: f64 = 0.75;

/// Hands on samples one period apart: the stream's own where they are, else what lies between them.
#[derive(Debug)]
pub(super) struct Grid {
    rate_hz: f64,
    origin_s: f64,
    samples: Interpolator,
    /// The samples are the grid.
    passing: bool,
    /// Samples are placed evenly, rather than where their stamps say.
    even: bool,
    /// Place of the newest sample.
    last: f64,
    /// The straight line of honest stamps at the newest sample, and how many have lain on it.
    level: f64,
    honest: u32,
    /// Place in [`RESOLUTIONS`]: the first that all stamps are multiples of.
    resolution: usize,
    /// How far stamps may be from the line, in periods.
    tolerance: f64,
    /// Next place of the grid, where the samples are not the grid.
    place: f64,
    evidence: Evidence,
    /// Number of the next sample of the grid.
    next: u64,
    out: Sample,
}

impl Grid {
    pub(super) fn new(format: &StreamFormat) -> Self {
        let channels = format.channels.len();
        Self {
            rate_hz: format.rate_hz,
            origin_s: 0.0,
            samples: Interpolator::new(channels),
            passing: true,
            even: false,
            last: 0.0,
            level: 0.0,
            honest: 0,
            resolution: 0,
            tolerance: 0.0,
            place: 0.0,
            evidence: Evidence::new(format.rate_hz, channels),
            next: 0,
            out: Sample { time_s: None, values: vec![0.0; channels] },
        }
    }

    /// Number of the next sample.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Place of the newest sample.
    pub(super) fn last(&self) -> f64 {
        self.last
    }

    /// Whether samples are the grid.
    pub(super) fn is_passing(&self) -> bool {
        self.passing
    }

    /// Whether samples are placed evenly, rather than where their stamps say.
    pub(super) fn is_even(&self) -> bool {
        self.even
    }

    /// From now on samples are placed evenly: they come in bursts.
    pub(super) fn place_evenly(&mut self) {
        self.even = true;
    }

    /// Place 0 is at this time of the stream, in seconds.
    pub(super) fn set_origin(&mut self, origin_s: f64) {
        self.origin_s = origin_s;
    }

    /// Starts afresh with `sample`, whose stamp is `origin_s` seconds.
    pub(super) fn begin(&mut self, origin_s: f64, sample: &Sample, each: &mut impl FnMut(Step<'_>)) {
        self.origin_s = origin_s;
        self.samples.clear();
        (self.passing, self.even) = (true, false);
        (self.last, self.level, self.honest, self.resolution) = (0.0, 0.0, 0, 0);
        self.tolerance = tolerance(0, self.rate_hz);
        self.evidence.clear();
        if let Some(time_s) = sample.time_s {
            self.learn_resolution(time_s);
        }
        self.samples.push(0.0, &sample.values);
        hand_on(&mut self.next, sample, false, each);
    }

    /// Hands on `sample`, with its stamp, as it is: samples have passed for long, and its stamp is on their line. False where
    /// that is not so.
    #[inline]
    pub(super) fn pass(&mut self, stamp: Option<f64>, sample: &Sample, each: &mut impl FnMut(Step<'_>)) -> bool {
        if !self.passing || self.honest < SETTLED {
            return false;
        }
        let level = self.level + 1.0;
        let off = stamp.map_or(0.0, |stamp| stamp - level);
        // whatever the resolution, a stamp this near is on the line
        let honest = off.abs() <= TOLERANCE
            || off.abs() <= self.tolerance && sample.time_s.is_some_and(|time_s| self.has_resolution(time_s));
        if !honest {
            return false;
        }
        self.level = level + off.clamp(-SAME_RATE, SAME_RATE);
        self.last = self.level;
        self.honest = self.honest.saturating_add(1);
        self.samples.push_even(self.level, &sample.values);
        hand_on(&mut self.next, sample, false, each);
        true
    }

    /// The values of the newest sample.
    pub(super) fn newest(&self) -> &[f64] {
        self.samples.sample(self.samples.times().len() - 1)
    }

    /// Takes `sample`, which was taken at `place`, after `missing` others.
    pub(super) fn push(
        &mut self,
        place: &Place,
        sample: &Sample,
        missing: u64,
        counts: &mut StreamCounts,
        each: &mut impl FnMut(Step<'_>),
    ) {
        if let Some(time_s) = sample.time_s {
            self.learn_resolution(time_s);
        }
        let level = self.level + 1.0 + missing as f64;
        let off = place.stamp - level;
        let honest = off.abs() <= self.tolerance;
        if honest {
            self.level = level + off.clamp(-SAME_RATE, SAME_RATE);
            self.honest = self.honest.saturating_add(1);
        } else {
            (self.level, self.honest) = (place.stamp, 0);
        }
        self.even |= place.shared;
        if self.passing && !honest {
            self.stop_passing();
        }
        let time = if self.passing {
            self.level
        } else {
            if self.even {
                counts.moved += 1;
            }
            let scattered = (place.even - place.stamp).abs() <= SCATTERED * place.period;
            let time = if self.even || scattered { place.even } else { place.stamp };
            // no two at a time, whichever of both held for the one before
            time.max(self.last + 0.05 * place.period)
        };
        self.bridge(time, sample, missing, counts, each);
        self.out.values.copy_from_slice(&sample.values);
        if !self.passing && !self.even {
            // the low-pass wants even times
            self.evidence.move_along(place, time, &mut self.out.values);
        }
        self.samples.push(time, &self.out.values);
        self.last = time;
        if self.passing {
            hand_on(&mut self.next, sample, false, each);
            return;
        }
        self.even = self.evidence.weigh(*place, &sample.values, missing, self.even);
        while self.place + kernel::AHEAD <= self.last {
            self.emit(counts, each);
        }
        if f64::from(self.honest) >= TRUST_S * self.rate_hz {
            self.come_back(each);
        }
    }

    /// From here on samples are put onto the grid, which begins at the newest one.
    fn stop_passing(&mut self) {
        self.passing = false;
        self.place = self.last + 1.0;
        self.evidence.clear();
        let times = self.samples.times();
        for (index, &time) in times.iter().enumerate().skip(times.len().saturating_sub(2)) {
            let place = Place { stamp: time, even: time, shared: false, period: 1.0 };
            self.evidence.remember(place, self.samples.sample(index));
        }
    }

    /// Hands on what is left of the grid up to the newest sample.
    pub(super) fn finish(&mut self, counts: &mut StreamCounts, each: &mut impl FnMut(Step<'_>)) {
        while !self.passing && self.place <= self.last {
            self.emit(counts, each);
        }
    }

    /// Fills the stretch before `sample` by straight lines from the sample before.
    fn bridge(
        &mut self,
        time: f64,
        sample: &Sample,
        missing: u64,
        counts: &mut StreamCounts,
        each: &mut impl FnMut(Step<'_>),
    ) {
        let begin = self.last;
        for step in 1..=missing {
            let share = step as f64 / (missing + 1) as f64;
            // of the line from the bridged sample before to this one
            let rest = ((missing + 2 - step) as f64).recip();
            let last = self.samples.sample(self.samples.times().len() - 1);
            for ((value, &last), &now) in self.out.values.iter_mut().zip(last).zip(&sample.values) {
                *value = last + (now - last) * rest;
            }
            let place = begin + (time - begin) * share;
            self.samples.push(place, &self.out.values);
            counts.bridged += 1;
            if self.passing {
                self.out.time_s = sample.time_s.map(|_| self.seconds(place));
                hand_on(&mut self.next, &self.out, true, each);
            }
        }
    }

    fn seconds(&self, place: f64) -> f64 {
        self.origin_s + place / self.rate_hz
    }

    /// Hands on the next place of the grid.
    fn emit(&mut self, counts: &mut StreamCounts, each: &mut impl FnMut(Step<'_>)) {
        self.samples.at(self.place, &mut self.out.values);
        self.out.time_s = Some(self.seconds(self.place));
        counts.resampled += 1;
        hand_on(&mut self.next, &self.out, false, each);
        self.place += 1.0;
    }

    /// Moves the grid towards the samples, now that they are honest, and lets them pass once it is there.
    fn come_back(&mut self, each: &mut impl FnMut(Step<'_>)) {
        let off = self.level - self.place;
        let off = off - off.round();
        self.place += off.clamp(-SAME_RATE, SAME_RATE);
        if off.abs() > SAME_RATE {
            return;
        }
        let times = self.samples.times();
        let first = times.partition_point(|&time| time < self.place - 0.5);
        for index in first..times.len() {
            self.out.values.copy_from_slice(self.samples.sample(index));
            self.out.time_s = Some(self.seconds(self.samples.times()[index]));
            hand_on(&mut self.next, &self.out, false, each);
        }
        (self.passing, self.even) = (true, false);
    }

    /// Notes whether a stamp is finer than those before.
    fn learn_resolution(&mut self, time_s: f64) {
        while !self.has_resolution(time_s) {
            self.resolution += 1;
            self.tolerance = tolerance(self.resolution, self.rate_hz);
        }
    }

    /// Whether a stamp is no finer than those before.
    #[inline]
    fn has_resolution(&self, time_s: f64) -> bool {
        RESOLUTIONS.get(self.resolution).is_none_or(|resolution| {
            let steps = time_s * resolution;
            // a double holds seconds since 1970 to a fraction of a microsecond
            (steps - whole(steps)).abs() < 2e-3
        })
    }
}

/// How far stamps of the resolution with this place may be from the line, in periods.
fn tolerance(resolution: usize, rate_hz: f64) -> f64 {
    let coarse = RESOLUTIONS.get(resolution).map_or(0.0, |resolution| rate_hz / resolution);
    TOLERANCE.max(coarse.min(COARSEST))
}

/// The nearest whole number, of numbers below 2^51: `round` is a call on many processors.
fn whole(number: f64) -> f64 {
    // doubles from here to twice as much are whole
    const LARGE: f64 = 6_755_399_441_055_744.0;
    number + LARGE - LARGE
}

/// Hands on the sample that has the number `next`.
fn hand_on(next: &mut u64, sample: &Sample, bridged: bool, each: &mut impl FnMut(Step<'_>)) {
    each(Step::Sample { number: *next, sample, bridged });
    *next += 1;
}
