//! The publishers' threads: each takes decisions from a queue of its own, so that none slows the engine or another one.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::account::{PublisherCounters, RunAccount, RunCounters};
use crate::log_limits::RateLimitedLog;
use crate::os::stop::Stop;
use crate::publish::{PublishError, Publisher, RunHeader};
use crate::sync::lock;
use crate::threads::queue::{LatestRx, LatestTx, Sent, latest};
use crate::threads::{Cpu, spawn};
use gaitd_api::{OutputState, OutputView, Summary};
use gaitd_core::clock::Clock;
use gaitd_core::decode::Episode;
use gaitd_core::engine::Decision;
use gaitd_core::words::counted;

/// Decisions that may wait for a slow publisher before the oldest one is lost.
const QUEUE: usize = 64;

/// A publisher that is ready to begin.
pub(crate) struct NewPublisher {
    pub(crate) publisher: Box<dyn Publisher>,
    /// Its name, unique among those of a run: a successor with the same name begins when it has ended.
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// What a publisher is to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// An output of the configuration; the engine waits for it where nothing may be lost.
    Output,
    /// It stands in where there is no output.
    Account,
    /// It shows decisions to those who watch, and loses what it has no time for.
    Watcher,
}

/// The engine's end of the way to a publisher.
pub(crate) struct DecisionTx {
    queue: LatestTx<Decision>,
    counters: Arc<PublisherCounters>,
    /// The run's counters, where this is the first publisher.
    run: Option<Arc<RunCounters>>,
}

impl DecisionTx {
    /// Sends a copy of `decision`; false when the publisher is gone.
    pub(crate) fn send(&mut self, decision: &Decision) -> bool {
        let sent = self.queue.send(|copy| copy.copy_from(decision));
        if sent == Sent::Overtook {
            self.counters.lost.count();
            if let Some(run) = &self.run {
                run.lost.count();
            }
        }
        sent != Sent::Closed
    }
}

/// The publishers of a run, which a reload replaces.
pub(crate) struct Publishers {
    clock: Arc<dyn Clock>,
    stop: Stop,
    account: Arc<Mutex<RunAccount>>,
    counters: Arc<RunCounters>,
    cpu: Cpu,
    /// The engine waits for the outputs.
    lossless: bool,
    running: Mutex<Running>,
}

struct Running {
    active: Vec<Handle>,
    /// Replaced by a reload; each ends when it has published what was decided before.
    replaced: Vec<Handle>,
    /// The counters of every publisher so far, by name.
    counters: Vec<(String, Arc<PublisherCounters>)>,
    /// What the decisions of the active ones have in common.
    header: RunHeader,
}

struct Handle {
    name: String,
    role: Role,
    counters: Arc<PublisherCounters>,
    thread: JoinHandle<Option<io::Error>>,
    /// Disconnected when there is nothing left to publish.
    drained: Receiver<()>,
    /// Outputs of the same configuration whose readers are there: with the last of them the run ends.
    open_outputs: Arc<AtomicUsize>,
    /// Takes what the run ends with; dropped where the publisher is replaced.
    ending: Option<Sender<Arc<Ending>>>,
}

/// What a run ends with.
struct Ending {
    /// The episode that the end of the stream has ended.
    episode: Option<Episode>,
    summary: Summary,
}

/// Threads that begin when they are put into force, and end without a word when they are dropped before.
pub(crate) struct PendingPublishers {
    handles: Vec<Handle>,
    begin: Vec<Sender<()>>,
    header: RunHeader,
}

impl Publishers {
    /// Publishers whose first one keeps `account` and counts in `counters`.
    pub(crate) fn new(
        account: RunAccount,
        header: &RunHeader,
        counters: Arc<RunCounters>,
        clock: Arc<dyn Clock>,
        stop: Stop,
        cpu: Cpu,
        lossless: bool,
    ) -> Self {
        let header = header.clone();
        let running = Running { active: Vec::new(), replaced: Vec::new(), counters: Vec::new(), header };
        let (account, running) = (Arc::new(Mutex::new(account)), Mutex::new(running));
        Self { clock, stop, account, counters, cpu, lossless, running }
    }

