//! Logs of repeated faults that do not flood.

use std::time::Duration;

/// How long a fault that keeps occurring goes without a line at most.
const SILENCE: Duration = Duration::from_secs(3600);

/// Decides which occurrences of one fault are worth a line: the 1st, 2nd, 4th, 8th and so on, and the first one that
/// comes more than an hour after the last line. A service that has run for a year must not keep today's fault to itself
/// because it has had many before.
#[derive(Debug, Default)]
pub(crate) struct RateLimitedLog {
    count: u64,
    logged: Duration,
}

impl RateLimitedLog {
    /// Counts an occurrence at `now`, by the daemon's clock; the number of occurrences so far if this one is to
    /// be logged.
    pub(crate) fn occurred(&mut self, now: Duration) -> Option<u64> {
        self.count += 1;
        let due = self.count.is_power_of_two() || now.saturating_sub(self.logged) > SILENCE;
        if due {
            self.logged = now;
        }
        due.then_some(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the occurrences that are logged, of `times` in seconds.
    fn logged(times: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut faults = RateLimitedLog::default();
        times.into_iter().filter_map(|time| faults.occurred(Duration::from_secs(time))).collect()
    }

    #[test]
    fn a_burst_is_logged_at_powers_of_two() {
        assert_eq!(logged(std::iter::repeat_n(7, 20)), [1, 2, 4, 8, 16]);
    }

    #[test]
    fn a_fault_that_comes_back_after_a_long_silence_is_logged_again() {
        let year = 365 * 24 * 3600;
        let burst = std::iter::repeat_n(0, 1000);
        assert_eq!(logged(burst.chain([year, year + 1, year + 3600, year + 3601]))[10..], [1001, 1004]);
    }

    #[test]
    fn a_fault_without_end_is_logged_about_once_an_hour() {
        let day = logged((0..24 * 3600).map(|second| 1_000_000 + second));
        let powers = 17;
        assert!((powers..=powers + 24).contains(&day.len()), "{day:?}");
        assert!(day.windows(2).all(|pair| pair[1] - pair[0] <= 3601), "{day:?}");
    }
}
