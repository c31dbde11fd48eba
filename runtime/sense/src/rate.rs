//! Is the stream sampled at the rate that the model was trained for?

/// Relative deviation of a sample rate that is tolerated. Sensors' own clocks are off by one or two per cent.
const TOLERANCE: f64 = 0.03;
/// Stretch at the start of a stream over which its rate is measured, in seconds.
const MEASURED_S: f64 = 2.0;
/// With fewer intervals than this, a stream that ended early is not judged.
const FEWEST_INTERVALS: usize = 10;

/// Do the two rates agree?
pub(super) fn agrees(found_hz: f64, expected_hz: f64) -> bool {
    (found_hz / expected_hz - 1.0).abs() <= TOLERANCE
}

/// Measures the sample rate over the first two seconds of timestamps.
///
/// The rate is the inverse of the mean of those intervals that lie within a factor of 0.5 to 1.5 of the median: gaps
/// do not count, and timestamps that were rounded to milliseconds do not mislead as the bare median would.
pub(super) struct RateCheck {
    expected_hz: f64,
    /// Room for two seconds of intervals; nothing once the rate is known.
    intervals: Option<Vec<f64>>,
    sum_s: f64,
    last_s: Option<f64>,
}

impl RateCheck {
    pub(super) fn new(expected_hz: f64) -> Self {
        // a cap in case of an absurd rate
        let intervals = (MEASURED_S * expected_hz).ceil().clamp(FEWEST_INTERVALS as f64, 10_000.0) as usize;
        Self { expected_hz, intervals: Some(Vec::with_capacity(intervals)), sum_s: 0.0, last_s: None }
    }

    /// Takes the next sample's timestamp. Once two seconds are measured: the rate in hertz, where it is not the
    /// expected one.
    pub(super) fn observe(&mut self, time_s: Option<f64>) -> Result<(), f64> {
        let (Some(intervals), Some(time_s)) = (&mut self.intervals, time_s) else { return Ok(()) };
        if let Some(interval) = self.last_s.map(|last| time_s - last).filter(|&interval| interval > 0.0) {
            intervals.push(interval);
            self.sum_s += interval;
        }
        self.last_s = Some(time_s);
        if intervals.len() == intervals.capacity() || self.sum_s >= MEASURED_S && intervals.len() >= FEWEST_INTERVALS {
            return self.finish();
        }
        Ok(())
    }

    /// Judges what was measured so far; for streams that end within two seconds.
    pub(super) fn finish(&mut self) -> Result<(), f64> {
        let Some(mut intervals) = self.intervals.take().filter(|all| all.len() >= FEWEST_INTERVALS) else {
            return Ok(());
        };
        let middle = intervals.len() / 2;
        let median = *intervals.select_nth_unstable_by(middle, f64::total_cmp).1;
        let regular = intervals.iter().filter(|&&interval| (0.5 * median..=1.5 * median).contains(&interval));
        let found_hz = regular.clone().count() as f64 / regular.sum::<f64>();
        if agrees(found_hz, self.expected_hz) { Ok(()) } else { Err(found_hz) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(times: impl IntoIterator<Item = f64>, expected_hz: f64) -> Result<(), f64> {
        let mut check = RateCheck::new(expected_hz);
        times.into_iter().try_for_each(|time| check.observe(Some(time)))?;
        check.finish()
    }

    #[test]
    fn within_three_per_cent() {
        for rate in [48.6, 50.0, 51.4] {
            assert_eq!(check((0..200).map(|i| 1.7e9 + f64::from(i) / rate), 50.0), Ok(()), "{rate}");
        }
        for rate in [20.0, 48.4, 51.6, 100.0] {
            let found = check((0..200).map(|i| f64::from(i) / rate), 50.0).unwrap_err();
            assert!((found - rate).abs() < 1e-6, "{rate} was taken for {found}");
        }
    }

    #[test]
    fn rounded_timestamps_gaps_and_steps_back_do_not_mislead() {
        assert_eq!(check((0..300).map(|i| (f64::from(i) / 119.0 * 1e3).round() / 1e3), 119.0), Ok(()));
        assert_eq!(check((0..300).filter(|i| i % 7 > 1).map(|i| f64::from(i) * 0.02), 50.0), Ok(()));
        assert_eq!(check((0..300).map(|i| f64::from(i % 40) * 0.02), 50.0), Ok(()));
    }

    #[test]
    fn a_short_stream_is_judged_at_its_end() {
        assert_eq!(check((0..10).map(|i| f64::from(i) * 0.05), 50.0), Ok(()));
        assert!(check((0..30).map(|i| f64::from(i) * 0.01), 50.0).is_err());
    }

    #[test]
    fn a_slow_stream_is_refused_after_two_seconds() {
        let mut check = RateCheck::new(50.0);
        let refused = (0..).map(|i| f64::from(i) * 0.1).find(|&time| check.observe(Some(time)).is_err());
        assert!(refused.unwrap() <= 2.1);
    }
}
