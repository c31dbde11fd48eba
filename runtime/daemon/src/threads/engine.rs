//! The engine's thread: takes the windows that can be answered in time, decides them, hands the decisions on.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, never, select};

use crate::account::RunCounters;
use crate::control_handle::SettingsWatch;
use crate::learned_state::SnapshotWriter;
use crate::load::LatestLoad;
use crate::log_limits::RateLimitedLog;
use crate::os::stop::Stop;
use crate::threads::Cpu;
use crate::threads::publishing::DecisionTx;
use crate::threads::queue::{LatestRx, LatestTx, latest};
use crate::threads::waiting::{self, Moment, Turn, Waiting};
use gaitd_core::clock::Clock;
use gaitd_core::control::Overhead;
use gaitd_core::engine::{Beside, Decision, Diary, Engine, Inputs, Second, Wearer};
use gaitd_core::ladder::Manifest;
use gaitd_core::window::Window;

/// How often a thread that has nothing to do shows that it could.
const PULSE: Duration = Duration::from_secs(1);

/// What windows have taken beside their inferences that may wait to be learned.
pub(crate) const BESIDE: usize = 64;

/// What the thread works with, and a reload replaces.
pub(crate) struct ActiveEngine {
    pub(crate) engine: Engine,
    pub(crate) wearer: Wearer,
    /// What is demanded.
    pub(crate) settings: SettingsWatch,
    /// Where copies of what is learned are kept.
    pub(crate) snapshots: Option<SnapshotWriter>,
    /// The ladder, profile and processor are those before, and so what was learned stays true.
    pub(crate) continues: bool,
    /// Where the decisions go.
    pub(crate) publishers: Vec<DecisionTx>,
}

/// The end of the engine's handover at which a reload stands.
pub(crate) struct HandoverTx {
    /// Takes the next engine when the thread is between two windows.
    pub(crate) next: Sender<ActiveEngine>,
    /// Gives the engine before, whose publishers are closed.
    pub(crate) previous: Receiver<ActiveEngine>,
}

struct HandoverRx {
    next: Receiver<ActiveEngine>,
    previous: Sender<ActiveEngine>,
}

/// The running thread.
pub(crate) struct EngineHandle {
    pub(crate) thread: JoinHandle<()>,
    /// Where it takes windows from; it ends when this is dropped.
    pub(crate) windows: LatestTx<Window>,
    /// Where it takes windows from that are still to be completed.
    pub(crate) heads: LatestTx<Window>,
    pub(crate) handover: HandoverTx,
}

/// What the thread shares with others.
pub(crate) struct EngineContext {
    pub(crate) load: LatestLoad,
    /// How long published windows have taken beside their inferences.
    pub(crate) beside: Receiver<Beside>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<RunCounters>,
    pub(crate) stop: Stop,
    /// How long an episode lasts at least, where that is said.
    pub(crate) shortest: Option<Duration>,
}

struct EngineThread {
    active: ActiveEngine,
    handover: HandoverRx,
    context: EngineContext,
    decision: Decision,
    diary: Diary,
    /// What is learned of [`EngineContext::beside`]: since windows were taken, and since their last samples arrived.
    since_taken: Overhead,
    since_arrived: Overhead,
    /// The ladder and the plan of the decision before.
    last: Option<(Arc<Manifest>, usize)>,
    faults: RateLimitedLog,
}

