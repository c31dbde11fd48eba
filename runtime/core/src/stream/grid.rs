//! The even grid of the ladder's rate, and how samples get onto it.

use super::interpolator::Interpolator;
use super::{Sample, Step, StreamCounts, StreamFormat, kernel};

/// Stamps this far from a straight line, in periods, are on it.
const TOLERANCE: f64 = 0.02;

/// The most that a coarse resolution of the stamps may add to that, in periods.
const COARSEST: f64 = 0.25;

/// Resolutions of stamps that are looked for, in seconds, the coarsest first.
const RESOLUTIONS_S: [f64; 2] = [0.01, 0.001];

/// How far the rate may be from the ladder's, as a share, for samples to pass as they are, and for the grid to be moved
/// back to them.
const SAME_RATE: f64 = 0.001;

/// Honest samples in a row, in seconds, after which the grid goes back to the samples.
const TRUST_S: f64 = 5.0;

/// Time over which stamps and even times are held against each other, in seconds.
const EVIDENCE_S: f64 = 2.0;

/// The better of both is better by this ratio.
const CLEAR: f64 = 0.8;

/// Stamps no farther from the even time than this, as a share of the sensor's period, are scattered about it.
const SCATTERED: f64 = 0.75;

/// Neighbours nearer than this, as a share of the sensor's period, tell nothing of a slope.
const NEAR: f64 = 0.25;

/// When a sample was taken, by its stamp and by the sensor's clock, in periods since the fresh start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) stamp: f64,
    pub(super) even: f64,
    /// Another sample has the same stamp.
    pub(super) shared: bool,
    /// Periods from one sample to the next.
    pub(super) period: f64,
}

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
    /// Place in [`RESOLUTIONS_S`]: the first that all stamps are multiples of.
    resolution: usize,
    /// Next place of the grid, where the samples are not the grid.
    place: f64,
    evidence: Evidence,
    /// Number of the next sample of the grid.
    next: u64,
    out: Sample,
}

/// How far samples lie from the line between their neighbours, if they are where their stamps say and if they are even.
#[derive(Debug, Default)]
struct Evidence {
    /// The two samples before, the newest last.
    before: [Place; 2],
    values: [Vec<f64>; 2],
    known: usize,
    stamps: f64,
    even: f64,
    /// Samples that took part, up to the memory's length.
    samples: f64,
    /// Samples since two had the same stamp.
    since_shared: f64,
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
            place: 0.0,
            evidence: Evidence { values: [vec![0.0; channels], vec![0.0; channels]], ..Evidence::default() },
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

    /// Whether samples are placed evenly, rather than where their stamps say.
    pub(super) fn is_even(&self) -> bool {
        self.even
    }

    /// From now on samples are placed evenly: they come in bursts.
    pub(super) fn take_for_even(&mut self) {
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
        self.evidence = Evidence { values: std::mem::take(&mut self.evidence.values), ..Evidence::default() };
        if let Some(time_s) = sample.time_s {
            self.learn_resolution(time_s);
        }
        self.samples.push(0.0, &sample.values);
        self.pass(sample, false, each);
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
        let honest = off.abs() <= self.tolerance();
        if honest {
            self.level = level + off.clamp(-SAME_RATE, SAME_RATE);
            self.honest = self.honest.saturating_add(1);
        } else {
            (self.level, self.honest) = (place.stamp, 0);
        }
        if self.passing && !honest {
            self.passing = false;
            self.place = self.last + 1.0;
            self.even |= place.shared;
            self.remember();
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
        if self.passing || self.even || time == place.stamp {
            self.samples.push(time, &sample.values);
        } else {
            self.move_along(place, time, sample);
        }
        self.last = time;
        if self.passing {
            self.pass(sample, false, each);
            return;
        }
        self.weigh(place, sample, missing);
        while self.place + kernel::AHEAD <= self.last {
            self.emit(counts, each);
        }
        if f64::from(self.honest) >= TRUST_S * self.rate_hz {
            self.come_back(each);
        }
    }

    /// Takes the samples that have passed for the evidence's last two.
    fn remember(&mut self) {
        let newest = self.samples.times().len();
        self.evidence.known = newest.min(2);
        for (index, sample) in (newest - self.evidence.known..newest).enumerate() {
            let (time, index) = (self.samples.times()[sample], index + 2 - self.evidence.known);
            self.evidence.before[index] = Place { stamp: time, even: time, shared: false, period: 1.0 };
            self.evidence.values[index].copy_from_slice(self.samples.sample(sample));
        }
    }

    /// Hands on what is left of the grid up to the newest sample.
    pub(super) fn finish(&mut self, counts: &mut StreamCounts, each: &mut impl FnMut(Step<'_>)) {
        while !self.passing && self.place <= self.last {
            self.emit(counts, each);
        }
    }

    /// Keeps what the stream had at `time`, a little off the time at which `sample` was taken: along the slope there, of the
    /// parabola through it and the two before. The low-pass wants even times.
    fn move_along(&mut self, &Place { stamp, period, .. }: &Place, time: f64, sample: &Sample) {
        let Evidence { before: [first, middle], values: [begin, at], known, .. } = &self.evidence;
        self.out.values.copy_from_slice(&sample.values);
        let (near, step) = (NEAR * period, stamp - middle.stamp);
        // from a neighbour that is too near, no slope is to be had
        if *known > 0 && step > near.max((time - stamp).abs()) {
            for ((value, begin), at) in self.out.values.iter_mut().zip(begin).zip(at) {
                let slope = (*value - at) / step;
                let earlier = middle.stamp - first.stamp;
                let curve = if *known == 2 && earlier > near {
                    (slope - (at - begin) / earlier) / (stamp - first.stamp)
                } else {
                    0.0
                };
                *value += (time - stamp) * (slope + step * curve);
            }
        }
        self.samples.push(time, &self.out.values);
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
                each(Step::Sample { number: self.next, sample: &self.out, bridged: true });
                self.next += 1;
            }
        }
    }

