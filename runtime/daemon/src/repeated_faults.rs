//! Telling repeated faults without flooding the log.

use std::time::Duration;

/// How long a fault that keeps occurring goes untold at most.
const SILENCE: Duration = Duration::from_secs(3600);

/// Decides which occurrences of one fault are worth a line: the 1st, 2nd, 4th, 8th and so on, and the first one that
/// comes more than an hour after the last line. A service that has run for a year must not keep today's fault to itself
/// because it has had many before.
#[derive(Debug, Default)]
pub(crate) struct Repeated {
    count: u64,
    told: Duration,
}

impl Repeated {
    /// Counts an occurrence at `now`, by the daemon's clock; the number of occurrences so far if this one should be
    /// told.
    pub(crate) fn occurred(&mut self, now: Duration) -> Option<u64> {
        self.count += 1;
        let tell = self.count.is_power_of_two() || now.saturating_sub(self.told) > SILENCE;
        if tell {
            self.told = now;
        }
        tell.then_some(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the occurrences that are told, of `times` in seconds.
    fn told(times: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut faults = Repeated::default();
        times.into_iter().filter_map(|time| faults.occurred(Duration::from_secs(time))).collect()
    }

    #[test]
    fn a_burst_is_told_at_powers_of_two() {
        assert_eq!(told(std::iter::repeat_n(7, 20)), [1, 2, 4, 8, 16]);
    }

    #[test]
    fn a_fault_that_comes_back_after_a_long_silence_is_told_again() {
        let year = 365 * 24 * 3600;
        let burst = std::iter::repeat_n(0, 1000);
        assert_eq!(told(burst.chain([year, year + 1, year + 3600, year + 3601]))[10..], [1001, 1004]);
    }

    #[test]
    fn a_fault_without_end_is_told_about_once_an_hour() {
        let day = told((0..24 * 3600).map(|second| 1_000_000 + second));
        let powers = 17;
        assert!((powers..=powers + 24).contains(&day.len()), "{day:?}");
        assert!(day.windows(2).all(|pair| pair[1] - pair[0] <= 3601), "{day:?}");
    }
}
