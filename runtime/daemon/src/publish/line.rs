//! One decision as one line: NDJSON for programs, columns for people.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use gaitd_api::Summary;
use gaitd_api::milliseconds;
use gaitd_core::engine::Decision;
use gaitd_core::ladder::Manifest;

/// Version of the NDJSON protocol: raised when a field changes its meaning or goes away.
const PROTOCOL: u32 = 1;

/// How decisions are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Readable lines on a terminal, NDJSON elsewhere.
    #[default]
    Auto,
    /// Readable lines.
    Text,
    /// One JSON object per line, each with a `class`.
    Ndjson,
    /// Not at all.
    None,
}

/// What every line of one run has in common.
#[derive(Clone, Debug)]
pub struct Context {
    /// The model.
    pub manifest: Arc<Manifest>,
    /// Where the samples come from, for people.
    pub source: String,
    /// The samples are made up; every line says so.
    pub simulated: bool,
    /// The policy's name.
    pub policy: String,
    /// The budget with which the run starts.
    pub budget: Duration,
}

impl Context {
    /// The context of a run of the model `manifest`.
    #[must_use]
    pub fn new(manifest: &Arc<Manifest>, source: String, simulated: bool, policy: String, budget: Duration) -> Self {
        Self { manifest: Arc::clone(manifest), source, simulated, policy, budget }
    }

    /// The names of the activities.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.manifest.task.labels
    }

    /// The names of the configurations.
    pub fn configurations(&self) -> impl Iterator<Item = &str> {
        self.manifest.configurations.iter().map(|configuration| configuration.id.as_str())
    }

    /// The first object of an NDJSON stream.
    pub(crate) fn greeting(&self) -> serde_json::Value {
        serde_json::json!({
            "class": "gaitd", "protocol": PROTOCOL, "version": env!("CARGO_PKG_VERSION"),
            "model": self.manifest.name, "source": self.source, "simulated": self.simulated,
            "labels": self.labels(), "configurations": self.configurations().collect::<Vec<_>>(),
            "policy": self.policy, "budget_ms": milliseconds(self.budget),
        })
    }
}

/// Writes decisions as lines into a buffer that it reuses.
pub struct LineWriter {
    context: Context,
    text: bool,
    line: Vec<u8>,
}

impl LineWriter {
    /// Has another context from here on, and writes in another form perhaps.
    pub fn change(&mut self, context: Context, text: bool) {
        (self.context, self.text) = (context, text);
    }

    /// A writer of readable lines (`text`) or NDJSON.
    #[must_use]
    pub fn new(context: Context, text: bool) -> Self {
        Self { context, text, line: Vec::with_capacity(1024) }
    }

    /// The first lines of a run.
    ///
    /// # Errors
    /// Never in practice; the buffer is memory.
    pub fn greeting(&mut self) -> std::io::Result<&[u8]> {
        let Self { context, text, line } = self;
        line.clear();
        if *text {
            writeln!(
                line,
                "gaitd {}: {} on {}; {} configurations, policy {}, budget {} ms",
                env!("CARGO_PKG_VERSION"),
                context.manifest.name,
                context.source,
                context.manifest.configurations.len(),
                context.policy,
                milliseconds(context.budget),
            )?;
            writeln!(
                line,
                "\n{:>9}  {:<12} {:>6}  {:<13} {:>8}  {:>10}  {:>10}  why",
                "time", "activity", "prob.", "configuration", "MMACs", "latency", "slack"
            )?;
        } else {
            serde_json::to_writer(&mut *line, &context.greeting())?;
            line.push(b'\n');
        }
        Ok(line)
    }