    fn seconds(&self, place: f64) -> f64 {
        self.origin_s + place / self.rate_hz
    }

    fn pass(&mut self, sample: &Sample, bridged: bool, each: &mut impl FnMut(Step<'_>)) {
        each(Step::Sample { number: self.next, sample, bridged });
        self.next += 1;
    }

    /// Hands on the next place of the grid.
    fn emit(&mut self, counts: &mut StreamCounts, each: &mut impl FnMut(Step<'_>)) {
        self.samples.at(self.place, &mut self.out.values);
        self.out.time_s = Some(self.seconds(self.place));
        counts.resampled += 1;
        each(Step::Sample { number: self.next, sample: &self.out, bridged: false });
        self.next += 1;
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
            each(Step::Sample { number: self.next, sample: &self.out, bridged: false });
            self.next += 1;
        }
        self.passing = true;
    }

    /// Holds stamps and even times against each other, at the sample before this one.
    fn weigh(&mut self, place: &Place, sample: &Sample, missing: u64) {
        let evidence = &mut self.evidence;
        if missing > 0 {
            evidence.known = 0;
        }
        let memory = EVIDENCE_S * self.rate_hz;
        evidence.since_shared = if place.shared { 0.0 } else { evidence.since_shared + 1.0 };
        if evidence.known == 2 {
            let [first, middle] = evidence.before;
            let share = |first: f64, middle: f64, last: f64| {
                Some((middle - first) / (last - first)).filter(|share| (0.0..=1.0).contains(share))
            };
            let stamps = share(first.stamp, middle.stamp, place.stamp);
            let even = share(first.even, middle.even, place.even);
            if let (Some(stamps), Some(even)) = (stamps, even) {
                let ([begin, at], end) = (&evidence.values, &sample.values);
                let off = |share: f64| -> f64 {
                    let lines = begin.iter().zip(at).zip(end);
                    lines.map(|((begin, at), end)| (begin + (end - begin) * share - at).powi(2)).sum()
                };
                let keep = 1.0 - memory.recip();
                evidence.stamps = keep * evidence.stamps + off(stamps);
                evidence.even = keep * evidence.even + off(even);
                evidence.samples = (evidence.samples + 1.0).min(memory);
            }
        }
        evidence.before = [evidence.before[1], *place];
        evidence.values.swap(0, 1);
        evidence.values[1].copy_from_slice(&sample.values);
        evidence.known = (evidence.known + 1).min(2);
        if evidence.since_shared < memory && place.shared {
            self.even = true;
        } else if evidence.samples >= 0.5 * memory {
            if self.even && evidence.since_shared >= memory && evidence.stamps < CLEAR * evidence.even {
                self.even = false;
            } else if !self.even && evidence.even < CLEAR * evidence.stamps {
                self.even = true;
            }
        }
    }

    /// Notes whether a stamp is finer than those before.
    fn learn_resolution(&mut self, time_s: f64) {
        while let Some(resolution_s) = RESOLUTIONS_S.get(self.resolution) {
            let steps = time_s / resolution_s;
            // a double holds seconds since 1970 to a fraction of a microsecond
            if (steps - steps.round()).abs() < 2e-3 {
                return;
            }
            self.resolution += 1;
        }
    }

    fn tolerance(&self) -> f64 {
        let coarse = RESOLUTIONS_S.get(self.resolution).map_or(0.0, |resolution_s| resolution_s * self.rate_hz);
        TOLERANCE.max(coarse.min(COARSEST))
    }
}
