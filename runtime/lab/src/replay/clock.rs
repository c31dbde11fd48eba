//! A clock that skips the time in which nothing happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gaitd_core::clock::Clock;

/// Another clock, set forward where that one would be waited for: an inference takes its time, and the time between two
/// windows takes none.
pub(super) struct SkippingClock {
    inner: Arc<dyn Clock>,
    skipped_ns: AtomicU64,
}

impl SkippingClock {
    pub(super) fn new(inner: Arc<dyn Clock>) -> Self {
        Self { inner, skipped_ns: AtomicU64::new(0) }
    }
}

impl Clock for SkippingClock {
    fn now(&self) -> Duration {
        self.inner.now() + Duration::from_nanos(self.skipped_ns.load(Ordering::Relaxed))
    }

    fn wait_until(&self, until: Duration) {
        let rest = until.saturating_sub(self.now());
        self.skipped_ns.fetch_add(u64::try_from(rest.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn thread_time(&self) -> Option<Duration> {
        self.inner.thread_time()
    }
}

#[cfg(test)]
mod tests {
    use gaitd_core::clock::ManualClock;

    use super::*;

    #[test]
    fn what_is_waited_for_is_skipped_and_what_takes_time_counts() {
        let inner = Arc::new(ManualClock::default());
        let clock = SkippingClock::new(inner.clone());
        let seconds = Duration::from_secs;
        clock.wait_until(seconds(5));
        assert_eq!((clock.now(), inner.now()), (seconds(5), seconds(0)));
        inner.wait_until(seconds(2));
        clock.wait_until(seconds(6));
        assert_eq!(clock.now(), seconds(7));
    }
}
