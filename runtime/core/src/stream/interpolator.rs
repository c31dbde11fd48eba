//! The values of a stream at times between its samples.

use super::kernel;

/// Samples that the kernel can see at once at twenty times the grid's rate, with some to spare.
const SEEN: usize = 320;

/// The same at the grid's own rate.
const SEEN_EVEN: usize = 24;

/// The samples of the last periods, and the values between them.
///
/// Each value is the sum of the samples around it, weighed by the kernel and by the time that each stands for. The weights are
/// then corrected by a smooth bump times a line, so that a line through samples at whatever times comes out as it is:
/// uneven times, the start of a stream and its end cost no level and no slope.
#[derive(Debug)]
pub(super) struct Interpolator {
    channels: usize,
    /// In periods of the grid, rising; as many as twice [`SEEN`].
    times: Vec<f64>,
    /// Row-major `[samples, channels]`.
    values: Vec<f64>,
    weights: Vec<f64>,
}

impl Interpolator {
    pub(super) fn new(channels: usize) -> Self {
        Self {
            channels,
            times: Vec::with_capacity(2 * SEEN),
            values: Vec::with_capacity(2 * SEEN * channels),
            weights: Vec::with_capacity(2 * SEEN),
        }
    }

    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
    }

    /// Takes a sample at `time`, later than the one before.
    pub(super) fn push(&mut self, time: f64, values: &[f64]) {
        if self.times.len() == 2 * SEEN {
            self.forget(SEEN);
        }
        self.times.push(time);
        self.values.extend_from_slice(values);
    }

    /// The same for samples about a period of the grid apart, of which the kernel sees few: they stay in the processor's cache.
    #[inline]
    pub(super) fn push_even(&mut self, time: f64, values: &[f64]) {
        if self.times.len() >= 4 * SEEN_EVEN {
            self.forget(self.times.len() - SEEN_EVEN);
        }
        self.times.push(time);
        self.values.extend_from_slice(values);
    }

    #[inline(never)]
    fn forget(&mut self, count: usize) {
        self.times.drain(..count);
        self.values.drain(..count * self.channels);
    }

    /// Times of the samples that are kept, rising.
    pub(super) fn times(&self) -> &[f64] {
        &self.times
    }

    /// The values of the sample whose time is `times()[index]`.
    pub(super) fn sample(&self, index: usize) -> &[f64] {
        &self.values[index * self.channels..][..self.channels]
    }

    /// The values at `time`, at or after the first sample's and not after the last one's; zero where there is no sample.
    pub(super) fn at(&mut self, time: f64, out: &mut [f64]) {
        let first = self.times.partition_point(|&sample| sample <= time - kernel::BACK);
        let end = self.times.partition_point(|&sample| sample <= time + kernel::AHEAD);
        let times = &self.times[first..end];
        self.weights.clear();
        let (mut lacking, mut moments) = ([1.0, 0.0], [0.0; 3]);
        for (index, &sample) in times.iter().enumerate() {
            let after = times.get(index + 1).map(|next| next - sample);
            let before = index.checked_sub(1).map(|before| sample - times[before]);
            // a sample stands for the half of the time to either neighbour; at an end for as much on both sides
            let stands_for = 0.5 * (before.or(after).unwrap_or(1.0) + after.or(before).unwrap_or(1.0));
            let back = time - sample;
            let weight = kernel::weight(back) * stands_for;
            self.weights.push(weight);
            lacking[0] -= weight;
            lacking[1] -= weight * back;
            let bump = bump(back);
            moments[0] += bump;
            moments[1] += bump * back;
            moments[2] += bump * back * back;
        }
        let [level, slope] = line(moments, lacking);
        for (index, &sample) in times.iter().enumerate() {
            let back = time - sample;
            self.weights[index] += bump(back) * (level + slope * back);
        }
        for (channel, out) in out.iter_mut().enumerate() {
            let (mut sum, mut low, mut high) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
            for (index, weight) in self.weights.iter().enumerate() {
                let value = self.values[(first + index) * self.channels + channel];
                sum += weight * value;
                (low, high) = (value.min(low), value.max(high));
            }
            // from samples at absurd times nothing absurd is made
            *out = if low <= high { sum.clamp(low - (high - low), high + (high - low)) } else { 0.0 };
        }
    }
}

/// Weighs the samples that take part in the correction, those within the kernel's reach ahead and as far back.
fn bump(back: f64) -> f64 {
    let rest = 1.0 - (back / (kernel::AHEAD + 1.0)).powi(2);
    if rest > 0.0 { rest * rest } else { 0.0 }
}

