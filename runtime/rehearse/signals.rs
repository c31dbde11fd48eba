//! The load signals of a rehearsal, read in a thread of their own, as the daemon does.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use crate::control::{SignalProbe, Signals};
use crate::daemon::SystemProbe;

/// From one reading to the next.
const INTERVAL: Duration = Duration::from_millis(500);

/// Keeps reading the signals of one processor until it is dropped.
pub(super) struct SignalWatch {
    latest: Arc<Mutex<Signals>>,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SignalWatch {
    /// Watches the processor `cpu` (all of them if there is none) from the processor `from`.
    pub(super) fn start(cpu: Option<usize>, from: Option<usize>) -> std::io::Result<Self> {
        let latest = Arc::new(Mutex::new(Signals::NONE));
        let shared = Arc::clone(&latest);
        let (end, ended) = bounded::<()>(0);
        let thread = std::thread::Builder::new().name("gaitd-signals".to_owned()).spawn(move || {
            if let Some(id) = from {
                // where that fails, the reading disturbs the engine a little
                let _ = core_affinity::set_for_current(core_affinity::CoreId { id });
            }
            let mut probe = SystemProbe::new(cpu.as_slice());
            // the first reading only starts the interval that the second one closes
            let _ = probe.read();
            while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let signals = probe.read();
                if let Ok(mut latest) = shared.lock() {
                    *latest = signals;
                }
            }
        })?;
        Ok(Self { latest, end: Some(end), thread: Some(thread) })
    }

    /// The latest reading.
    pub(super) fn get(&self) -> Signals {
        self.latest.lock().map_or(Signals::NONE, |signals| *signals)
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // a thread that panicked has nothing left to clean up
            let _ = thread.join();
        }
    }
}
