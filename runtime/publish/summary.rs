//! What a run did, told at its end: for people as text, for programs as JSON.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::line::Context;
use crate::control::{Ledger, Phase};
use crate::engine::Decision;
use crate::ladder::{Manifest, Percentiles};
use crate::sense::StreamCounts;

/// The account of one run: every window that was produced was decided, dropped or failed.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Always `summary`.
    pub class: &'static str,
    /// The model.
    pub model: String,
    /// Where the samples came from.
    pub source: String,
    /// The samples were made up.
    pub simulated: bool,
    /// The policy.
    pub policy: String,
    /// The budget, milliseconds.
    pub budget_ms: f64,
    /// How long the run took, seconds.
    pub seconds: f64,
    /// What became of the samples.
    pub stream: StreamCounts,
    /// What became of the windows.
    pub windows: WindowCounts,
    /// Decisions later than their budget.
    pub misses: Misses,
    /// Where the truth is known: windows wholly inside one activity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steady: Option<Recognised>,
    /// Decisions per activity.
    pub activities: Vec<ActivityCount>,
    /// Decisions and inference latency per configuration that was used.
    pub configurations: Vec<ConfigurationUse>,
    /// Latency of each phase.
    pub phases: Vec<PhaseLatency>,
}

/// What became of the windows: `produced = decided + dropped + failed`, `decided = published + lost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WindowCounts {
    /// Complete windows in the stream.
    pub produced: u64,
    /// Answered.
    pub decided: u64,
    /// Overtaken by a newer window while the engine was busy.
    pub dropped: u64,
    /// The inference failed.
    pub failed: u64,
    /// Written.
    pub published: u64,
    /// Decided, but overtaken while the output was busy or lost because it was full.
    pub lost: u64,
}

/// Decisions later than their budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Misses {
    /// How many.
    pub count: u64,
    /// Their share of the published decisions.
    pub rate: f64,
}

/// Windows whose true activity is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recognised {
    /// How many.
    pub windows: u64,
    /// Of these, recognised.
    pub right: u64,
}

/// Decisions for one activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActivityCount {
    /// The label.
    pub activity: String,
    /// How many.
    pub windows: u64,
}

/// How much a configuration was used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfigurationUse {
    /// The configuration.
    pub id: String,
    /// Its windows.
    pub windows: u64,
    /// Latency of its inferences.
    pub latency_us: Percentiles,
}

/// Latency of one phase.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseLatency {
    /// The phase's name.
    pub phase: &'static str,
    /// Its latency.
    pub latency_us: Percentiles,
}

impl Misses {
    /// `count` of `published` decisions.
    pub(crate) fn of(count: u64, published: u64) -> Self {
        Self { count, rate: if published == 0 { 0.0 } else { count as f64 / published as f64 } }
    }
}

impl Summary {
    /// The account of a run so far.
    fn new(context: &Context, known: &[String], ledger: &Ledger) -> Self {
        let microseconds = |latency: Duration| latency.as_secs_f64() * 1e6;
        let percentiles = |quantile: &dyn Fn(f64) -> Duration| Percentiles {
            p50: microseconds(quantile(0.5)),
            p90: microseconds(quantile(0.9)),
            p99: microseconds(quantile(0.99)),
        };
        Self {
            class: "summary",
            model: context.manifest.name.clone(),
            source: context.source.clone(),
            simulated: context.simulated,
            policy: context.policy.clone(),
            budget_ms: context.budget.as_secs_f64() * 1e3,
            seconds: 0.0,
            stream: StreamCounts::default(),
            windows: WindowCounts::default(),
            misses: Misses::default(),
            steady: None,
            activities: Vec::new(),
            configurations: known
                .iter()
                .enumerate()
                .filter(|(rung, _)| ledger.inferences(*rung) > 0)
                .map(|(rung, id)| ConfigurationUse {
                    id: id.clone(),
                    windows: ledger.inferences(rung),
                    latency_us: percentiles(&|quantile| ledger.inference_quantile(rung, quantile)),
                })
                .collect(),
            phases: Phase::ALL
                .into_iter()
                .map(|phase| PhaseLatency {
                    phase: phase.name(),
                    latency_us: percentiles(&|quantile| ledger.quantile(phase, quantile)),
                })
                .collect(),
        }
    }

    /// The summary in a few lines for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let windows = &self.windows;
        let mut line = |line: std::fmt::Arguments<'_>| {
            // writing to a String cannot fail
            let _ = writeln!(text, "{line}");
        };
        line(format_args!(
            "\n{} windows in {:.1} s: {} decided, {} dropped, {} failed; {} later than {} ms ({:.2} %)",
            windows.produced,
            self.seconds,
            windows.decided,
            windows.dropped,
            windows.failed,
            self.misses.count,
            self.budget_ms,
            self.misses.rate * 100.0
        ));
        if windows.lost > 0 {
            line(format_args!("{} decisions were lost at the output", windows.lost));
        }
        let stream = &self.stream;
        line(format_args!(
            "{} samples{}: {} bridged, {} malformed, {} not finite, {} out of order; {} gaps, {} resets",
            stream.samples,
            if self.simulated { " (simulated)" } else { "" },
            stream.bridged,
            stream.malformed,
            stream.non_finite,
            stream.out_of_order,
            stream.gaps,
            stream.resets
        ));
        if let Some(steady) = self.steady.filter(|steady| steady.windows > 0) {
            line(format_args!(
                "{} of {} steady windows of the simulated wearer recognised ({:.1} %)",
                steady.right,
                steady.windows,
                100.0 * steady.right as f64 / steady.windows as f64
            ));
        }
        for activity in self.activities.iter().filter(|activity| activity.windows > 0) {
            line(format_args!("  {:<14} {:>6} windows", activity.activity, activity.windows));
        }
        for configuration in &self.configurations {
            let Percentiles { p50, p90, p99 } = configuration.latency_us;
            line(format_args!(
                "  {:<14} {:>6} windows; inference {p50:.0} / {p90:.0} / {p99:.0} us (p50 / p90 / p99)",
                configuration.id, configuration.windows
            ));
        }
        for phase in &self.phases {
            let Percentiles { p50, p90, p99 } = phase.latency_us;
            line(format_args!("  {:<14} {p50:.0} / {p90:.0} / {p99:.0} us (p50 / p90 / p99)", phase.phase));
        }
        text
    }
}

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
    pub(crate) fn new(context: &Context) -> Self {
        let known: Vec<String> = context.configurations().map(str::to_owned).collect();
        Self {
            manifest: Arc::clone(&context.manifest),
            places: (0..known.len()).collect(),
            ledger: Ledger::new(known.len()),
            known,
            activities: vec![0; context.labels().len()],
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
    pub(crate) fn summary(&self, context: &Context) -> Summary {
        let mut summary = Summary::new(context, &self.known, &self.ledger);
        summary.activities = context
            .labels()
            .iter()
            .zip(&self.activities)
            .map(|(activity, windows)| ActivityCount { activity: activity.clone(), windows: *windows })
            .collect();
        summary
    }
}
