//! The events for subscribers: decisions, episodes, samples, status, changes.
//!
//! Posting never waits: a subscriber that is too slow loses its oldest events and is sent their number. Without
//! subscribers, a decision costs its serialisation into a recycled buffer (a new subscriber gets those of the last
//! minutes), and everything else costs nothing.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use super::RunHeader;
use gaitd_api::{LocalTime, Lost};
use gaitd_core::decode::Episode;
use gaitd_core::engine::Decision;

/// Decisions and episodes kept for new subscribers.
const KEPT: usize = 300;
/// Events that may wait for a subscriber before it loses the oldest; a power of two.
const WAITING: usize = 128;
/// How soon a browser that has lost the connection tries again, milliseconds.
const RETRY_MS: u32 = 1000;

/// One event in the form in which server-sent events are written.
#[derive(Debug)]
pub struct Event {
    name: &'static str,
    /// Counted over the run from 1; 0 for events without an id, which leave the place of a subscriber as it is.
    number: u64,
    frame: Vec<u8>,
}

impl Event {
    /// What it is: `hello`, `decision`, `revised`, `episode`, `samples`, `status`, `settings`, `reload`, `lost` or `bye`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// All its lines and the empty one after them.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// An event that only one subscriber sees, without a number. The data is one JSON value.
    pub(crate) fn private(name: &'static str, json: &[u8]) -> Arc<Self> {
        let mut event = Self { name, number: 0, frame: Vec::with_capacity(json.len() + 32) };
        event.fill("", |frame| frame.write_all(json));
        Arc::new(event)
    }

    fn fill(&mut self, run: &str, data: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) {
        let Self { name, number, frame } = self;
        frame.clear();
        // writing into memory does not fail, and serialising numbers and texts does not either
        let _ = if *number > 0 {
            write!(frame, "id: {run}-{number}\nevent: {name}\ndata: ")
        } else {
            write!(frame, "event: {name}\ndata: ")
        };
        let data_from = frame.len();
        let _ = data(frame);
        // a line break outside of JSON's strings (within them it is escaped) means as much as a space
        for byte in &mut frame[data_from..] {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        frame.extend_from_slice(b"\n\n");
    }
}

/// Where events are posted and subscribed to; clones share it.
#[derive(Clone, Debug)]
pub struct Board(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    run: String,
    state: Mutex<State>,
    live: broadcast::Sender<Arc<Event>>,
    lost: AtomicU64,
}

#[derive(Debug)]
struct State {
    hello: Option<Arc<Event>>,
    /// Name of the stream.
    stream: String,
    /// The latest decisions and episodes, the oldest first.
    kept: VecDeque<Arc<Event>>,
    number: u64,
}

impl Board {
    /// A board for the run `run`, a name without line breaks and spaces that no other run has.
    #[must_use]
    pub fn new(run: String) -> Self {
        let state = State { hello: None, stream: String::new(), kept: VecDeque::with_capacity(KEPT), number: 0 };
        let (live, _) = broadcast::channel(WAITING);
        Self(Arc::new(Shared { run, state: Mutex::new(state), live, lost: AtomicU64::new(0) }))
    }

    /// The run's name.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.0.run
    }

    /// Replaces the first event of new subscriptions. Present subscribers get it only if they had none: a reload has an
    /// event of its own.
    pub fn greet(&self, header: &RunHeader) {
        let json = serde_json::to_vec(&header.hello(LocalTime::now())).unwrap_or_default();
        let hello = Event::private("hello", &json);
        let mut state = self.state();
        state.stream.clone_from(&header.stream);
        if state.hello.replace(Arc::clone(&hello)).is_none() {
            self.send(hello);
        }
    }

    /// Posts `decision`, which was published at clock time `now`, and with it the window that it
    /// revises and the episode that ended before it, if there are any.
    pub fn decision(&self, header: &RunHeader, decision: &Decision, now: Duration) {
        let latency = now.saturating_sub(decision.arrived);
        self.keep("decision", |frame| Ok(serde_json::to_writer(frame, &header.line(decision, latency))?));
        if let Some(revision) = &decision.revision {
            self.keep("revised", |frame| Ok(serde_json::to_writer(frame, &header.revised(revision))?));
        }
        if let Some(episode) = &decision.episode {
            self.episode(header, episode);
        }
    }

