//! What a run did, written at its end: for people as text, for programs as JSON.

use std::fmt::Write;

use gaitd_core::engine::Phase;
use gaitd_core::ladder::Percentiles;
use gaitd_core::stream::StreamCounts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::FaultView;
use crate::schema::class;

/// The account of one run: every window that was produced was decided, dropped or failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "class", rename = "summary")]
#[schemars(rename = "Summary", transform = class("summary"))]
pub struct Summary {
    /// Name of the stream.
    pub stream: String,
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
    /// How many samples were good, missing or not usable.
    pub samples: StreamCounts,
    /// What was wrong with the sensors.
    #[serde(default)]
    pub implausible: Vec<FaultView>,
    /// Samples per second over the last four seconds of the stream by their timestamps, or, in a live stream without, over the
    /// last ten by their arrival; null where neither tells.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub rate_hz: Option<f64>,
    /// How many windows were decided, dropped or failed.
    pub windows: WindowCounts,
    /// Decisions later than their budget; null where they are not timed, since nobody waits for them: at the pace `fast`.
    #[serde(default)]
    pub misses: Option<Misses>,
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

/// How many windows were decided, dropped, held or failed: `produced = decided + dropped + held + failed`, and, for the first
/// output, `decided = published + lost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WindowCounts {
    /// Complete windows in the stream.
    pub produced: u64,
    /// Answered.
    pub decided: u64,
    /// Overtaken by a newer window while the engine was busy.
    pub dropped: u64,
    /// Not decided, since a sensor had a fault about which the configuration says `hold`.
    #[serde(default)]
    pub held: u64,
    /// The inference failed.
    pub failed: u64,
    /// Written to the first output.
    pub published: u64,
    /// Decided, but overtaken while the first output was busy, or lost because it was full.
    pub lost: u64,
}

/// Decisions later than their budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Misses {
    /// How many.
    pub count: u64,
    /// Their share of the published decisions, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub rate: f64,
}

/// Windows whose true activity is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recognised {
    /// How many.
    pub windows: u64,
    /// Of these, recognised.
    pub right: u64,
}

/// Decisions for one activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityCount {
    /// The label.
    pub activity: String,
    /// How many.
    pub windows: u64,
}

/// How much a configuration was used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigurationUse {
    /// The configuration.
    pub id: String,
    /// Its windows.
    pub windows: u64,
    /// Latency of its inferences.
    pub latency_us: Percentiles,
}

/// Latency of one phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseLatency {
    /// The phase.
    pub phase: Phase,
    /// Its latency.
    pub latency_us: Percentiles,
}

impl Misses {
    /// `count` of `published` decisions.
    #[must_use]
    pub fn of(count: u64, published: u64) -> Self {
        Self { count, rate: if published == 0 { 0.0 } else { count as f64 / published as f64 } }
    }
}

impl Summary {
    /// The summary in a few lines for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let windows = &self.windows;
        let mut line = |line: std::fmt::Arguments<'_>| {
            // writing to a String cannot fail
            let _ = writeln!(text, "{line}");
        };
        let late = self.misses.map_or_else(
            || "not timed".to_owned(),
            |misses| format!("{} later than {} ms ({:.2} %)", misses.count, self.budget_ms, misses.rate * 100.0),
        );
        line(format_args!(
            "\n{} windows in {:.1} s: {} decided, {} dropped, {} failed; {late}",
            windows.produced, self.seconds, windows.decided, windows.dropped, windows.failed
        ));
        if windows.lost > 0 {
            line(format_args!("{} decisions were lost at the output", windows.lost));
        }
        let samples = &self.samples;
        line(format_args!(
            "{} samples{}{}: {} bridged, {} malformed, {} not finite, {} out of order; {} gaps, {} resets",
            samples.samples,
            if self.simulated { " (simulated)" } else { "" },
            self.rate_hz.map(|hz| format!(", {hz:.2} a second")).unwrap_or_default(),
            samples.bridged,
            samples.malformed,
            samples.non_finite,
            samples.out_of_order,
            samples.gaps,
            samples.resets
        ));
        for (count, what) in [
            (samples.astray, "had a timestamp far ahead of their neighbours' and were dropped"),
            (samples.moved, "were placed evenly, against their timestamps"),
            (samples.resampled, "were computed from those around them, as none was taken at their time"),
        ] {
            if count > 0 {
                line(format_args!("  {count} {what}"));
            }
        }
        if windows.held > 0 {
            line(format_args!("  {} windows were not decided, for a sensor's fault", windows.held));
        }
        for fault in &self.implausible {
            line(format_args!("  implausible for {:.0} s: {}", fault.seconds, fault.explanation));
        }
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
            line(format_args!("  {:<14} {p50:.0} / {p90:.0} / {p99:.0} us (p50 / p90 / p99)", phase.phase.name()));
        }
        text
    }
}
