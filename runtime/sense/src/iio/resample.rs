//! From a sensor's rate to the one that is wanted.

/// A stretch without samples of more periods than this is a gap: nothing is made up across it.
const LONGEST_GAP: i64 = 5;

/// When times stay behind for longer than this, in nanoseconds, the clock was set back.
const SET_BACK_NS: i64 = 1_000_000_000;

/// Makes a stream of one rate out of samples at any other: value k is the mean of the samples, joined by straight lines,
/// over one period around the time k. So a faster stream is smoothed before it is thinned out, and a slower or an
/// irregular one is filled in.
///
/// A gap, or a clock that was set back, begins anew: what follows is as far apart in time as it was sensed.
#[derive(Debug)]
pub struct Resampler {
    period_ns: i64,
    last: Option<Point>,
    /// Begin of the period that is being filled.
    begin_ns: i64,
    /// What of it is filled so far, in value times nanoseconds.
    filled: Vec<f64>,
    mean: Vec<f64>,
}

#[derive(Debug)]
struct Point {
    time_ns: i64,
    values: Vec<f64>,
}

impl Resampler {
    /// For samples of `channels` values, to `rate_hz` (above 0).
    ///
    /// # Panics
    /// When the rate is not above 0.
    #[must_use]
    pub fn new(rate_hz: f64, channels: usize) -> Self {
        assert!(rate_hz > 0.0, "a rate is above 0");
        let period_ns = ((1e9 / rate_hz).round() as i64).max(1);
        Self { period_ns, last: None, begin_ns: 0, filled: vec![0.0; channels], mean: vec![0.0; channels] }
    }

    /// Takes a sample with its time in nanoseconds, and hands on those that follow from it, with theirs.
    ///
    /// # Panics
    /// When there is not one value per channel.
    pub fn push(&mut self, time_ns: i64, values: &[f64], mut each: impl FnMut(i64, &[f64])) {
        assert_eq!(values.len(), self.filled.len(), "one value per channel");
        let Some(mut last) = self.last.take() else { return self.begin(time_ns, values) };
        let step_ns = time_ns.saturating_sub(last.time_ns);
        if step_ns > self.period_ns.saturating_mul(LONGEST_GAP) || step_ns < -SET_BACK_NS {
            return self.begin(time_ns, values);
        }
        if step_ns > 0 {
            self.fill(&last, time_ns, values, &mut each);
            last.time_ns = time_ns;
            last.values.copy_from_slice(values);
        }
        self.last = Some(last);
    }

    fn begin(&mut self, time_ns: i64, values: &[f64]) {
        self.begin_ns = time_ns;
        self.filled.fill(0.0);
        self.last = Some(Point { time_ns, values: values.to_vec() });
    }

    /// Fills periods along the line from `last` to the sample.
    fn fill(&mut self, last: &Point, time_ns: i64, values: &[f64], each: &mut impl FnMut(i64, &[f64])) {
        let length = (time_ns - last.time_ns) as f64;
        let mut from = last.time_ns;
        while from < time_ns {
            let end = self.begin_ns + self.period_ns;
            let to = end.min(time_ns);
            // the mean of a line is its value in the middle
            let middle = ((from - last.time_ns) as f64 + (to - last.time_ns) as f64) / (2.0 * length);
            let stretch = (to - from) as f64;
            for ((filled, &before), &now) in self.filled.iter_mut().zip(&last.values).zip(values) {
                *filled += stretch * (before + (now - before) * middle);
            }
            if to == end {
                for (mean, filled) in self.mean.iter_mut().zip(&mut self.filled) {
                    *mean = std::mem::take(filled) / self.period_ns as f64;
                }
                each(self.begin_ns + self.period_ns / 2, &self.mean);
                self.begin_ns = end;
            }
            from = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: f64 = 50.0;
    const PERIOD_NS: i64 = 20_000_000;

    fn resampled(samples: impl IntoIterator<Item = (i64, f64)>) -> Vec<(i64, f64)> {
        let mut resampler = Resampler::new(RATE_HZ, 1);
        let mut out = Vec::new();
        for (time, value) in samples {
            resampler.push(time, &[value], |time, values| out.push((time, values[0])));
        }
        out
    }

    fn at(rate_hz: f64, seconds: f64, signal: impl Fn(f64) -> f64) -> impl Iterator<Item = (i64, f64)> {
        (0..(seconds * rate_hz) as u32).map(move |number| {
            let time = f64::from(number) / rate_hz;
            ((time * 1e9).round() as i64, signal(time))
        })
    }

    #[test]
    fn lines_stay_lines_at_any_rate() {
        for rate in [52.0, 100.0, 104.0, 200.0, 31.0] {
            let out = resampled(at(rate, 10.0, |time| 3.0 - 2.0 * time));
            assert!((out.len() as f64 - 500.0).abs() <= 5.0, "{rate}: {}", out.len());
            assert!(out.windows(2).all(|pair| pair[1].0 - pair[0].0 == PERIOD_NS));
            for (time, value) in out {
                assert!((value - (3.0 - 2.0 * time as f64 * 1e-9)).abs() < 1e-6, "{rate}: {value} at {time}");
            }
        }
    }

    #[test]
    fn a_walk_s_frequencies_pass_and_those_that_would_fold_back_do_not() {
        let swing = |rate: f64, frequency: f64| {
            let out = resampled(at(rate, 20.0, |time| (std::f64::consts::TAU * frequency * time).sin()));
            (2.0 * out.iter().map(|(_, value)| value * value).sum::<f64>() / out.len() as f64).sqrt()
        };
        assert!(swing(52.0, 2.0) > 0.98 && swing(200.0, 5.0) > 0.98);
        // at 50 Hz, 49.5 Hz would look like 0.5 Hz
        assert!(swing(200.0, 49.5) < 0.02);
    }

    #[test]
    fn gaps_and_clocks_set_back_begin_anew() {
        let first = at(100.0, 1.0, |_| 1.0);
        let second = at(100.0, 1.0, |_| 5.0);
        let late = 7_000_000_000;
        let out = resampled(first.chain(second.map(|(time, value)| (time + late, value))));
        assert!(
            out.iter().all(|&(time, value)| value == if time < late { 1.0 } else { 5.0 }),
            "nothing across the gap"
        );
        assert!(out.iter().any(|&(time, _)| time > late));
        let back = resampled(at(100.0, 3.0, |_| 1.0).chain(at(100.0, 3.0, |_| 5.0)));
        assert!(back.iter().filter(|&&(_, value)| value == 5.0).count() > 100);
        // a time that repeats is left out
        assert_eq!(resampled([(0, 1.0), (0, 9.0), (PERIOD_NS, 1.0)]), [(PERIOD_NS / 2, 1.0)]);
    }
}