/// Starts the engine's thread. Where it is `lossless`, the sender of windows waits for it.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn spawn(
    active: ActiveEngine,
    context: EngineContext,
    cpu: Cpu,
    lossless: bool,
) -> std::io::Result<EngineHandle> {
    let manifest = active.engine.ladder().manifest();
    let (channels, length) = (manifest.task.channels.len(), manifest.task.window);
    let decision = Decision::empty(manifest);
    let diary = Diary::new(&manifest.task, context.shortest);
    // a source that waits need not be ahead of the engine
    let capacity = if lossless { 1 } else { waiting::CAPACITY };
    let (windows, incoming) = latest(capacity, capacity + 1, lossless, || Window::new(channels, length));
    let waiting = Waiting::new(incoming, capacity, lossless);
    let (heads, incoming_heads) = latest(1, 1, false, || Window::new(channels, length));
    let (next, next_engine) = bounded(0);
    let (previous, previous_engine) = bounded(1);
    let handover = HandoverRx { next: next_engine, previous };
    let faults = RateLimitedLog::default();
    let body = EngineThread {
        active,
        handover,
        context,
        decision,
        diary,
        since_taken: Overhead::NONE,
        since_arrived: Overhead::NONE,
        last: None,
        faults,
    };
    let thread = super::spawn("engine", cpu, move || body.run(waiting, &incoming_heads))?;
    Ok(EngineHandle { thread, windows, heads, handover: HandoverTx { next, previous: previous_engine } })
}

impl EngineThread {
    /// Decides windows until their sender is gone.
    fn run(mut self, mut windows: Waiting, heads: &LatestRx<Window>) {
        // a slow device has taken its time to measure the ladder
        self.beat();
        loop {
            if windows.is_empty() {
                select! {
                    recv(windows.incoming()) -> window => match window {
                        Ok(window) => windows.hold(window),
                        Err(_) => break,
                    },
                    recv(heads.values()) -> head => {
                        if let Ok(window) = head {
                            self.begin(&window, &windows);
                            heads.give_back(window);
                            self.beat();
                        }
                        // where its sender is gone, so is that of windows
                        continue;
                    }
                    recv(self.handover.next) -> next => {
                        self.hand_over(next.map_err(|_| TryRecvError::Disconnected));
                        continue;
                    }
                    default(PULSE) => {
                        self.beat();
                        continue;
                    }
                }
            } else {
                let next = self.handover.next.try_recv();
                self.hand_over(next);
            }
            let Some((window, turn)) = self.take_turn(&mut windows) else { continue };
            if !self.decide(&window, turn.reserve) {
                break;
            }
            self.beat();
            windows.give_back(window);
        }
        *self.context.counters.last_episode() = self.diary.finish();
        if let Some(snapshots) = &self.active.snapshots {
            snapshots.finish(&self.active.engine);
        }
    }

    /// The next window that is still to be answered, and whose turn it is.
    fn take_turn(&mut self, windows: &mut Waiting) -> Option<(Box<Window>, Turn)> {
        self.learn_beside();
        let EngineContext { clock, counters, .. } = &self.context;
        let moment = Moment {
            now: clock.now(),
            budget: self.active.settings.latest().budget,
            quickest: self.active.engine.quickest(),
            overhead: self.since_taken.quantile(0.5),
        };
        let taken = windows.take(&moment);
        if let Some((_, turn)) = &taken {
            counters.overtaken.add(turn.overtaken as u64);
        }
        taken
    }

    fn learn_beside(&mut self) {
        for beside in self.context.beside.try_iter() {
            self.since_taken.observe(beside.taken);
            self.since_arrived.observe(beside.arrived);
        }
    }

    fn beat(&self) {
        self.context.counters.heartbeat.beat(self.context.clock.now());
    }

    /// Goes on with another engine, where a reload has one.
    fn hand_over(&mut self, next: Result<ActiveEngine, TryRecvError>) {
        match next {
            Ok(next) => self.take_over(next),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.handover.next = never(),
        }
    }

    /// Goes on with another engine, between two windows.
    fn take_over(&mut self, mut next: ActiveEngine) {
        if next.continues {
            // the policy then starts afresh
            if let Err(error) = next.engine.take_over(&self.active.engine) {
                log::error!("internal error: {error}");
            }
        }
        let mut previous = std::mem::replace(&mut self.active, next);
        if let Some(snapshots) = &previous.snapshots {
            snapshots.finish(&previous.engine);
        }
        // its publishers end when they have published what was decided so far
        previous.publishers.clear();
        // the reload waits for it, and frees what is no longer needed
        let _ = self.handover.previous.send(previous);
    }

