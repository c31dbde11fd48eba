//! A clock that stands still but for inferences, and a ladder whose inferences take what a scenario says. The answers
//! are real, the latencies are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::ladder::{InferenceError, Runner};

/// A clock that only moves when it is waited for, or when a runner infers that was made by [`slow_down`].
#[derive(Debug, Default)]
pub struct VirtualClock {
    now_ns: AtomicU64,
    cpu_ns: AtomicU64,
    /// The slowdown of the next inference, as bits of an `f64`.
    slowdown: AtomicU64,
}

impl VirtualClock {
    /// A clock at 0 whose inferences take as long as profiled.
    #[must_use]
    pub fn new() -> Self {
        Self { slowdown: AtomicU64::new(1.0f64.to_bits()), ..Self::default() }
    }

    /// The next inferences take `slowdown` times as long as profiled.
    pub fn set_slowdown(&self, slowdown: f64) {
        self.slowdown.store(slowdown.to_bits(), Ordering::Relaxed);
    }

    fn infer(&self, profiled: Duration) {
        let slowdown = f64::from_bits(self.slowdown.load(Ordering::Relaxed));
        let taken = Duration::try_from_secs_f64(profiled.as_secs_f64() * slowdown).unwrap_or(Duration::from_secs(60));
        self.now_ns.fetch_add(taken.as_nanos() as u64, Ordering::Relaxed);
        self.cpu_ns.fetch_add(profiled.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.now_ns.load(Ordering::Relaxed))
    }

    fn wait_until(&self, until: Duration) {
        self.now_ns.fetch_max(until.as_nanos() as u64, Ordering::Relaxed);
    }

    fn thread_time(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.cpu_ns.load(Ordering::Relaxed)))
    }
}

/// A runner that takes virtual time.
struct Slowed {
    inner: Box<dyn Runner>,
    profiled: Vec<Duration>,
    clock: Arc<VirtualClock>,
    /// The configuration whose head was done last.
    begun: usize,
}

/// Of an inference that begins before its window is complete, so many parts, which take equally long, are its head, and one
/// is its tail.
const HEAD_PARTS: u32 = 7;

impl Slowed {
    /// What each part of an inference of `rung` takes.
    fn part(&self, rung: usize) -> Duration {
        self.profiled[rung] / (HEAD_PARTS + 1)
    }
}

impl Runner for Slowed {
    fn infer(&mut self, rung: usize, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError> {
        self.clock.infer(self.profiled[rung]);
        self.inner.infer(rung, window, logits)
    }

    fn head(
        &mut self,
        rung: usize,
        window: &[f32],
        missing: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<bool, InferenceError> {
        let part = self.part(rung);
        for _ in 0..HEAD_PARTS {
            if !go_on() {
                return Ok(false);
            }
            self.clock.infer(part);
        }
        self.begun = rung;
        self.inner.head(rung, window, missing, &mut || true)
    }

    fn tail(&mut self, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError> {
        self.clock.infer(self.part(self.begun));
        self.inner.tail(window, logits)
    }
}

/// Lets each inference of `runner` take its configuration's latency in `profiled` (one per configuration, in the ladder's
/// order) on `clock`, times the clock's slowdown. An eighth of that is the tail of one that begins before its window is complete.
#[must_use]
pub fn slow_down(runner: Box<dyn Runner>, profiled: Vec<Duration>, clock: &Arc<VirtualClock>) -> Box<dyn Runner> {
    Box::new(Slowed { inner: runner, profiled, clock: Arc::clone(clock), begun: 0 })
}