    /// The line for `decision`, published at clock time `now`.
    ///
    /// # Errors
    /// Never in practice; the buffer is memory.
    pub fn decision(&mut self, decision: &Decision, now: Duration) -> std::io::Result<&[u8]> {
        let Self { context, text, line } = self;
        line.clear();
        let latency = now.saturating_sub(decision.arrived);
        if *text {
            let configuration = decision.configuration();
            // a stream without timestamps is told apart by its samples
            match decision.time_s {
                Some(time_s) => write!(line, "{time_s:>7.2} s")?,
                None => write!(line, "#{:>8}", decision.samples.1)?,
            }
            write!(
                line,
                "  {:<12} {:>5.1}%  {:<13} {:>8.2}  {:>7.2} ms  {:>+7.2} ms  {}",
                decision.label(),
                decision.probabilities[decision.activity] * 100.0,
                configuration.id,
                configuration.macs as f64 / 1e6,
                milliseconds(latency),
                signed_milliseconds(decision.budget, latency),
                decision.choice.reason.describe(),
            )?;
            if latency > decision.budget {
                line.extend_from_slice(b"  MISS");
            }
            if context.simulated {
                line.extend_from_slice(b"  [simulated]");
            }
        } else {
            write_decision(&mut *line, context, decision, latency)?;
        }
        line.push(b'\n');
        Ok(line)
    }

    /// The last lines of a run.
    ///
    /// # Errors
    /// Never in practice; the buffer is memory.
    pub fn summary(&mut self, summary: &Summary) -> std::io::Result<&[u8]> {
        let Self { text, line, .. } = self;
        line.clear();
        if *text {
            line.extend_from_slice(summary.text().as_bytes());
        } else {
            serde_json::to_writer(&mut *line, summary)?;
            line.push(b'\n');
        }
        Ok(line)
    }
}

/// Writes `decision`, which took `latency`, as the JSON object of an NDJSON line, without the end of the line.
pub(crate) fn write_decision(
    output: impl Write,
    context: &Context,
    decision: &Decision,
    latency: Duration,
) -> std::io::Result<()> {
    Ok(serde_json::to_writer(output, &Line { decision, context, latency })?)
}

fn signed_milliseconds(budget: Duration, latency: Duration) -> f64 {
    milliseconds(budget) - milliseconds(latency)
}

/// A decision as it stands in NDJSON; borrowed, so that writing it allocates nothing.
struct Line<'a> {
    decision: &'a Decision,
    context: &'a Context,
    latency: Duration,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { decision, context, latency } = self;
        let choice = &decision.choice;
        let mut line = serializer.serialize_struct("decision", 19)?;
        line.serialize_field("class", "decision")?;
        line.serialize_field("window", &decision.window)?;
        line.serialize_field("samples", &decision.samples)?;
        line.serialize_field("time_s", &decision.time_s)?;
        line.serialize_field("simulated", &context.simulated)?;
        line.serialize_field("activity", decision.label())?;
        line.serialize_field("probabilities", &Probabilities(decision))?;
        line.serialize_field("configuration", &decision.configuration().id)?;
        line.serialize_field("reason", &choice.reason)?;
        line.serialize_field("predicted_ms", &milliseconds(choice.forecast.predicted))?;
        line.serialize_field("miss_probability", &choice.forecast.miss_probability)?;
        line.serialize_field("expected_accuracy", &decision.expected_accuracy())?;
        line.serialize_field("slowdown", &decision.slowdown.map(|slowdown| slowdown.mean))?;
        line.serialize_field("signals", &decision.signals)?;
        line.serialize_field("timings_ms", &Timings(decision))?;
        line.serialize_field("latency_ms", &milliseconds(*latency))?;
        line.serialize_field("budget_ms", &milliseconds(decision.budget))?;
        line.serialize_field("slack_ms", &signed_milliseconds(decision.budget, *latency))?;
        line.serialize_field("miss", &(*latency > decision.budget))?;
        line.end()
    }
}

struct Probabilities<'a>(&'a Decision);

impl Serialize for Probabilities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let labels = &self.0.manifest.task.labels;
        let mut map = serializer.serialize_map(Some(labels.len()))?;
        for (label, probability) in labels.iter().zip(&self.0.probabilities) {
            map.serialize_entry(label, probability)?;
        }
        map.end()
    }
}

struct Timings<'a>(&'a Decision);

impl Serialize for Timings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut timings = serializer.serialize_struct("timings", 5)?;
        timings.serialize_field("condition", &milliseconds(self.0.condition))?;
        timings.serialize_field("wait", &milliseconds(self.0.wait))?;
        timings.serialize_field("prepare", &milliseconds(self.0.prepare))?;
        timings.serialize_field("infer", &milliseconds(self.0.infer))?;
        timings.serialize_field("cpu", &self.0.cpu.map(milliseconds))?;
        timings.end()
    }
}
