//! The engine's thread: takes the newest window, decides it, hands the decision on.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, select};

use super::faults::Repeated;
use super::memory::Copying;
use super::publishing::Outbox;
use super::signals::LatestSignals;
use super::stop::Stop;
use crate::engine::{Decision, Engine};
use crate::sense::Clock;
use crate::window::Window;

pub(super) struct Inference {
    engine: Engine,
    signals: LatestSignals,
    clock: Arc<dyn Clock>,
    outbox: Outbox,
    /// Where what is learned is kept.
    copying: Option<Copying>,
    decided: u64,
    failed: u64,
    faults: Repeated,
    stop: Stop,
}

impl Inference {
    pub(super) fn new(
        engine: Engine,
        signals: LatestSignals,
        clock: Arc<dyn Clock>,
        outbox: Outbox,
        copying: Option<Copying>,
        stop: Stop,
    ) -> Self {
        Self { engine, signals, clock, outbox, copying, decided: 0, failed: 0, faults: Repeated::default(), stop }
    }

    /// Decides windows until their sender is gone, or, once `halted` is disconnected, until none waits. Returns how
    /// many were decided and how many failed.
    pub(super) fn follow(
        mut self,
        windows: &Receiver<Box<Window>>,
        spare: &Sender<Box<Window>>,
        recycled: &Receiver<Box<Decision>>,
        halted: &Receiver<()>,
    ) -> (u64, u64) {
        loop {
            let window = select! {
                recv(windows) -> window => window.ok(),
                recv(halted) -> _ => windows.try_recv().ok(),
            };
            let Some(window) = window else { break };
            if !self.decide(&window, recycled) {
                break;
            }
            // full or gone only when the run is over
            let _ = spare.try_send(window);
        }
        if let Some(copying) = &self.copying {
            copying.ended(&self.engine);
        }
        (self.decided, self.failed)
    }

    /// Decides one window; false when nobody is left to publish it.
    fn decide(&mut self, window: &Window, recycled: &Receiver<Box<Decision>>) -> bool {
        let Ok(mut decision) = recycled.recv() else { return false };
        let signals = self.signals.get(self.clock.now());
        match self.engine.decide(window, signals, self.clock.as_ref(), &mut decision) {
            Ok(()) => {
                self.decided += 1;
                let wanted = self.outbox.send(decision);
                // after the decision is on its way
                if let Some(copying) = &mut self.copying {
                    copying.decided(&self.engine);
                }
                wanted
            }
            Err(error) => {
                self.failed += 1;
                if let Some(count) = self.faults.occurred(self.clock.now()) {
                    log::error!("window {}: {error} ({count} so far); it stays without a decision", window.index);
                }
                self.outbox.give_back(decision)
            }
        }
    }
}

impl Drop for Inference {
    fn drop(&mut self) {
        // also when this thread panics: a daemon that senses but never decides must not look alive
        self.stop.ask();
    }
}
