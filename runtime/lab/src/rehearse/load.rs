//! What a co-runner does: it takes a share of one processor, in one of several ways, for as long as it is held.

use std::hint::black_box;
use std::io::{Read, Write};
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use gaitd_core::clock::{Clock, MonotonicClock};

/// How a co-runner takes its share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadKind {
    /// It computes, a part of every 20 ms.
    #[default]
    Cpu,
    /// It streams through more memory than the caches hold, a part of every 20 ms.
    Memory,
    /// It computes in bursts of 0.2 to 2 s at twice the share (at most 80 %), and rests in between.
    Bursts,
}

impl LoadKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Bursts];

    /// The name under which the kind stands in flags and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Bursts => "bursts",
        }
    }
}

/// The load that one co-runner puts on one processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoRunnerLoad {
    /// How it takes its share.
    pub kind: LoadKind,
    /// Share of the processor's time, above 0 and at most [`CoRunnerLoad::LARGEST`].
    pub share: f64,
    /// The processor, by number; wherever the system puts it if there is none.
    pub cpu: Option<usize>,
    /// Seed of the bursts.
    pub seed: u64,
}

/// Work and rest alternate in periods of this length.
const PERIOD: Duration = Duration::from_millis(20);

/// The share of time of a burst; more would leave hardly anything to measure.
const MOST_IN_BURST: f64 = 0.8;

/// Shortest and longest burst, seconds.
pub(super) const BURST_S: (f64, f64) = (0.2, 2.0);

/// What a co-runner writes once it is at work.
pub(super) const READY: &[u8] = b"ready\n";

impl CoRunnerLoad {
    /// The largest share that a co-runner takes: of less than a tenth of a processor nothing can be learnt in the time
    /// of a rehearsal.
    pub const LARGEST: f64 = 0.9;

    /// The share that it takes in a burst, and the mean rest per mean burst; nothing where it takes its share evenly.
    pub(super) fn bursts(&self) -> Option<(f64, f64)> {
        let share = (2.0 * self.share).min(MOST_IN_BURST).max(self.share);
        (self.kind == LoadKind::Bursts).then(|| (share, share / self.share - 1.0))
    }

    /// Threads that together get the share from a scheduler that is fair to every thread: each alone would get no
    /// more than the inference does.
    fn threads(&self) -> usize {
        let most = if self.kind == LoadKind::Bursts { MOST_IN_BURST.max(self.share) } else { self.share };
        (most / (1.0 - most)).ceil() as usize + 2
    }
}