    /// Posts an episode that has ended.
    pub fn episode(&self, header: &RunHeader, episode: &Episode) {
        self.keep("episode", |frame| Ok(serde_json::to_writer(frame, &header.episode(episode))?));
    }

    /// Posts an event whose data `write` writes, and keeps it for new subscribers.
    fn keep(&self, name: &'static str, write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) {
        let mut state = self.state();
        state.number += 1;
        // the buffer of the oldest is used again unless a subscriber still holds it
        let oldest = if state.kept.len() >= KEPT { state.kept.pop_front() } else { None };
        let fresh = || Arc::new(Event { name, number: 0, frame: Vec::with_capacity(3072) });
        let mut event = oldest.filter(|event| Arc::strong_count(event) == 1).unwrap_or_else(fresh);
        if let Some(event) = Arc::get_mut(&mut event) {
            (event.name, event.number) = (name, state.number);
            event.fill(&self.0.run, write);
        }
        state.kept.push_back(Arc::clone(&event));
        self.send(event);
    }

    /// Posts an event whose data is the JSON value `json`, if there are subscribers. `bye` ends every subscription.
    pub fn post(&self, name: &'static str, json: &[u8]) {
        if self.subscribers() == 0 {
            return;
        }
        let mut event = Event { name, number: 0, frame: Vec::with_capacity(json.len() + 64) };
        let mut state = self.state();
        state.number += 1;
        event.number = state.number;
        event.fill(&self.0.run, |frame| frame.write_all(json));
        self.send(Arc::new(event));
    }

    /// How many subscribe now. Work that is done only for events can be spared while this is 0.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.0.live.receiver_count()
    }

    /// Events that subscribers were too slow for, all together.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Subscribes: the first event, the decisions and episodes of the last minutes, then all later events. Where `last_event_id` is the
    /// id of an event of this run, those up to there are left out.
    #[must_use]
    pub fn subscribe(&self, last_event_id: Option<&str>) -> Subscription {
        let state = self.state();
        let seen = last_event_id.and_then(|id| self.number_of(id)).filter(|seen| *seen <= state.number).unwrap_or(0);
        let start = Event { name: "retry", number: 0, frame: format!("retry: {RETRY_MS}\n\n").into_bytes() };
        let missed = state.kept.iter().filter(|event| event.number > seen);
        let waiting = std::iter::once(Arc::new(start)).chain(state.hello.clone()).chain(missed.cloned()).collect();
        // under the same lock, so that nothing falls between what was and what comes
        Subscription { waiting, live: self.0.live.subscribe(), shared: Arc::clone(&self.0), over: false }
    }

    fn number_of(&self, id: &str) -> Option<u64> {
        id.strip_prefix(&self.0.run)?.strip_prefix('-')?.parse().ok()
    }

    fn send(&self, event: Arc<Event>) {
        // an error says that there are no subscribers
        let _ = self.0.live.send(event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

/// A panic elsewhere leaves no event half posted.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The events for one subscriber.
pub struct Subscription {
    waiting: VecDeque<Arc<Event>>,
    live: broadcast::Receiver<Arc<Event>>,
    shared: Arc<Shared>,
    over: bool,
}

impl Subscription {
    /// Inserts an event before all that happens from now on.
    pub(crate) fn append(&mut self, event: Arc<Event>) {
        self.waiting.push_back(event);
    }

    /// The next event; `None` after `bye`. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        if self.over {
            return None;
        }
        if let Some(event) = self.waiting.pop_front() {
            return Some(event);
        }
        match self.live.recv().await {
            Ok(event) => {
                self.over = event.name == "bye";
                Some(event)
            }
            Err(broadcast::error::RecvError::Lagged(events)) => {
                self.shared.lost.fetch_add(events, Ordering::Relaxed);
                let lost = Lost { stream: lock(&self.shared.state).stream.clone(), events };
                Some(Event::private("lost", &serde_json::to_vec(&lost).unwrap_or_default()))
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
