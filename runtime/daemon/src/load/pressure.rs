//! The kernel's pressure stall information on processors: for how long tasks had to wait for one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Missing, text};
use gaitd_core::clock::Clock;

/// Where the kernel reports it, below the root.
pub(super) const FILE: &str = "proc/pressure/cpu";

/// Measures the share of time in which some task, gaitd's own ones among them, waited for a processor.
pub(super) struct Pressure {
    path: PathBuf,
    /// When the last reading was made, and the time waited until then in microseconds.
    last: Option<(Duration, u64)>,
}

impl Pressure {
    pub(super) fn below(root: &Path) -> Self {
        Self { path: root.join(FILE), last: None }
    }

    /// The share since the last call; 0 to 1.
    pub(super) fn share(&mut self, clock: &dyn Clock) -> Result<f64, Missing> {
        // taken first: after a reading that fails, the next one starts afresh, and so speaks of the present
        let last = self.last.take();
        let text = text(&self.path)?;
        let now = clock.now();
        let waited = total(&text).ok_or_else(|| Missing::Nonsense(self.path.clone()))?;
        let Some((before, waited_before)) = last else {
            self.last = Some((now, waited));
            return Err(Missing::Starting);
        };
        let elapsed = now.saturating_sub(before);
        if elapsed.is_zero() {
            self.last = last;
            return Err(Missing::Starting);
        }
        self.last = Some((now, waited));
        // a counter that runs backwards was set anew
        let waited = waited.checked_sub(waited_before).ok_or(Missing::Starting)?;
        Ok((waited as f64 / 1e6 / elapsed.as_secs_f64()).clamp(0.0, 1.0))
    }
}

/// The microseconds in which some task waited since the system started.
fn total(text: &str) -> Option<u64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split_ascii_whitespace().find_map(|field| field.strip_prefix("total="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaitd_core::clock::ManualClock;

    /// The shares that readings of `contents` give, half a second apart; `None` removes the file.
    fn shares(contents: &[Option<&str>]) -> Vec<Option<f64>> {
        let root = tempfile::TempDir::new().unwrap();
        let path = root.path().join(FILE);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let clock = ManualClock::default();
        let mut pressure = Pressure::below(root.path());
        contents
            .iter()
            .map(|content| {
                match content {
                    Some(content) => std::fs::write(&path, content).unwrap(),
                    None => std::fs::remove_file(&path).unwrap(),
                }
                clock.wait_until(clock.now() + Duration::from_millis(500));
                pressure.share(&clock).ok()
            })
            .collect()
    }

    fn pressure_file(total: u64) -> String {
        format!(
            "some avg10=1.00 avg60=2.00 avg300=3.00 total={total}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n"
        )
    }

    #[test]
    fn the_share_is_what_was_waited_of_what_went_by() {
        let (first, second, third) = (pressure_file(7_000_000), pressure_file(7_125_000), pressure_file(7_125_000));
        assert_eq!(shares(&[Some(&first), Some(&second), Some(&third)]), [None, Some(0.25), Some(0.0)]);
    }

    #[test]
    fn more_than_all_of_the_time_is_all_of_it() {
        assert_eq!(shares(&[Some(&pressure_file(0)), Some(&pressure_file(u64::MAX))]), [None, Some(1.0)]);
    }

    #[test]
    fn a_counter_that_runs_backwards_tells_nothing_once() {
        let totals = [pressure_file(5_000_000), pressure_file(1_000_000), pressure_file(1_250_000)];
        assert_eq!(
            shares(&totals.each_ref().map(|pressure_file| Some(pressure_file.as_str()))),
            [None, None, Some(0.5)]
        );
    }

    #[test]
    fn after_a_failed_reading_the_share_is_not_one_of_the_past() {
        let (before, after, later) = (pressure_file(1_000_000), pressure_file(1_500_000), pressure_file(1_600_000));
        for hole in [None, Some(""), Some("full total=3\n"), Some("some total=-4\n"), Some("some total=\u{fffd}")] {
            let read = shares(&[Some(&before), hole, Some(&after), Some(&later)]);
            assert_eq!(read, [None, None, None, Some(0.2)], "{hole:?}");
        }
    }

    #[test]
    fn two_readings_at_one_instant_do_not_divide_by_nothing() {
        let root = tempfile::TempDir::new().unwrap();
        std::fs::create_dir_all(root.path().join("proc/pressure")).unwrap();
        std::fs::write(root.path().join(FILE), pressure_file(1)).unwrap();
        let clock = ManualClock::default();
        let mut pressure = Pressure::below(root.path());
        for _ in 0..3 {
            assert!(matches!(pressure.share(&clock), Err(Missing::Starting)));
        }
        std::fs::write(root.path().join(FILE), pressure_file(500_001)).unwrap();
        clock.wait_until(Duration::from_secs(1));
        assert_eq!(pressure.share(&clock).ok(), Some(0.5));
    }
}
