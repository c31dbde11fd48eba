//! Asking a run to end: from a Unix signal, or from a program that embeds the library.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::sync::lock;

/// A request to stop that every thread of a run can see or wait for.
#[derive(Clone, Debug)]
pub struct Stop {
    shared: Arc<Shared>,
    wake: Sender<()>,
    woken: Receiver<()>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Shared with a signal handler, which may do no more than read it.
    asked: Arc<AtomicBool>,
    /// Locked by threads that wait for a time or a request.
    waiting: Mutex<()>,
    ended: Condvar,
}

impl Default for Stop {
    fn default() -> Self {
        let (wake, woken) = bounded(1);
        Self { shared: Arc::default(), wake, woken }
    }
}

impl Stop {
    /// Asks the run to end.
    pub fn ask(&self) {
        let waiting = lock(&self.shared.waiting);
        self.shared.asked.store(true, Ordering::SeqCst);
        drop(waiting);
        self.shared.ended.notify_all();
        // full means that the run has been woken already
        let _ = self.wake.try_send(());
    }

    /// Whether the run was asked to end.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Waits for `time`; true as soon as the run is asked to end.
    pub fn wait(&self, time: Duration) -> bool {
        let waiting = lock(&self.shared.waiting);
        // a poisoned lock holds nothing that could be wrong
        let _ = self.shared.ended.wait_timeout_while(waiting, time, |()| !self.asked());
        self.asked()
    }

    /// Receives once when the run is asked to end.
    pub(crate) fn woken(&self) -> &Receiver<()> {
        &self.woken
    }

    /// What a signal handler may read.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shared.asked)
    }
}
