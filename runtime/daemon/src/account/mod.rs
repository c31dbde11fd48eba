//! The account of a run: how long each phase took, and what was recognised.

mod ledger;

use std::sync::Arc;
use std::time::Duration;

use gaitd_api::{ActivityCount, ConfigurationUse, Misses, PhaseLatency, Summary, WindowCounts};
use gaitd_core::engine::{Decision, Phase};
use gaitd_core::ladder::{Manifest, Percentiles};
use gaitd_core::stream::StreamCounts;

use crate::publish::RunHeader;

pub use ledger::Ledger;

/// Keeps the account of what was published while the run goes on; allocates nothing per decision.
pub(crate) struct Account {
    /// The ladder that answered last.
    manifest: Arc<Manifest>,
    /// The configurations of all ladders so far, and the place among them of each one of `manifest`'s.
    known: Vec<String>,
    places: Vec<usize>,
    ledger: Ledger,
    activities: Vec<u64>,
}

impl Account {
    pub(crate) fn new(header: &RunHeader) -> Self {
        let known: Vec<String> = header.configurations().map(str::to_owned).collect();
        Self {
            manifest: Arc::clone(&header.manifest),
            places: (0..known.len()).collect(),
            ledger: Ledger::new(known.len()),
            known,
            activities: vec![0; header.labels().len()],
        }
    }

    /// Counts a decision that was made, whether or not it can be published.
    pub(crate) fn decided(&mut self, decision: &Decision) {
        if !Arc::ptr_eq(&decision.manifest, &self.manifest) {
            self.adopt(&decision.manifest);
        }
        self.activities[decision.activity] += 1;
        self.ledger.record_inference(self.places[decision.choice.rung], decision.infer);
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
    pub(crate) fn published(&mut self, decision: &Decision, now: Duration) -> bool {
        let total = now.saturating_sub(decision.arrived);
        self.ledger.record(Phase::Publish, now.saturating_sub(decision.decided));
        self.ledger.record(Phase::Total, total);
        total > decision.budget
    }

    /// The account as a summary; what others counted is theirs to fill in.
    pub(crate) fn summary(&self, header: &RunHeader) -> Summary {
        let microseconds = |latency: Duration| latency.as_secs_f64() * 1e6;
        let percentiles = |quantile: &dyn Fn(f64) -> Duration| Percentiles {
            p50: microseconds(quantile(0.5)),
            p90: microseconds(quantile(0.9)),
            p99: microseconds(quantile(0.99)),
        };
        Summary {
            stream: header.stream.clone(),
            model: header.manifest.name.clone(),
            source: header.source.clone(),
            simulated: header.simulated,
            policy: header.policy.clone(),
            budget_ms: header.budget.as_secs_f64() * 1e3,
            seconds: 0.0,
            samples: StreamCounts::default(),
            windows: WindowCounts::default(),
            misses: Misses::default(),
            steady: None,
            activities: header
                .labels()
                .iter()
                .zip(&self.activities)
                .map(|(activity, windows)| ActivityCount { activity: activity.clone(), windows: *windows })
                .collect(),
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
                .map(|phase| PhaseLatency {
                    phase,
                    latency_us: percentiles(&|quantile| self.ledger.quantile(phase, quantile)),
                })
                .collect(),
        }
    }
}
