//! Asking a run to end: from a signal, or from whoever embeds the library.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};

/// A request to stop that every thread of a run can see or wait for.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    wake: Sender<()>,
    woken: Receiver<()>,
}

impl Default for Stop {
    fn default() -> Self {
        let (wake, woken) = bounded(1);
        Self { asked: Arc::default(), wake, woken }
    }
}

impl Stop {
    /// Asks the run to end.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        // full means that the run has been woken already
        let _ = self.wake.try_send(());
    }

    /// Whether the run was asked to end.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Receives once when the run is asked to end.
    pub(super) fn woken(&self) -> &Receiver<()> {
        &self.woken
    }

    /// Asks on SIGINT or SIGTERM; a second signal ends the process at once.
    ///
    /// # Errors
    /// When the handlers cannot be registered.
    pub fn on_signals(&self) -> std::io::Result<()> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        for signal in [SIGINT, SIGTERM] {
            // Actions run in the order of their registration. This one must come first: were the thread below woken
            // before it, that thread could arm it while the first signal is still being handled.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&self.asked))?;
        }
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        let stop = self.clone();
        std::thread::Builder::new().name("gaitd-signal".to_owned()).spawn(move || {
            for _ in signals.forever() {
                stop.ask();
            }
        })?;
        Ok(())
    }
}
