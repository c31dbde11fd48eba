//! Time, behind a trait, so that everything that waits or measures can be driven by a script.

use std::time::{Duration, Instant, SystemTime};

/// A monotonic clock.
pub trait Clock: Send + Sync {
    /// Time since the clock's own start.
    fn now(&self) -> Duration;
    /// Returns when [`Clock::now`] has reached `until`.
    fn wait_until(&self, until: Duration);
    /// Time since the beginning of 1970, UTC, where the clock tells it. It may be set while gaitd runs, so that nothing but what
    /// is shown to people or written for them may depend on it.
    fn wall(&self) -> Option<Duration> {
        None
    }
    /// CPU time that the calling thread has used, where the clock tells it.
    fn thread_time(&self) -> Option<Duration> {
        None
    }
}

/// A time of `ms` milliseconds, to the nanosecond; none where that is no time above zero.
#[must_use]
pub fn milliseconds(ms: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(ms / 1e3).ok().filter(|time| !time.is_zero())
}

/// The operating system's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock {
    start: Instant,
}

impl MonotonicClock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wait_until(&self, until: Duration) {
        // a sleep may return early where the system's timer is coarse
        while let Some(rest) = until.checked_sub(self.now()).filter(|rest| !rest.is_zero()) {
            std::thread::sleep(rest);
        }
    }

    fn wall(&self) -> Option<Duration> {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn thread_time(&self) -> Option<Duration> {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
    }
}

/// A clock that stands still until a caller waits for it; then it jumps to the time that was waited for.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug, Default)]
pub struct ManualClock(std::sync::Mutex<Duration>);

#[cfg(any(test, feature = "testing"))]
impl ManualClock {
    fn lock(&self) -> std::sync::MutexGuard<'_, Duration> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(any(test, feature = "testing"))]
impl Clock for ManualClock {
    fn now(&self) -> Duration {
        *self.lock()
    }

    fn wait_until(&self, until: Duration) {
        let mut now = self.lock();
        *now = until.max(*now);
    }
}
