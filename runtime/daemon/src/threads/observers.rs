//! Those who watch the daemon while it works, beside its output: metrics and the subscribers of events.

use std::sync::Arc;
use std::time::Duration;

use crate::publish::RunHeader;
use crate::stream::counters::Live;
use crate::threads::decision_queue::Inbox;
use gaitd_api::{ListenerView, SampleBatch};
use gaitd_core::clock::Clock;
use gaitd_core::engine::Decision;
use gaitd_core::stream::{Sample, StreamFormat};

/// Whoever watches. Nothing that is told here makes the teller wait.
pub(crate) trait Audience: Send + Sync {
    /// What all events have in common from here on.
    fn greet(&self, header: &RunHeader);

    /// Name of the stream.
    fn stream(&self) -> String;

    /// A decision was made.
    fn decided(&self, decision: &Decision, now: Duration);

    /// A decision was published at clock time `now`.
    fn published(&self, decision: &Decision, now: Duration);

    /// Something else happened: an event by name, and its JSON.
    fn post(&self, name: &'static str, json: &[u8]);

    /// How many read events now.
    fn subscribers(&self) -> usize;

    /// The interfaces on which the daemon can be asked.
    fn listeners(&self) -> Vec<ListenerView>;
}

/// Shows an audience every decision, in a thread of its own: a stuck output must not make the metrics stand still.
pub(crate) struct Showing {
    pub(crate) audience: Arc<dyn Audience>,
    pub(crate) live: Arc<Live>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Showing {
    /// Shows decisions until their sender is gone.
    pub(crate) fn follow(self, inbox: &Inbox) {
        while let Ok(decision) = inbox.decisions().recv() {
            self.audience.decided(&decision, self.clock.now());
            {
                let mut latest = self.live.latest();
                match &mut *latest {
                    Some(latest) => latest.copy_from(&decision),
                    none => *none = Some(Decision::clone(&decision)),
                }
            }
            inbox.give_back(decision);
        }
    }
}

/// Samples of one event at most; of a stream faster than that the rest is left out, for people only look at it.
const LARGEST_TRACE: usize = 64;

/// From one event of samples to the next.
const TRACE_INTERVAL: Duration = Duration::from_millis(200);

/// Gathers raw samples for those who look at them.
pub(crate) struct Traces {
    audience: Arc<dyn Audience>,
    format: StreamFormat,
    gathered: Vec<f64>,
    since: Duration,
}

impl Traces {
    pub(crate) fn new(audience: Arc<dyn Audience>, format: StreamFormat) -> Self {
        Self { audience, format, gathered: Vec::new(), since: Duration::ZERO }
    }

    /// Takes a sample that arrived at clock time `now`.
    pub(crate) fn push(&mut self, sample: &Sample, now: Duration) {
        if self.audience.subscribers() == 0 {
            // nobody looks: nothing is worth keeping
            self.gathered.clear();
            self.since = now;
            return;
        }
        let channels = self.format.channels.len().max(1);
        if self.gathered.len() < LARGEST_TRACE * channels {
            self.gathered.extend(&sample.values);
        }
        if now.saturating_sub(self.since) < TRACE_INTERVAL {
            return;
        }
        let event = SampleBatch {
            stream: self.audience.stream().into(),
            rate_hz: self.format.rate_hz,
            channels: self.format.channels.iter().map(|channel| channel.name.as_str().into()).collect(),
            values: self.gathered.chunks(channels).map(Into::into).collect(),
        };
        if let Ok(json) = serde_json::to_vec(&event) {
            self.audience.post("samples", &json);
        }
        self.gathered.clear();
        self.since = now;
    }
}
