//! The account of a run: what became of its windows, how long each phase took, and what was recognised.
//!
//! Each number has one thread that counts it, and everything else that shows it reads that count:
//!
//! | number | counted by | where | shown in |
//! | --- | --- | --- | --- |
//! | samples, gaps, faults | the sensing thread | `Continuity`, copied to `RunCounters::sensed` | status, summary, metrics |
//! | produced, held | the sensing thread, as it sends a window | `RunCounters::sensed` | status, summary, metrics |
//! | dropped | the sensing thread where its queue is full, the engine's what it has no time for | `RunCounters` | status, summary, metrics |
//! | begun, and what of it answered | the engine's thread | `RunCounters` | status, metrics |
//! | windows of cascades | the engine's thread | `RunCounters` | status, metrics |
//! | decided, failed, switches | the engine's thread | `RunCounters` | status, summary, metrics |
//! | published, lost, misses of the run | the first publisher's thread; the engine's what it overtakes on the way there | `RunCounters` | status, summary, metrics |
//! | published, lost of each output | its thread; the engine's what it overtakes on the way there | `PublisherCounters` | status, metrics |
//! | latency of each phase, decisions by configuration | the first publisher's thread | [`Ledger`] in `Account` | summary |
//! | decisions by activity, and when | the first publisher's thread | `RunCounters::history` | activities, summary, metrics |
//! | the same latencies, by configuration | the metrics publisher's thread, and the first publisher's for `publish` and `total` | `Metrics` | metrics |
//! | steady windows, and those recognised | the first publisher's thread | `RunAccount` | summary |
//!
//! A window that is produced is decided, dropped (overtaken by newer ones, for there was no time for all), held (for a fault of a
//! sensor) or failed; a decision is, for each publisher, published or lost:
//!
//! - produced = decided + dropped + held + failed, once the engine has stopped
//! - decided = published + lost, for each publisher that was there all the time, once it has stopped
//!
//! After a reload that renames the first output, the old one may still drain while the new one begins; both then count
//! here, and a steady window may be missed.
//!
//! The first publisher is the first output, or one that publishes nothing where there is no output. `Status` and
//! `Summary` count nothing: they are copies at one moment and at the end.

mod counters;
mod history;
mod ledger;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use gaitd_api::{ConfigurationUse, PhaseLatency, Recognised, Summary, WindowCounts};
use gaitd_core::engine::{Beside, Decision, Phase};
use gaitd_core::ladder::{Manifest, Percentiles};
use gaitd_core::stream::StreamCounts;

use crate::publish::RunHeader;
use gaitd_sense::wearer::Truth;

pub(crate) use counters::{PublisherCounters, RunCounters};
pub use ledger::Ledger;

/// Takes a decision that was published at a clock time.
pub(crate) type Delivered = Box<dyn Fn(&Decision, Duration) + Send>;

/// What the first publisher's thread counts of a run, beside its own counters.
pub(crate) struct RunAccount {
    account: Account,
    /// What the wearer really does, where that is known.
    truth: Option<Truth>,
    steady: Recognised,
    /// Tells the engine's thread how long each window has taken beside its inference.
    beside: Sender<Beside>,
    counters: Arc<RunCounters>,
    /// Somebody waits for the decisions.
    timed: bool,
    delivered: Option<Delivered>,
}

impl RunAccount {
    /// An account that counts in `counters` and hands each published decision on to `delivered`.
    pub(crate) fn new(
        header: &RunHeader,
        truth: Option<Truth>,
        beside: Sender<Beside>,
        counters: Arc<RunCounters>,
        delivered: Option<Delivered>,
    ) -> Self {
        let (account, steady, timed) = (Account::new(header), Recognised::default(), header.timed);
        Self { account, truth, steady, beside, counters, timed, delivered }
    }

    /// Counts a decision that was made, whether or not it can be published.
    pub(crate) fn decided(&mut self, decision: &Decision) {
        self.account.decided(decision);
        self.counters.history().decided(decision);
        let (first, last) = decision.samples;
        if let Some(activity) = self.truth.as_mut().and_then(|truth| truth.steady(first, last)) {
            self.steady.windows += 1;
            self.steady.right += u64::from(activity.name() == decision.label());
        }
    }

    /// Counts a decision that was published at clock time `now`.
    pub(crate) fn published(&mut self, decision: &Decision, now: Duration) {
        self.counters.published.count();
        if self.account.published(decision, now) && self.timed {
            self.counters.misses.count();
        }
        // an engine that is so far behind has learned enough of them
        let _ = self.beside.try_send(decision.beside(now));
        *self.counters.latest_published() = Some((decision.window, now.saturating_sub(decision.decided)));
        if let Some(delivered) = &self.delivered {
            delivered(decision, now);
        }
    }