/// The line, as level and slope, that makes good what is `lacking` of the sums of weights and of weights times times, given
/// the bump's own such sums; no slope where there are too few samples for one.
fn line([m0, m1, m2]: [f64; 3], [a, b]: [f64; 2]) -> [f64; 2] {
    let both = m0 * m2 - m1 * m1;
    // samples in one place give no slope
    if both > 0.1 * m0 * m0 {
        return [(a * m2 - b * m1) / both, (b * m0 - a * m1) / both];
    }
    [if m0 > 0.0 { a / m0 } else { 0.0 }, 0.0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(times: impl IntoIterator<Item = f64>, signal: impl Fn(f64) -> f64) -> Interpolator {
        let mut interpolator = Interpolator::new(2);
        for time in times {
            interpolator.push(time, &[signal(time), -1.0]);
        }
        interpolator
    }

    fn at(interpolator: &mut Interpolator, time: f64) -> f64 {
        let mut out = [0.0; 2];
        interpolator.at(time, &mut out);
        assert!((out[1] + 1.0).abs() < 1e-9, "a constant stays what it is: {}", out[1]);
        out[0]
    }

    /// The largest ratio of what comes out to a swing of 1 that goes in, at `hz` of a stream of `rate_hz` and a grid of 50.
    fn gain(hz: f64, rate_hz: f64) -> f64 {
        let (rate, frequency) = (rate_hz / 50.0, std::f64::consts::TAU * hz / 50.0);
        let times = |count: u32| (0..count).map(move |number| f64::from(number) / rate);
        let mut sine = filled(times((30.0 * rate) as u32), |time| (frequency * time).sin());
        let mut cosine = filled(times((30.0 * rate) as u32), |time| (frequency * time).cos());
        let swing = |step: u32| {
            let time = 15.0 + f64::from(step) / 7.0 / rate;
            f64::hypot(at(&mut sine, time), at(&mut cosine, time))
        };
        (0..7).map(swing).fold(0.0, f64::max)
    }

    #[test]
    fn motion_passes_at_every_rate_and_what_would_fold_back_does_not() {
        for rate in [50.0, 52.0, 100.0, 104.0, 200.0, 400.0, 1000.0] {
            for hz in [0.0, 1.0, 5.0, 10.0, 15.0] {
                let gain = 20.0 * gain(hz, rate).log10();
                assert!(gain.abs() < 0.5, "{gain} dB of {hz} Hz at {rate}");
            }
        }
        for rate in [100.0, 200.0, 400.0, 1000.0] {
            assert!((20.0 * gain(20.0, rate).log10()).abs() < 0.5, "20 Hz at {rate}");
            for hz in [30.0, 35.0, 40.0, 45.0, 50.0] {
                let gain = 20.0 * gain(hz, rate).log10();
                assert!(gain < -40.0, "{gain} dB of {hz} Hz at {rate}");
            }
        }
    }

    #[test]
    fn few_samples_give_what_they_can() {
        let mut none = Interpolator::new(1);
        let mut out = [7.0];
        none.at(0.0, &mut out);
        assert_eq!(out, [0.0]);
        assert!((at(&mut filled([0.0], |_| 3.0), 0.0) - 3.0).abs() < 1e-9);
        let line = |time: f64| 2.0 + 3.0 * time;
        assert!((at(&mut filled([0.0, 1.0], line), 0.4) - line(0.4)).abs() < 1e-9);
    }

    #[test]
    fn old_samples_make_room_for_new_ones() {
        let mut interpolator = filled((0..10_000).map(|number| f64::from(number) / 20.0), |time| time);
        assert!(interpolator.times.len() <= 2 * SEEN && interpolator.times.capacity() == 2 * SEEN);
        assert!((at(&mut interpolator, 495.0) - 495.0).abs() < 1e-9);
        let newest = interpolator.times().len() - 1;
        assert_eq!(interpolator.sample(newest), [9999.0 / 20.0, -1.0]);
    }

    proptest! {
        #[test]
        fn a_line_stays_one_at_any_times(
            steps in prop::collection::vec(0.2_f64..1.8, 12..60),
            [level, slope] in prop::array::uniform2(-1.0_f64..1.0),
            share in 0.0_f64..1.0,
        ) {
            let times: Vec<f64> = steps.iter().scan(0.0, |time, step| { *time += step; Some(*time) }).collect();
            let (first, last) = (times[0], times[times.len() - 1]);
            let time = first + share * (last - first);
            let signal = |time: f64| level + slope * (time - first);
            let found = at(&mut filled(times.iter().copied(), signal), time);
            prop_assert!((found - signal(time)).abs() < 1e-6, "{} for {}", found, signal(time));
        }
    }
}
