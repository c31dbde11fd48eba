//! Raw samples for those who look at them, as events.

use std::time::Duration;

use crate::interfaces::Interfaces;
use gaitd_api::SampleBatch;
use gaitd_core::stream::{Sample, StreamFormat};

/// Samples of one event at most; of a stream faster than that the rest is left out, for people only look at it.
const LARGEST_TRACE: usize = 64;

/// From one event of samples to the next.
const TRACE_INTERVAL: Duration = Duration::from_millis(200);

/// Gathers raw samples for those who look at them.
pub(crate) struct Traces {
    interfaces: Interfaces,
    /// The stream's name.
    stream: String,
    format: StreamFormat,
    gathered: Vec<f64>,
    since: Duration,
}

impl Traces {
    pub(crate) fn new(interfaces: Interfaces, stream: String, format: StreamFormat) -> Self {
        Self { interfaces, stream, format, gathered: Vec::new(), since: Duration::ZERO }
    }

    /// Takes a sample that arrived at clock time `now`.
    pub(crate) fn push(&mut self, sample: &Sample, now: Duration) {
        if self.interfaces.subscribers() == 0 {
            // without a reader, nothing is worth keeping
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
            stream: self.stream.as_str().into(),
            rate_hz: self.format.rate_hz,
            channels: self.format.channels.iter().map(|channel| channel.name.as_str().into()).collect(),
            values: self.gathered.chunks(channels).map(Into::into).collect(),
        };
        self.interfaces.post("samples", &event);
        self.gathered.clear();
        self.since = now;
    }
}
