//! The latest reading of the signals, shared between the thread that makes it and the engine's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gaitd_core::control::Load;

/// From one reading to the next, as long as no pressure rises.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// A reading older than this says nothing of the present.
const STALE: Duration = INTERVAL.saturating_mul(3);

/// A handle of the latest reading; clones share it.
#[derive(Clone, Debug, Default)]
pub struct LatestLoad {
    shared: Arc<Mutex<Option<Dated>>>,
    /// What this handle saw last.
    seen: Option<Dated>,
}

/// Load, and the clock time at which they were read.
#[derive(Clone, Copy, Debug)]
struct Dated {
    signals: Load,
    at: Duration,
}

impl LatestLoad {
    /// The latest reading at clock time `now`; [`Load::NONE`] if there was none in the last three intervals.
    pub fn get(&mut self, now: Duration) -> Load {
        // The engine never waits. Under load the other thread may well be suspended amid an update: the reading
        // before has to do for so long.
        if let Ok(latest) = self.shared.try_lock() {
            self.seen = *latest;
        }
        let fresh = self.seen.filter(|reading| now.saturating_sub(reading.at) <= STALE);
        fresh.map_or(Load::NONE, |reading| reading.signals)
    }

    /// Makes `signals`, read at clock time `at`, the latest reading.
    pub fn set(&self, signals: Load, at: Duration) {
        if let Ok(mut latest) = self.shared.lock() {
            *latest = Some(Dated { signals, at });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_counts_for_three_intervals() {
        let at = Duration::from_secs(7);
        let writer = LatestLoad::default();
        let mut reader = writer.clone();
        assert_eq!(reader.get(Duration::ZERO), Load::NONE);
        writer.set(Load::cpu(0.3), at);
        assert_eq!(reader.get(at), Load::cpu(0.3));
        assert_eq!(reader.get(at + 3 * INTERVAL), Load::cpu(0.3));
        assert_eq!(reader.get(at + 3 * INTERVAL + Duration::from_nanos(1)), Load::NONE);
        writer.set(Load::cpu(0.5), at + 4 * INTERVAL);
        // a reading that was made after `now` was taken
        assert_eq!(reader.get(at + 4 * INTERVAL - Duration::from_nanos(1)), Load::cpu(0.5));
    }

    #[test]
    fn a_reading_that_is_just_being_replaced_counts_until_it_is_stale() {
        let at = Duration::from_secs(7);
        let writer = LatestLoad::default();
        let mut reader = writer.clone();
        writer.set(Load::cpu(0.3), at);
        assert_eq!(reader.get(at), Load::cpu(0.3));
        writer.set(Load::cpu(0.9), at + INTERVAL);
        let update = writer.shared.lock().unwrap();
        assert_eq!(reader.get(at + INTERVAL), Load::cpu(0.3));
        assert_eq!(reader.get(at + 4 * INTERVAL), Load::NONE);
        drop(update);
        assert_eq!(reader.get(at + 4 * INTERVAL), Load::cpu(0.9));
    }
}