/// Takes `load` until `held` ends, as it does when the process that holds its other end has ended, in whatever way.
/// Writes the line `ready` to `ready` when the work has begun.
///
/// The threads that do the work are left to the end of the process.
///
/// # Errors
/// When a thread cannot be started, or `held` or `ready` fails.
pub fn carry(load: &CoRunnerLoad, mut held: impl Read, mut ready: impl Write) -> std::io::Result<()> {
    if let Some(id) = load.cpu
        && !core_affinity::set_for_current(core_affinity::CoreId { id })
    {
        return Err(std::io::Error::other(format!("cannot be pinned to processor {id}")));
    }
    let clock = MonotonicClock::start();
    let threads = load.threads();
    for _ in 0..threads {
        let worker = Worker::new(load, clock, threads);
        // a thread starts on the processors of the one that started it
        std::thread::Builder::new().name("gaitd-load".to_owned()).spawn(move || worker.work())?;
    }
    ready.write_all(READY)?;
    ready.flush()?;
    let mut nothing = [0; 64];
    loop {
        match held.read(&mut nothing) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// One of the threads that take a share together.
struct Worker {
    clock: MonotonicClock,
    threads: u32,
    demand: Demand,
    memory: Vec<u64>,
    place: usize,
}

/// The share that is due at each moment; the same in every thread, since it follows from the seed and the clock.
enum Demand {
    Steady(f64),
    Bursts { share: f64, rest: f64, busy: bool, until: f64, rng: Xoshiro256PlusPlus },
}

impl Demand {
    fn new(load: &CoRunnerLoad) -> Self {
        let Some((share, rest)) = load.bursts() else { return Self::Steady(load.share) };
        Self::Bursts { share, rest, busy: false, until: 0.0, rng: Xoshiro256PlusPlus::seed_from_u64(load.seed) }
    }

    fn at(&mut self, now: Duration) -> f64 {
        match self {
            Self::Steady(share) => *share,
            Self::Bursts { share, rest, busy, until, rng } => {
                while *until <= now.as_secs_f64() {
                    *busy = !*busy;
                    let length = rng.random_range(BURST_S.0..BURST_S.1);
                    *until += if *busy { length } else { length * *rest };
                }
                if *busy { *share } else { 0.0 }
            }
        }
    }
}

impl Worker {
    fn new(load: &CoRunnerLoad, clock: MonotonicClock, threads: usize) -> Self {
        let memory = match load.kind {
            LoadKind::Memory => vec![1; 2 * super::machine::last_level_cache() / size_of::<u64>() / threads],
            LoadKind::Cpu | LoadKind::Bursts => Vec::new(),
        };
        Self { clock, threads: threads as u32, demand: Demand::new(load), memory, place: 0 }
    }

    fn work(mut self) {
        loop {
            let now = self.clock.now();
            let period = now.as_nanos() / PERIOD.as_nanos();
            let end = PERIOD * u32::try_from(period + 1).unwrap_or(u32::MAX);
            let quota = PERIOD.mul_f64(self.demand.at(now)) / self.threads;
            let start = thread_time();
            // what a period leaves undone, because something else took the processor, is not made up for
            while thread_time().saturating_sub(start) < quota && self.clock.now() < end {
                self.step();
            }
            self.clock.wait_until(end);
        }
    }

    /// Some ten microseconds of work.
    fn step(&mut self) {
        if self.memory.is_empty() {
            let mut x = 1_u64;
            for _ in 0..4096 {
                x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).rotate_left(7));
            }
            return;
        }
        const STRETCH: usize = 8192;
        let end = (self.place + STRETCH).min(self.memory.len());
        for value in &mut self.memory[self.place..end] {
            *value = value.wrapping_add(1);
        }
        black_box(&self.memory[self.place]);
        self.place = if end == self.memory.len() { 0 } else { end };
    }
}

/// CPU time that this thread has used.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_have_the_share_and_the_lengths_that_they_should() {
        for share in [0.1, 0.3, 0.6, 0.9] {
            let load = CoRunnerLoad { kind: LoadKind::Bursts, share, cpu: None, seed: 7 };
            let (mut demand, mut twin) = (Demand::new(&load), Demand::new(&load));
            let ticks = 500_000;
            let mut sum = 0.0;
            for tick in 0..ticks {
                let now = PERIOD * tick;
                let due = demand.at(now);
                assert_eq!(due, twin.at(now), "every thread finds the same");
                sum += due;
            }
            let mean = sum / f64::from(ticks);
            assert!((mean / share - 1.0).abs() < 0.05, "{mean} of {share}");
        }
    }

    #[test]
    fn enough_threads_to_get_the_share_from_a_fair_scheduler() {
        for percent in 1..=90 {
            let load = CoRunnerLoad { kind: LoadKind::Cpu, share: f64::from(percent) / 100.0, cpu: None, seed: 0 };
            let threads = load.threads() as f64;
            assert!(threads / (threads + 1.0) > load.share, "{percent}");
        }
    }

    #[test]
    fn the_work_ends_with_its_holder_and_reports_when_it_begins() {
        let load = CoRunnerLoad { kind: LoadKind::Cpu, share: 0.01, cpu: None, seed: 0 };
        let mut ready = Vec::new();
        carry(&load, std::io::empty(), &mut ready).unwrap();
        assert_eq!(ready, READY);
    }
}