    /// Begins with a window whose last samples are still to come, unless all of it is there by now.
    fn begin(&mut self, window: &Window, windows: &Waiting) {
        self.learn_beside();
        let has_arrived = || !windows.incoming().is_empty();
        if has_arrived() {
            return;
        }
        let EngineContext { load, clock, counters, .. } = &mut self.context;
        let load = load.get(clock.now());
        let ActiveEngine { engine, wearer, settings, .. } = &mut self.active;
        let inputs =
            Inputs { load, reserve: Duration::ZERO, overhead: &self.since_arrived, settings: settings.latest() };
        match engine.begin(wearer, window, &inputs, clock.as_ref(), &has_arrived) {
            Ok(begun) => counters.begun.add(u64::from(begun)),
            // the window is inferred whole, and what is wrong is told then
            Err(error) => log::debug!("window {}: {error}; it is inferred when it is complete", window.index),
        }
    }

    /// Decides one window, of whose time `others` is left to those behind it; false when a publisher is gone.
    fn decide(&mut self, window: &Window, others: Duration) -> bool {
        let EngineContext { load, clock, counters, .. } = &mut self.context;
        let load = load.get(clock.now());
        let ActiveEngine { engine, wearer, settings, snapshots, publishers, .. } = &mut self.active;
        let inputs = Inputs { load, reserve: others, overhead: &self.since_taken, settings: settings.latest() };
        match engine.decide(wearer, window, &inputs, clock.as_ref(), &mut self.decision) {
            Ok(()) => {
                counters.decided.count();
                self.decision.episode = self.diary.push(&self.decision);
                if let Some(head) = self.decision.head {
                    counters.begun_answered.count();
                    counters.begun_late.add(u64::from(head.given_up.is_some()));
                }
                if let Some(escalation) = self.decision.escalation {
                    match escalation.second {
                        Second::NotNeeded => counters.second_not_needed.count(),
                        Second::Answered(_) => counters.second_answered.count(),
                        Second::NoTime => counters.second_no_time.count(),
                        Second::Failed => counters.second_failed.count(),
                    }
                }
                let mut published = true;
                for publisher in publishers {
                    published &= publisher.send(&self.decision);
                }
                // after the decision is on its way
                if let Some(snapshots) = snapshots {
                    snapshots.decided(engine);
                }
                if let Some(error) = engine.take_fault()
                    && let Some(count) = self.faults.occurred(clock.now())
                {
                    let answered = &self.decision.configuration().id;
                    log::error!(
                        "window {}: the second inference: {error} ({count} so far); the answer of {answered} stands",
                        window.index
                    );
                }
                counters.switches.add(u64::from(has_switched(&mut self.last, &self.decision)));
                published
            }
            Err(error) => {
                counters.failed.count();
                if let Some(count) = self.faults.occurred(clock.now()) {
                    log::error!("window {}: {error} ({count} so far); it stays without a decision", window.index);
                }
                true
            }
        }
    }
}

impl Drop for EngineThread {
    fn drop(&mut self) {
        // also when this thread panics: a daemon that senses but never decides must not look alive
        self.context.stop.ask();
    }
}

/// Whether `decision` is of another plan than the one before, `last`; a plan of the same name of another ladder is the same.
fn has_switched(last: &mut Option<(Arc<Manifest>, usize)>, decision: &Decision) -> bool {
    let (manifest, plan) = (&decision.manifest, decision.choice.plan);
    let switched = last.as_ref().is_some_and(|(before, last)| {
        if Arc::ptr_eq(before, manifest) { *last != plan } else { before.plans()[*last] != manifest.plans()[plan] }
    });
    *last = Some((Arc::clone(manifest), plan));
    switched
}
