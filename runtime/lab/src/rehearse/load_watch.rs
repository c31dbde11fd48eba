//! The load during a rehearsal, sampled as the daemon samples it.

use std::io::PipeWriter;
use std::sync::Arc;
use std::thread::JoinHandle;

use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::control::Load;
use gaitd_daemon::{LatestLoad, Sampling, SystemProbe};

/// Keeps reading the load of one processor until it is dropped.
pub(super) struct LoadWatch {
    latest: LatestLoad,
    clock: Arc<dyn Clock>,
    /// Closed to end the thread.
    running: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl LoadWatch {
    /// Watches the processor `cpu` (all of them if there is none) from the processor `from`.
    pub(super) fn start(cpu: Option<usize>, from: Option<usize>) -> std::io::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
        let latest = LatestLoad::default();
        let (over, running) = std::io::pipe()?;
        let (shared, dating) = (latest.clone(), Arc::clone(&clock));
        let thread = std::thread::Builder::new().name("gaitd-load".to_owned()).spawn(move || {
            if let Some(id) = from {
                // where that fails, the reading disturbs the engine a little
                let _ = core_affinity::set_for_current(core_affinity::CoreId { id });
            }
            Sampling::new(Box::new(SystemProbe::new(cpu.as_slice())), shared, dating).run(&over);
        })?;
        Ok(Self { latest, clock, running: Some(running), thread: Some(thread) })
    }

    /// The latest reading, unless it is stale.
    pub(super) fn get(&mut self) -> Load {
        self.latest.get(self.clock.now())
    }
}

impl Drop for LoadWatch {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            // a thread that panicked has nothing left to clean up
            let _ = thread.join();
        }
    }
}
