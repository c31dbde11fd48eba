//! Does the stream have a rate that can be brought to the model's?

/// A stream with fewer samples than this share of the model's rate lacks what the model looks for.
const SLOWEST: f64 = 0.8;
/// One with more than this many times its rate is more than the interpolation holds at once.
const FASTEST: f64 = 20.0;
/// Time at the start of a stream over which its rate is measured, in seconds.
const MEASURED_S: f64 = 2.0;
/// With fewer intervals than this, a stream that ended early is not judged.
const FEWEST_INTERVALS: u32 = 10;
/// A longer interval, in seconds, is a gap; stamps in whole seconds still have shorter ones.
const LONGEST_INTERVAL_S: f64 = 1.05;

/// Can a stream of `found_hz` be brought to `expected_hz`?
pub(super) fn fits(found_hz: f64, expected_hz: f64) -> bool {
    (SLOWEST..=FASTEST).contains(&(found_hz / expected_hz))
}

/// Measures the sample rate over the first two seconds of timestamps: the number of intervals over the time that they take,
/// gaps apart. How uneven they are, and how many samples share a stamp, makes no difference to that.
pub(super) struct RateCheck {
    expected_hz: f64,
    intervals: u32,
    sum_s: f64,
    /// The same of the intervals that are gaps, which tell the rate of a stream that has no others.
    gaps: u32,
    gaps_s: f64,
    last_s: Option<f64>,
    judged: bool,
}

impl RateCheck {
    pub(super) fn new(expected_hz: f64) -> Self {
        Self { expected_hz, intervals: 0, sum_s: 0.0, gaps: 0, gaps_s: 0.0, last_s: None, judged: false }
    }

    /// Takes the next sample's timestamp. Once two seconds are measured: the rate in hertz, where it does not fit.
    pub(super) fn observe(&mut self, time_s: Option<f64>) -> Result<(), f64> {
        let Some(time_s) = time_s.filter(|_| !self.judged) else { return Ok(()) };
        if let Some(interval) = self.last_s.map(|last| time_s - last).filter(|&interval| interval >= 0.0) {
            if interval <= LONGEST_INTERVAL_S {
                self.intervals += 1;
                self.sum_s += interval;
            } else {
                self.gaps += 1;
                self.gaps_s += interval;
            }
        }
        self.last_s = Some(time_s);
        if self.sum_s >= MEASURED_S && self.intervals >= FEWEST_INTERVALS || self.gaps >= FEWEST_INTERVALS {
            return self.finish();
        }
        Ok(())
    }

    /// Judges what was measured so far; for streams that end within two seconds.
    pub(super) fn finish(&mut self) -> Result<(), f64> {
        if std::mem::replace(&mut self.judged, true) {
            return Ok(());
        }
        let found_hz = if self.intervals >= FEWEST_INTERVALS {
            f64::from(self.intervals) / self.sum_s
        } else if self.intervals == 0 && self.gaps >= FEWEST_INTERVALS {
            f64::from(self.gaps) / self.gaps_s
        } else {
            return Ok(());
        };
        // a stream in which all stamps are the same says nothing of its rate
        if self.sum_s == 0.0 && self.gaps == 0 || fits(found_hz, self.expected_hz) { Ok(()) } else { Err(found_hz) }
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
    fn what_is_too_slow_or_too_fast_is_refused_by_its_true_rate() {
        for rate in [40.5, 50.0, 51.4, 100.0, 990.0] {
            assert_eq!(check((0..4000).map(|i| 1.7e9 + f64::from(i) / rate), 50.0), Ok(()), "{rate}");
        }
        for rate in [0.4, 2.0, 20.0, 39.0, 1010.0] {
            let found = check((0..4000).map(|i| f64::from(i) / rate), 50.0).unwrap_err();
            assert!((found - rate).abs() < 0.01 * rate, "{rate} was taken for {found}");
        }
    }

    #[test]
    fn stamps_that_are_rounded_shared_or_in_bursts_and_gaps_do_not_mislead() {
        let slow = |i: u32| f64::from(i) / 20.0;
        let misleading: [fn(f64) -> f64; 3] =
            [|time| (time * 1e3).round() / 1e3, f64::floor, |time| (time * 5.0).floor() / 5.0 + (time % 0.2) * 1e-2];
        for stamp in misleading {
            let found = check((0..300).map(slow).map(stamp), 50.0).unwrap_err();
            assert!((15.0..=25.0).contains(&found), "{found}");
            assert_eq!(check((0..300).map(|i| stamp(f64::from(i) / 50.0)), 50.0), Ok(()));
        }
        assert_eq!(check((0..300).map(|i| f64::from(i) * 0.02 + f64::from(i / 40) * 60.0), 50.0), Ok(()));
        assert_eq!(check((0..300).map(|i| f64::from(i % 40) * 0.02), 50.0), Ok(()));
        assert_eq!(check([5.0; 300], 50.0), Ok(()));
    }

    #[test]
    fn a_short_stream_is_judged_at_its_end() {
        assert_eq!(check((0..10).map(|i| f64::from(i) * 0.05), 50.0), Ok(()));
        assert!(check((0..30).map(|i| f64::from(i) * 0.04), 50.0).is_err());
    }

    #[test]
    fn a_slow_stream_is_refused_after_two_seconds() {
        let mut check = RateCheck::new(50.0);
        let refused = (0..).map(|i| f64::from(i) * 0.1).find(|&time| check.observe(Some(time)).is_err());
        assert!(refused.unwrap() <= 2.1);
    }
}