    /// Starts a thread for each of `publishers`, the outputs first, with buffers like `blank`. They begin when they are
    /// activated; the decisions for them go into the queues that come with them.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(
        &self,
        publishers: Vec<NewPublisher>,
        header: &RunHeader,
        blank: &Decision,
    ) -> io::Result<(PendingPublishers, Vec<DecisionTx>)> {
        let mut pending = PendingPublishers { handles: Vec::new(), begin: Vec::new(), header: header.clone() };
        let outputs = publishers.iter().filter(|publisher| publisher.role == Role::Output).count();
        let open_outputs = Arc::new(AtomicUsize::new(outputs));
        let mut queues = Vec::new();
        for (place, NewPublisher { publisher, name, role }) in publishers.into_iter().enumerate() {
            let lossless = self.lossless && role != Role::Watcher;
            let (queue, values) = latest(QUEUE, 1, lossless, || blank.clone());
            let (begin, begun) = bounded(1);
            let (draining, drained) = bounded(0);
            let (ending, endings) = bounded(1);
            let (counters, predecessor) = self.known(&name);
            let first = place == 0;
            let thread = PublisherThread {
                name: name.clone(),
                role,
                publisher,
                header: header.clone(),
                counters: Arc::clone(&counters),
                account: first.then(|| Arc::clone(&self.account)),
                clock: Arc::clone(&self.clock),
                stop: self.stop.clone(),
                open_outputs: Arc::clone(&open_outputs),
                closed: false,
                faults: RateLimitedLog::default(),
                error: None,
            };
            let thread = spawn("publish", self.cpu, move || {
                if begun.recv().is_err() {
                    return None;
                }
                if let Some(predecessor) = predecessor {
                    // an error says that it has nothing left to publish
                    let _ = predecessor.recv();
                }
                thread.run(&values, draining, &endings)
            })?;
            let run = first.then(|| Arc::clone(&self.counters));
            queues.push(DecisionTx { queue, counters: Arc::clone(&counters), run });
            pending.begin.push(begin);
            let open_outputs = Arc::clone(&open_outputs);
            pending.handles.push(Handle { name, role, counters, thread, drained, open_outputs, ending: Some(ending) });
        }
        Ok((pending, queues))
    }

    /// The counters of the publisher with this name, and the end of the active one.
    fn known(&self, name: &str) -> (Arc<PublisherCounters>, Option<Receiver<()>>) {
        let mut running = lock(&self.running);
        let predecessor = running.active.iter().find(|handle| handle.name == name);
        let predecessor = predecessor.map(|handle| handle.drained.clone());
        let counters =
            running.counters.iter().find(|(known, _)| known == name).map(|(_, counters)| Arc::clone(counters));
        let counters = counters.unwrap_or_else(|| {
            let counters = Arc::<PublisherCounters>::default();
            running.counters.push((name.to_owned(), Arc::clone(&counters)));
            counters
        });
        (counters, predecessor)
    }

    /// Lets `pending` begin, in place of those before, whose queues the engine has closed.
    pub(crate) fn activate(&self, mut pending: PendingPublishers) {
        let mut running = lock(&self.running);
        let running = &mut *running;
        for begin in pending.begin.drain(..) {
            // there is room for one
            let _ = begin.try_send(());
        }
        for handle in &pending.handles {
            handle.counters.set_health(OutputState::Writing, None);
        }
        running.header = pending.header.clone();
        let before = std::mem::replace(&mut running.active, std::mem::take(&mut pending.handles));
        for handle in &before {
            // the run no longer ends with the last of these
            handle.open_outputs.store(usize::MAX, Ordering::Relaxed);
        }
        running.replaced.retain(|handle| !handle.thread.is_finished());
        running.replaced.extend(before.into_iter().map(|handle| Handle { ending: None, ..handle }));
    }

    /// How the outputs are, in the order of the configuration.
    pub(crate) fn outputs(&self) -> Vec<OutputView> {
        let running = lock(&self.running);
        let outputs = running.active.iter().filter(|handle| handle.role == Role::Output);
        outputs.map(|handle| handle.view()).collect()
    }

    /// Waits until everything is published, hands the account to `complete`, publishes what comes back, and ends the
    /// threads. Returns that summary, and the last error of the first output that was losing decisions in the end. Where the
    /// source `failed` before anything was decided, the outputs stay as they are: there is nothing to sum up.
    ///
    /// # Errors
    /// When a publisher has panicked.
    pub(crate) fn finish(
        &self,
        failed: bool,
        complete: impl FnOnce(Summary) -> Summary,
    ) -> std::thread::Result<(Summary, Option<io::Error>)> {
        let (active, replaced, header) = {
            let mut running = lock(&self.running);
            let (active, replaced) = (std::mem::take(&mut running.active), std::mem::take(&mut running.replaced));
            (active, replaced, running.header.clone())
        };
        for handle in replaced {
            // what it lost in the end was remedied by the reload
            handle.thread.join()?;
        }
        for handle in &active {
            // an error says that it has nothing left to publish
            let _ = handle.drained.recv();
        }
        let summary = complete(lock(&self.account).summary(&header));
        let sent = Arc::new(Ending { episode: *self.counters.last_episode(), summary: summary.clone() });
        let refused = failed && summary.windows.decided == 0;
        let mut error = None;
        for mut handle in active {
            if let Some(to) = handle.ending.take().filter(|_| !refused || handle.role != Role::Output) {
                // there is room for one; a thread that panicked takes none
                let _ = to.try_send(Arc::clone(&sent));
            }
            let last = handle.thread.join()?;
            if handle.role == Role::Output {
                error = error.or(last);
            }
        }
        Ok((summary, error))
    }
}

