//! Ties a stream to the time of day.

use std::time::Duration;

use gaitd_core::clock::Clock;
use gaitd_core::window::Window;

/// Stream times that are seconds since 1970: from September 2001 on (a clock that was never set, and begins with 1970 or
/// with 2000, is none) to the end of 2099.
const SINCE_1970_S: std::ops::Range<f64> = 1e9..4_102_444_800.0;

/// The wall-clock times of a stream's windows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallTime {
    /// Samples arrive when they happen, or as if they did.
    by_arrival: bool,
}

impl WallTime {
    /// Times by the stream itself where it counts from 1970, and otherwise, where `by_arrival` says that samples arrive when
    /// they happen, by the arrival of a window's last sample.
    pub(crate) fn new(by_arrival: bool) -> Self {
        Self { by_arrival }
    }

    /// The wall-clock time of `window`, which is complete by now; time since the beginning of 1970, UTC.
    pub(crate) fn of(&self, window: &Window, clock: &dyn Clock) -> Option<Duration> {
        let stated = window.time_s.filter(|time_s| SINCE_1970_S.contains(time_s)).map(Duration::from_secs_f64);
        // the wall clock is read anew for each window: what was tied to it before does not outlive a step
        let arrived = || clock.wall()?.checked_sub(clock.now().saturating_sub(window.arrived));
        stated.or_else(|| self.by_arrival.then(arrived).flatten())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    /// A clock whose wall clock is set at will.
    #[derive(Default)]
    struct Set {
        now: std::sync::Mutex<Duration>,
        wall: std::sync::Mutex<Option<Duration>>,
    }

    impl Clock for Set {
        fn now(&self) -> Duration {
            *self.now.lock().unwrap()
        }

        fn wait_until(&self, _: Duration) {}

        fn wall(&self) -> Option<Duration> {
            *self.wall.lock().unwrap()
        }
    }

    fn window(time_s: Option<f64>, arrived: Duration) -> Window {
        let mut window = Window::new(1, 1);
        (window.time_s, window.arrived) = (time_s, arrived);
        window
    }

    #[test]
    fn a_stream_that_counts_from_1970_tells_its_own_time_and_any_other_that_of_its_arrival() {
        let clock = Set::default();
        let (now, wall) = (Duration::from_secs(50), Duration::from_secs(1_800_000_000));
        (*clock.now.lock().unwrap(), *clock.wall.lock().unwrap()) = (now, Some(wall));
        let of = |by_arrival, time_s| WallTime::new(by_arrival).of(&window(time_s, now), &clock);
        for (time_s, own) in [
            (1_764_400_002.5, true),
            (1e9, true),
            (4_102_444_799.0, true),
            // clocks that were never set, days since a start, milliseconds taken for seconds, nonsense
            (0.0, false),
            (946_684_800.0, false),
            (4_102_444_800.0, false),
            (1.7644e12, false),
            (-1_764_400_002.5, false),
            (f64::NAN, false),
            (f64::INFINITY, false),
        ] {
            for by_arrival in [true, false] {
                let expected = if own { Some(Duration::from_secs_f64(time_s)) } else { by_arrival.then_some(wall) };
                assert_eq!(of(by_arrival, Some(time_s)), expected, "{time_s}");
            }
        }
        assert_eq!((of(true, None), of(false, None)), (Some(wall), None));
        *clock.wall.lock().unwrap() = None;
        assert_eq!(of(true, None), None, "a clock without a wall clock");
        *clock.wall.lock().unwrap() = Some(Duration::from_secs(1));
        *clock.now.lock().unwrap() = Duration::from_secs(60);
        assert_eq!(of(true, None), None, "before 1970");
    }

    proptest! {
        /// Whatever the wall clock is set to, a window's time is that of its arrival by the wall clock as it is when the window
        /// is complete, and nothing else of the window changes.
        #[test]
        fn a_step_of_the_clock_moves_nothing_but_the_time(
            windows in prop::collection::vec((0..3_000u64, 0..50u64, 0..4_000_000_000_000u64), 1..20),
        ) {
            let clock = Set::default();
            let now = Cell::new(0);
            for (hop_ms, conditioning_ms, wall_ms) in windows {
                let arrived = now.get() + hop_ms;
                now.set(arrived + conditioning_ms);
                let ms = Duration::from_millis;
                (*clock.now.lock().unwrap(), *clock.wall.lock().unwrap()) = (ms(now.get()), Some(ms(wall_ms)));
                let mut one = window(Some(arrived as f64 / 1e3), ms(arrived));
                let before = one.clone();
                one.wall = WallTime::new(true).of(&one, &clock);
                prop_assert_eq!(one.wall.take(), wall_ms.checked_sub(conditioning_ms).map(ms));
                prop_assert_eq!(one, before);
            }
        }
    }
}
