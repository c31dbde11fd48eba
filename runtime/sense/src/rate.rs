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

/// What is measured later on: over so many seconds, and against a limit that a stream just above the first one does not fall
/// below by chance.
const LATER_S: f64 = 5.0;
const LATER_SLOWEST: f64 = 0.98 * SLOWEST;
/// A sensor that is as fast as ever, but whose samples are lost, gives at least this share of them at the expected rate.
const LOSSY: f64 = 0.4;
/// Steps shorter than this, in periods, are those within a packet or a burst.
const WITHIN_PACKET: f64 = 0.3;
/// One timestamp of samples that take longer than this, in seconds, tells nothing of any of them.
const COARSE_S: f64 = 5.0;

/// Measures the sample rate by the timestamps: the number of intervals over the time that they take, gaps apart. How uneven
/// they are, and how many samples share a stamp, makes no difference to that. It is first judged over two seconds, and
/// then again and again.
pub(super) struct RateCheck {
    expected_hz: f64,
    intervals: u32,
    sum_s: f64,
    /// The same of the intervals that are gaps, which tell the rate of a stream that has no others.
    gaps: u32,
    gaps_s: f64,
    /// Samples that came at the expected rate.
    usual: u32,
    /// Samples of the packet that is coming, and since its timestamp last changed.
    packet: u32,
    shared: u32,
    last_s: Option<f64>,
    judged: bool,
}

impl RateCheck {
    pub(super) fn new(expected_hz: f64) -> Self {
        Self {
            expected_hz,
            intervals: 0,
            sum_s: 0.0,
            gaps: 0,
            gaps_s: 0.0,
            usual: 0,
            packet: 1,
            shared: 1,
            last_s: None,
            judged: false,
        }
    }

    /// Takes the next sample's timestamp. Once enough is measured: the rate in hertz, where it does not fit.
    pub(super) fn observe(&mut self, time_s: Option<f64>) -> Result<(), f64> {
        let Some(time_s) = time_s else { return Ok(()) };
        if let Some(interval) = self.last_s.map(|last| time_s - last).filter(|&interval| interval >= 0.0) {
            self.shared = if interval == 0.0 { self.shared.saturating_add(1) } else { 1 };
            if interval > LONGEST_INTERVAL_S {
                self.gaps += 1;
                self.gaps_s += interval;
                self.packet = 1;
            } else {
                self.intervals += 1;
                self.sum_s += interval;
                if interval * self.expected_hz < WITHIN_PACKET {
                    self.packet += 1;
                } else {
                    if interval * self.expected_hz * SLOWEST <= f64::from(self.packet) {
                        self.usual += self.packet;
                    }
                    self.packet = 1;
                }
            }
        }
        self.last_s = Some(time_s);
        let enough_s = if self.judged { LATER_S } else { MEASURED_S };
        if self.sum_s >= enough_s && self.intervals >= FEWEST_INTERVALS || self.gaps >= FEWEST_INTERVALS {
            return self.judge();
        }
        Ok(())
    }

    /// Whether so many samples have had the newest timestamp that it tells nothing of them; true once of each such
    /// timestamp.
    pub(super) fn is_coarse(&self) -> bool {
        f64::from(self.shared) == (COARSE_S * self.expected_hz).ceil()
    }

    /// Judges what was measured so far, for streams that end within two seconds.
    pub(super) fn finish(&mut self) -> Result<(), f64> {
        if self.judged { Ok(()) } else { self.judge() }
    }

    /// Judges what was measured since it was judged last.
    fn judge(&mut self) -> Result<(), f64> {
        let Self { intervals, sum_s, gaps, gaps_s, usual, .. } = *self;
        (self.intervals, self.sum_s, self.gaps, self.gaps_s, self.usual) = (0, 0.0, 0, 0.0, 0);
        let later = std::mem::replace(&mut self.judged, true);
        let found_hz = if intervals >= FEWEST_INTERVALS && sum_s > 0.0 {
            f64::from(intervals) / sum_s
        } else if (intervals == 0 || sum_s == 0.0) && gaps >= FEWEST_INTERVALS {
            // nothing but gaps, or stamps in steps of minutes
            f64::from(intervals + gaps) / gaps_s
        } else {
            return Ok(());
        };
        let lost = later && usual > 0 && f64::from(usual) >= LOSSY * f64::from(intervals);
        let slowest = if later { LATER_SLOWEST } else { SLOWEST };
        let share = found_hz / self.expected_hz;
        if share > FASTEST || share < slowest && !lost { Err(found_hz) } else { Ok(()) }
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

    /// A minute at 50 Hz, and then the same at `rate` hertz with `stamp` as its stamps: the rate that is refused, and after
    /// how long.
    fn later(rate: f64, stamp: impl Fn(f64) -> f64, keep: impl Fn(u32) -> bool) -> Option<(f64, f64)> {
        let mut check = RateCheck::new(50.0);
        (0..3000).for_each(|i| check.observe(Some(f64::from(i) / 50.0)).unwrap());
        let times = (0..).filter(|&i| keep(i)).map(|i| f64::from(i) / rate).take_while(|time| *time < 60.0);
        times
            .map(|time| (time, check.observe(Some(60.0 + stamp(time)))))
            .find_map(|(time, found)| Some((found.err()?, time)))
    }

    #[test]
    fn a_rate_that_falls_later_is_refused_as_well() {
        let stamps: [fn(f64) -> f64; 4] =
            [|time| time, f64::floor, |time| (time * 5.0).floor() / 5.0, |time| time + 0.004 * (time * 997.0).sin()];
        for stamp in stamps {
            for rate in [42.0, 50.0, 100.0, 200.0] {
                assert_eq!(later(rate, stamp, |_| true), None, "{rate}");
            }
            for rate in [10.0, 25.0, 35.0] {
                // the stretch under way has samples of before
                let (found, after) = later(rate, stamp, |_| true).expect("refused");
                assert!(found < 40.0 && found > 0.8 * rate, "{rate} was taken for {found}");
                assert!(after <= 3.0 * LATER_S, "{rate}: {after} s");
            }
        }
        let (found, _) = later(0.5, |time| time, |_| true).unwrap();
        assert!((found - 0.5).abs() < 0.01, "{found}");
    }

    #[test]
    fn lost_samples_are_no_lower_rate() {
        // one of three, four of ten, whole packets
        for keep in [|i: u32| !i.is_multiple_of(3), |i: u32| i % 10 < 6, |i: u32| !(i / 10).is_multiple_of(3)] {
            assert_eq!(later(50.0, |time| time, keep), None);
        }
        assert_eq!(later(50.0, |time| (time * 5.0).floor() / 5.0, |i| !(i / 10).is_multiple_of(3)), None);
    }

    #[test]
    fn stamps_in_steps_of_minutes_are_told_apart_and_refuse_nothing() {
        // float32 holds the seconds since 1970 to 128 of them
        let mut check = RateCheck::new(50.0);
        let coarse = (0..200_000).filter(|&i| {
            assert_eq!(check.observe(Some(1.7e9 + f64::from(i / 6400 * 128))), Ok(()));
            check.is_coarse()
        });
        assert_eq!(coarse.count(), 32);
    }
}
