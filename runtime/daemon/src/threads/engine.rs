//! The engine's thread: takes the newest window, decides it, hands the decision on.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, never, select};

use crate::learned_state::Copying;
use crate::load::LatestSignals;
use crate::os::stop::Stop;
use crate::repeated_faults::Repeated;
use crate::stream::counters::Live;
use crate::threads::decision_queue::Lane;
use gaitd_core::clock::Clock;
use gaitd_core::engine::{Decision, Engine};
use gaitd_core::window::Window;

/// How often a thread that has nothing to do shows that it could.
const PULSE: Duration = Duration::from_secs(1);

/// What the thread works with, and another one takes over.
pub(crate) struct Deciding {
    pub(crate) engine: Engine,
    /// Where what is learned is kept.
    pub(crate) copying: Option<Copying>,
    /// What is learned is of the same ladder, profile and processor as before.
    pub(crate) goes_on: bool,
}

/// The other end of an engine's exchange.
pub(crate) struct Exchange {
    /// The next one.
    pub(crate) next: Receiver<Deciding>,
    /// For the one before.
    pub(crate) before: Sender<Deciding>,
}

pub(crate) struct Inference {
    deciding: Deciding,
    exchange: Exchange,
    signals: LatestSignals,
    clock: Arc<dyn Clock>,
    lanes: Vec<Lane>,
    decision: Decision,
    /// The configuration of the decision before.
    last: Option<(usize, u64)>,
    live: Arc<Live>,
    faults: Repeated,
    stop: Stop,
}

impl Inference {
    pub(crate) fn new(
        deciding: Deciding,
        exchange: Exchange,
        signals: LatestSignals,
        clock: Arc<dyn Clock>,
        lanes: Vec<Lane>,
        live: Arc<Live>,
        stop: Stop,
    ) -> Self {
        let decision = Decision::empty(deciding.engine.ladder().manifest());
        Self {
            deciding,
            exchange,
            signals,
            clock,
            lanes,
            decision,
            last: None,
            live,
            faults: Repeated::default(),
            stop,
        }
    }

    /// Decides windows until their sender is gone.
    pub(crate) fn follow(mut self, windows: &Receiver<Box<Window>>, spare: &Sender<Box<Window>>) {
        // a slow device has taken its time to measure the ladder
        self.live.heartbeat.beat(self.clock.now());
        loop {
            let window = select! {
                recv(windows) -> window => window.ok(),
                recv(self.exchange.next) -> next => {
                    match next {
                        Ok(next) => self.exchange_for(next),
                        Err(_) => self.exchange.next = never(),
                    }
                    continue;
                }
                default(PULSE) => {
                    self.live.heartbeat.beat(self.clock.now());
                    continue;
                }
            };
            let Some(window) = window else { break };
            if !self.decide(&window) {
                break;
            }
            self.live.heartbeat.beat(self.clock.now());
            // full or gone only when the run is over
            let _ = spare.try_send(window);
        }
        if let Some(copying) = &self.deciding.copying {
            copying.ended(&self.deciding.engine);
        }
    }

    /// Goes on with another engine, between two windows.
    fn exchange_for(&mut self, mut next: Deciding) {
        if next.goes_on {
            next.engine.succeed(&self.deciding.engine);
        }
        let before = std::mem::replace(&mut self.deciding, next);
        if let Some(copying) = &before.copying {
            copying.ended(&before.engine);
        }
        // whoever asked for it waits, and frees what is no longer needed
        let _ = self.exchange.before.send(before);
    }

    /// Decides one window; false when nobody is left to publish it.
    fn decide(&mut self, window: &Window) -> bool {
        let signals = self.signals.get(self.clock.now());
        let Deciding { engine, copying, .. } = &mut self.deciding;
        match engine.decide(window, signals, self.clock.as_ref(), &mut self.decision) {
            Ok(()) => {
                self.live.decided.count();
                let mut wanted = true;
                for lane in &mut self.lanes {
                    wanted &= lane.send(&self.decision);
                }
                // after the decision is on its way
                if let Some(copying) = copying {
                    copying.decided(engine);
                }
                let configuration = self.decision.configuration();
                let now = (configuration.resolution, configuration.width.to_bits());
                if self.last.replace(now).is_some_and(|last| last != now) {
                    self.live.switches.count();
                }
                wanted
            }
            Err(error) => {
                self.live.failed.count();
                if let Some(count) = self.faults.occurred(self.clock.now()) {
                    log::error!("window {}: {error} ({count} so far); it stays without a decision", window.index);
                }
                true
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
