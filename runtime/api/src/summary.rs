//! What a run did, written at its end: for people as text, for programs as JSON.

use std::fmt::Write;

use gaitd_core::engine::Phase;
use gaitd_core::ladder::Percentiles;
use gaitd_core::stream::StreamCounts;
use gaitd_core::words::counted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::class;
use crate::{ActivityCount, FaultView, LocalTime};

/// The account of one run: every window that was produced was decided, dropped or failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "class", rename = "summary")]
#[schemars(rename = "Summary", transform = class("summary"))]
pub struct Summary {
    /// When the run ended, by the clock of this machine; null where that clock is wrong by decades.
    #[serde(default)]
    pub time: Option<LocalTime>,
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

/// Inferences that began before their windows were complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeadCounts {
    /// Begun; those that did not answer were for nothing.
    pub begun: u64,
    /// Finished, and so the answer.
    pub answered: u64,
    /// Of these, the smallest configuration's, in place of one whose head was late.
    pub late: u64,
}

/// What became of the second inferences of cascades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CascadeCounts {
    /// The small configuration's answer was sure enough.
    pub not_needed: u64,
    /// The large configuration answered.
    pub answered: u64,
    /// The small configuration's answer stands, since the large one's would have been late.
    pub no_time: u64,
    /// It stands, since the inference of the large one failed.
    pub failed: u64,
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
    /// The summary for people: three lines, and one for each thing that went wrong. With `details`, everything that was counted.
    #[must_use]
    pub fn text(&self, details: bool) -> String {
        let mut text = String::new();
        let windows = &self.windows;
        let mut line = |line: std::fmt::Arguments<'_>| {
            // writing to a String cannot fail
            let _ = writeln!(text, "{line}");
        };
        let total = self.phases.iter().find(|phase| phase.phase == Phase::Total).map(|phase| phase.latency_us);
        let latency = total.filter(|_| windows.decided > 0 && self.misses.is_some()).map_or(String::new(), |latency| {
            let most = match windows.decided {
                // of fewer, one in a hundred is none
                ..100 => String::new(),
                _ => format!(", 1 in 100 above {} ms", short(latency.p99 / 1e3)),
            };
            format!("; latency {} ms{most}", short(latency.p50 / 1e3))
        });
        let late = self.misses.map_or_else(
            || "not timed".to_owned(),
            |misses| format!("{} later than {} ms ({:.2} %)", misses.count, self.budget_ms, misses.rate * 100.0),
        );
        line(format_args!(
            "\n{} in {}: {late}{latency}",
            counted(windows.produced, "window", "windows"),
            span(self.seconds)
        ));
        let mut activities: Vec<_> = self.activities.iter().filter(|activity| activity.windows > 0).collect();
        activities.sort_by_key(|activity| std::cmp::Reverse(activity.windows));
        if !activities.is_empty() {
            let activities = activities.iter().map(|one| format!("{} {}", one.activity, span(one.seconds)));
            line(format_args!("activities: {}", activities.collect::<Vec<_>>().join(", ")));
        }
        if !self.configurations.is_empty() {
            let configurations = self
                .configurations
                .iter()
                .map(|one| format!("{} {}", one.id, counted(one.windows, "window", "windows")));
            line(format_args!("configurations: {}", configurations.collect::<Vec<_>>().join(", ")));
        }
        self.troubles(&mut line);
        if details {
            self.details(&mut line);
        }
        text
    }

    /// What went wrong, a line each.
    fn troubles(&self, line: &mut dyn FnMut(std::fmt::Arguments<'_>)) {
        let (windows, samples) = (&self.windows, &self.samples);
        for (count, one, many, what) in [
            (windows.dropped, "window was", "windows were", "dropped for want of time"),
            (windows.held, "window was", "windows were", "not decided, for a sensor's fault"),
            (windows.failed, "window has", "windows have", "no decision: the inference failed"),
            (windows.lost, "decision was", "decisions were", "lost at the output"),
            (samples.malformed, "line", "lines", "of the stream could not be understood"),
            (samples.non_finite, "sample was", "samples were", "not finite or beyond 1e6"),
            (samples.out_of_order, "sample", "samples", "out of order, and dropped"),
            (samples.astray, "sample", "samples", "with a timestamp far ahead of the others, and dropped"),
            (samples.gaps, "gap", "gaps", "in the stream could not be bridged"),
        ] {
            if count > 0 {
                line(format_args!("  {} {what}", counted(count, one, many)));
            }
        }
        for fault in &self.implausible {
            line(format_args!("  implausible for {:.0} s: {}", fault.seconds, fault.explanation));
        }
    }

    /// Everything else that was counted.
    fn details(&self, line: &mut dyn FnMut(std::fmt::Arguments<'_>)) {
        let samples = &self.samples;
        line(format_args!(
            "{}{}{}: {} bridged, {} placed evenly, {} computed; {}, {}",
            counted(samples.samples, "sample", "samples"),
            if self.simulated { " (simulated)" } else { "" },
            self.rate_hz.map(|hz| format!(", {hz:.2} a second")).unwrap_or_default(),
            samples.bridged,
            samples.moved,
            samples.resampled,
            counted(samples.gaps, "gap", "gaps"),
            counted(samples.resets, "reset", "resets")
        ));
        if let Some(steady) = self.steady.filter(|steady| steady.windows > 0) {
            line(format_args!(
                "{} of {} steady windows of the simulated wearer recognised ({:.1} %)",
                steady.right,
                steady.windows,
                100.0 * steady.right as f64 / steady.windows as f64
            ));
        }
        line(format_args!("microseconds{:>17} {:>9} {:>9}", "p50", "p90", "p99"));
        let inferences = self.configurations.iter().map(|one| (one.id.as_str(), one.latency_us));
        for (name, Percentiles { p50, p90, p99 }) in
            inferences.chain(self.phases.iter().map(|phase| (phase.phase.name(), phase.latency_us)))
        {
            line(format_args!("  {name:<17} {p50:>9.0} {p90:>9.0} {p99:>9.0}"));
        }
    }
}

/// `seconds` as people say it: in seconds up to a minute and a half, then in minutes, and in hours and minutes from two hours
/// on.
fn span(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round();
    if seconds < 90.0 {
        format!("{seconds:.1} s")
    } else if minutes < 120.0 {
        format!("{:.1} min", seconds / 60.0)
    } else {
        format!("{:.0} h {:.0} min", (minutes / 60.0).floor(), minutes % 60.0)
    }
}

/// `ms` with two digits at least.
fn short(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_say_them() {
        let told = [0.0, 2.56, 89.94, 90.0, 3600.0, 7169.0, 7170.0, 7199.0, 86_399.0, 90_000.0].map(span);
        let expected = ["0.0 s", "2.6 s", "89.9 s", "1.5 min", "60.0 min", "119.5 min", "2 h 0 min", "2 h 0 min"];
        assert_eq!(told[..8], expected);
        assert_eq!(told[8..], ["24 h 0 min", "25 h 0 min"]);
    }
}