impl Handle {
    fn view(&self) -> OutputView {
        let health = self.counters.health();
        OutputView {
            name: self.name.clone(),
            state: health.state,
            detail: health.detail,
            published: self.counters.published.get(),
            lost: self.counters.lost.get(),
        }
    }
}

impl Drop for PendingPublishers {
    fn drop(&mut self) {
        // those that never began end now
        self.begin.clear();
        for handle in self.handles.drain(..) {
            let _ = handle.thread.join();
        }
    }
}

/// What one publisher's thread works with.
struct PublisherThread {
    name: String,
    role: Role,
    publisher: Box<dyn Publisher>,
    header: RunHeader,
    counters: Arc<PublisherCounters>,
    /// The run's account, where this is the first publisher.
    account: Option<Arc<Mutex<RunAccount>>>,
    clock: Arc<dyn Clock>,
    stop: Stop,
    /// Outputs whose readers have not closed them.
    open_outputs: Arc<AtomicUsize>,
    /// Its reader has closed it.
    closed: bool,
    faults: RateLimitedLog,
    /// The last error, while decisions are lost.
    error: Option<io::Error>,
}

impl PublisherThread {
    /// Publishes decisions until their sender is gone, and then what the run ends with, if that comes.
    fn run(
        mut self,
        values: &LatestRx<Decision>,
        draining: Sender<()>,
        endings: &Receiver<Arc<Ending>>,
    ) -> Option<io::Error> {
        // a panic in here must end the run, not leave it deciding without an output
        let _stop_on_panic = StopOnPanic(self.stop.clone());
        // what the predecessor of this name met while it drained is over
        self.counters.set_health(OutputState::Writing, None);
        let begun = self.publisher.begin(&self.header);
        self.note(begun);
        while let Ok(decision) = values.values().recv() {
            self.publish(&decision);
            values.give_back(decision);
        }
        drop(draining);
        if let Ok(ending) = endings.recv()
            && !self.closed
        {
            let ended = self.publisher.end(ending.episode.as_ref(), &ending.summary);
            self.note(ended);
        }
        self.error
    }

    fn publish(&mut self, decision: &Decision) {
        if let Some(account) = &self.account {
            lock(account).decided(decision);
        }
        let published = !self.closed && {
            let outcome = self.publisher.decision(decision, self.clock.now());
            self.note(outcome)
        };
        if published {
            self.counters.published.count();
        } else {
            self.counters.lost.count();
        }
        match &self.account {
            Some(account) if published => {
                // before the lock: to wait for it is no part of publishing
                let now = self.clock.now();
                lock(account).published(decision, now);
            }
            Some(account) => lock(account).lost(),
            None => {}
        }
    }

    /// Keeps the publisher's health by an outcome; true when it was published.
    fn note(&mut self, outcome: Result<(), PublishError>) -> bool {
        match outcome {
            Ok(()) => {
                if self.error.take().is_some() {
                    log::info!("{} can be written again", self.title());
                    self.counters.set_health(OutputState::Writing, None);
                }
                return true;
            }
            Err(PublishError::Closed) => {
                self.closed = true;
                self.counters.set_health(OutputState::Closed, Some("its reader has closed it".to_owned()));
                if self.open_outputs.fetch_sub(1, Ordering::Relaxed) > 1 {
                    log::info!("the reader of {} has closed it; the other outputs go on", self.title());
                } else {
                    log::info!("the reader of {} has closed it; stopping", self.title());
                    self.stop.ask();
                }
            }
            Err(PublishError::Lost(error)) => {
                let problem = format!("{} cannot be written: {error}", self.title());
                if let Some(count) = self.faults.occurred(self.clock.now()) {
                    log::error!("{problem}; {} lost so far, still trying", counted(count, "decision", "decisions"));
                }
                self.counters.set_health(OutputState::Failing, Some(problem));
                self.error = Some(error);
            }
        }
        false
    }

    fn title(&self) -> String {
        match self.role {
            Role::Output => format!("the output {}", self.name),
            Role::Account | Role::Watcher => self.name.clone(),
        }
    }
}

struct StopOnPanic(Stop);

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.ask();
        }
    }
}
