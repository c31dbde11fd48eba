//! The latest reading of the signals, shared between the thread that makes it and the engine's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::control::{SignalProbe, Signals};

/// From one reading to the next.
const INTERVAL: Duration = Duration::from_millis(500);

/// The latest reading, shared with the engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct LatestSignals(Arc<Mutex<Signals>>);

impl LatestSignals {
    pub(crate) fn get(&self) -> Signals {
        // the engine never waits: a reading that is just being replaced is missing once
        self.0.try_lock().map_or(Signals::NONE, |signals| *signals)
    }

    fn set(&self, signals: Signals) {
        if let Ok(mut latest) = self.0.lock() {
            *latest = signals;
        }
    }

    /// Keeps reading `probe` until `ended` is disconnected.
    pub(crate) fn follow(&self, mut probe: Box<dyn SignalProbe>, ended: &crossbeam_channel::Receiver<()>) {
        while ended.recv_timeout(INTERVAL) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            self.set(probe.read());
        }
    }
}
