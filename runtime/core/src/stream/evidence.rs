//! Whether samples were taken when their uneven stamps say, or evenly: the samples themselves tell.

/// Time over which both are held against each other, in seconds.
const MEMORY_S: f64 = 2.0;

/// The better of both is better by this ratio.
const CLEAR: f64 = 0.8;

/// Neighbours nearer than this, as a share of the sensor's period, tell nothing of a slope.
const NEAR: f64 = 0.25;

/// When a sample was taken, by its stamp and by the sensor's clock, in periods since the fresh start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) stamp: f64,
    pub(super) even: f64,
    /// The sample before has the same stamp.
    pub(super) shared: bool,
    /// Periods from one sample to the next.
    pub(super) period: f64,
}

/// The two samples before the present one as they were taken, and how far samples have lain from the line between their
/// neighbours, if they are where their stamps say and if they are even.
#[derive(Debug)]
pub(super) struct Evidence {
    /// Samples that are remembered.
    memory: f64,
    /// The newest last.
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

impl Evidence {
    pub(super) fn new(rate_hz: f64, channels: usize) -> Self {
        Self {
            memory: MEMORY_S * rate_hz,
            before: [Place::default(); 2],
            values: [vec![0.0; channels], vec![0.0; channels]],
            known: 0,
            stamps: 0.0,
            even: 0.0,
            samples: 0.0,
            since_shared: 0.0,
        }
    }

    pub(super) fn clear(&mut self) {
        (self.known, self.stamps, self.even) = (0, 0.0, 0.0);
        (self.samples, self.since_shared) = (0.0, 0.0);
    }

    /// Takes a sample for the newest one, without holding it against its neighbours.
    pub(super) fn remember(&mut self, place: Place, values: &[f64]) {
        self.before = [self.before[1], place];
        self.values.swap(0, 1);
        self.values[1].copy_from_slice(values);
        self.known = (self.known + 1).min(2);
    }

    /// Takes the next sample, after `missing` others; whether samples are to be placed evenly, where until now they are
    /// as `even` says.
    pub(super) fn weigh(&mut self, place: Place, values: &[f64], missing: u64, even: bool) -> bool {
        if missing > 0 {
            self.known = 0;
        }
        self.since_shared = if place.shared { 0.0 } else { self.since_shared + 1.0 };
        if self.known == 2 {
            self.compare(&place, values);
        }
        self.remember(place, values);
        let decided = self.samples >= 0.5 * self.memory;
        if even {
            !(decided && self.since_shared >= self.memory && self.stamps < CLEAR * self.even)
        } else {
            place.shared || decided && self.even < CLEAR * self.stamps
        }
    }

    /// Adds how far the newest sample lies from the line between the one before it and `values`, by either time.
    fn compare(&mut self, place: &Place, values: &[f64]) {
        let [first, middle] = self.before;
        let share = |first: f64, middle: f64, last: f64| {
            Some((middle - first) / (last - first)).filter(|share| (0.0..=1.0).contains(share))
        };
        let stamps = share(first.stamp, middle.stamp, place.stamp);
        let even = share(first.even, middle.even, place.even);
        let (Some(stamps), Some(even)) = (stamps, even) else { return };
        let [begin, at] = &self.values;
        let off = |share: f64| -> f64 {
            let lines = begin.iter().zip(at).zip(values);
            lines.map(|((begin, at), end)| (begin + (end - begin) * share - at).powi(2)).sum()
        };
        let keep = 1.0 - self.memory.recip();
        (self.stamps, self.even) = (keep * self.stamps + off(stamps), keep * self.even + off(even));
        self.samples = (self.samples + 1.0).min(self.memory);
    }

    /// Moves `values`, which were taken at the stamp of `place`, to what the stream had at `time`: along the slope there, of the
    /// parabola through them and the two samples before.
    pub(super) fn move_along(&self, &Place { stamp, period, .. }: &Place, time: f64, values: &mut [f64]) {
        let ([first, middle], [begin, at]) = (&self.before, &self.values);
        let (near, step, earlier) = (NEAR * period, stamp - middle.stamp, middle.stamp - first.stamp);
        // from a neighbour that is too near, no slope is to be had
        if self.known == 0 || step <= near.max((time - stamp).abs()) {
            return;
        }
        for ((value, begin), at) in values.iter_mut().zip(begin).zip(at) {
            let slope = (*value - at) / step;
            let curve = if self.known == 2 && earlier > near {
                (slope - (at - begin) / earlier) / (stamp - first.stamp)
            } else {
                0.0
            };
            *value += (time - stamp) * (slope + step * curve);
        }
    }
}
