//! What happens now, for those who subscribe to it: decisions, samples, status, changes.
//!
//! Those who post are ordinary threads and never wait: a subscriber that is too slow loses its oldest events and is
//! told how many. While nobody subscribes, a decision costs its serialisation into a buffer that is used again (a
//! newcomer wants to see the last minutes), and everything else costs nothing.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use super::Context;
use super::line::write_decision;
use gaitd_core::engine::Decision;

/// Decisions kept for newcomers.
const KEPT: usize = 300;
/// Events that may wait for a subscriber before it loses the oldest; a power of two.
const WAITING: usize = 128;
/// How soon a browser that has lost the connection tries again, milliseconds.
const RETRY_MS: u32 = 1000;

/// One event in the form in which server-sent events are written.
#[derive(Debug)]
pub struct Event {
    name: &'static str,
    /// Of the run, from 1; 0 for events that have no number and so move nobody's place in the stream.
    number: u64,
    frame: Vec<u8>,
}

impl Event {
    /// What it is: `hello`, `decision`, `samples`, `status`, `settings`, `reload`, `lost` or `bye`.
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
    /// The latest decisions, the oldest first.
    kept: VecDeque<Arc<Event>>,
    number: u64,
}

impl Board {
    /// A board for the run `run`, a name without line breaks and spaces that no other run has.
    #[must_use]
    pub fn new(run: String) -> Self {
        let state = State { hello: None, kept: VecDeque::with_capacity(KEPT), number: 0 };
        let (live, _) = broadcast::channel(WAITING);
        Self(Arc::new(Shared { run, state: Mutex::new(state), live, lost: AtomicU64::new(0) }))
    }

    /// The run's name.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.0.run
    }

    /// Replaces what a newcomer is greeted with. Those who are there already see it only if they have not been greeted:
    /// a reload is told by an event of its own.
    pub fn greet(&self, context: &Context) {
        let json = serde_json::to_vec(&context.greeting()).unwrap_or_default();
        let hello = Event::private("hello", &json);
        let mut state = self.state();
        if state.hello.replace(Arc::clone(&hello)).is_none() {
            self.send(hello);
        }
    }

    /// Posts `decision`, which was published at clock time `now`.
    pub fn decision(&self, context: &Context, decision: &Decision, now: Duration) {
        let latency = now.saturating_sub(decision.arrived);
        let mut state = self.state();
        state.number += 1;
        // the oldest one's buffer serves again unless a subscriber still holds it
        let oldest = if state.kept.len() >= KEPT { state.kept.pop_front() } else { None };
        let fresh = || Arc::new(Event { name: "decision", number: 0, frame: Vec::with_capacity(1536) });
        let mut event = oldest.filter(|event| Arc::strong_count(event) == 1).unwrap_or_else(fresh);
        if let Some(event) = Arc::get_mut(&mut event) {
            event.number = state.number;
            event.fill(&self.0.run, |frame| write_decision(frame, context, decision, latency));
        }
        state.kept.push_back(Arc::clone(&event));
        self.send(event);
    }

    /// Posts an event whose data is the JSON value `json`, if anybody subscribes. `bye` ends every subscription.
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

    /// Who subscribes now. Work that is done only for events can be spared while this is 0.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.0.live.receiver_count()
    }

    /// Events that subscribers were too slow for and have been told of, all together.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Subscribes: the greeting, the decisions of the last minutes, then whatever happens. Where `last_event_id` is the
    /// id of an event of this run, decisions up to there are left out.
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
        // an error says that nobody subscribes
        let _ = self.0.live.send(event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
                Some(Event::private("lost", format!(r#"{{"class":"lost","events":{events}}}"#).as_bytes()))
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