    /// Counts a decision that could not be published.
    pub(crate) fn lost(&mut self) {
        self.counters.lost.count();
    }

    /// The account as a summary; what other threads counted is theirs to fill in.
    pub(crate) fn summary(&self, header: &RunHeader) -> Summary {
        let mut summary = self.account.summary(header);
        summary.activities = self.counters.history().counts(&header.manifest);
        summary.steady = self.truth.as_ref().map(|_| self.steady);
        summary
    }
}

/// Latencies and configurations of the decisions; allocates nothing per decision.
struct Account {
    /// The ladder that answered last.
    manifest: Arc<Manifest>,
    /// The configurations of all ladders so far, and the place among them of each one of `manifest`'s.
    known: Vec<String>,
    places: Vec<usize>,
    ledger: Ledger,
}

impl Account {
    fn new(header: &RunHeader) -> Self {
        let known: Vec<String> = header.configurations().map(str::to_owned).collect();
        Self {
            manifest: Arc::clone(&header.manifest),
            places: (0..known.len()).collect(),
            ledger: Ledger::new(known.len()),
            known,
        }
    }

    /// Counts a decision that was made, whether or not it can be published.
    fn decided(&mut self, decision: &Decision) {
        if !Arc::ptr_eq(&decision.manifest, &self.manifest) {
            self.adopt(&decision.manifest);
        }
        // of a cascade's large configuration, without the small one's that came before
        let infer = decision.second().unwrap_or(decision.infer);
        self.ledger.record(Phase::Infer, decision.infer);
        self.ledger.record_inference(self.places[decision.rung], infer);
        if let Some(head) = decision.head {
            self.ledger.record(Phase::Head, head.infer);
        }
        self.ledger.record(Phase::Condition, decision.condition);
        self.ledger.record(Phase::Wait, decision.wait);
        self.ledger.record(Phase::Prepare, decision.prepare);
    }

    /// Goes on with another ladder, which has the same activities.
    fn adopt(&mut self, manifest: &Arc<Manifest>) {
        self.places.clear();
        for configuration in &manifest.configurations {
            let place = self.known.iter().position(|id| *id == configuration.id).unwrap_or_else(|| {
                self.known.push(configuration.id.clone());
                self.ledger.add_rung();
                self.known.len() - 1
            });
            self.places.push(place);
        }
        self.manifest = Arc::clone(manifest);
    }

    /// Takes in a decision whose last byte was written at clock time `now`; whether that was later than its budget.
    fn published(&mut self, decision: &Decision, now: Duration) -> bool {
        let total = now.saturating_sub(decision.arrived);
        self.ledger.record(Phase::Publish, now.saturating_sub(decision.decided));
        self.ledger.record(Phase::Total, total);
        total > decision.budget
    }

    /// The account as a summary; what others counted is theirs to fill in.
    fn summary(&self, header: &RunHeader) -> Summary {
        let microseconds = |latency: Duration| latency.as_secs_f64() * 1e6;
        let percentiles = |quantile: &dyn Fn(f64) -> Duration| Percentiles {
            p50: microseconds(quantile(0.5)),
            p90: microseconds(quantile(0.9)),
            p99: microseconds(quantile(0.99)),
        };
        Summary {
            time: None,
            stream: header.stream.clone(),
            model: header.manifest.name.clone(),
            source: header.source.clone(),
            simulated: header.simulated,
            policy: header.policy.clone(),
            budget_ms: header.budget.as_secs_f64() * 1e3,
            seconds: 0.0,
            samples: StreamCounts::default(),
            implausible: Vec::new(),
            rate_hz: None,
            windows: WindowCounts::default(),
            misses: None,
            steady: None,
            activities: Vec::new(),
            configurations: self
                .known
                .iter()
                .enumerate()
                .filter(|(rung, _)| self.ledger.inferences(*rung) > 0)
                .map(|(rung, id)| ConfigurationUse {
                    id: id.clone(),
                    windows: self.ledger.inferences(rung),
                    latency_us: percentiles(&|quantile| self.ledger.inference_quantile(rung, quantile)),
                })
                .collect(),
            phases: Phase::ALL
                .into_iter()
                // not each run has heads
                .filter(|phase| *phase != Phase::Head || self.ledger.count(Phase::Head) > 0)
                .map(|phase| PhaseLatency {
                    phase,
                    latency_us: percentiles(&|quantile| self.ledger.quantile(phase, quantile)),
                })
                .collect(),
        }
    }
}
