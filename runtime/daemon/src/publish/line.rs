//! One decision as one line: NDJSON for programs, columns for people.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use gaitd_api::{DecisionLine, Hello, Implausible, PROTOCOL, Summary, milliseconds};
use gaitd_core::engine::Decision;
use gaitd_core::ladder::Manifest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How decisions are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
pub struct RunHeader {
    /// The model.
    pub manifest: Arc<Manifest>,
    /// Name of the stream.
    pub stream: String,
    /// Where the samples come from, for people.
    pub source: String,
    /// The samples are made up; every line says so.
    pub simulated: bool,
    /// Somebody waits for the decisions: they can be late.
    pub timed: bool,
    /// The policy's name.
    pub policy: String,
    /// The budget with which the run starts.
    pub budget: Duration,
}

impl RunHeader {
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
    #[must_use]
    pub fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            stream: self.stream.clone(),
            model: self.manifest.name.clone(),
            source: self.source.clone(),
            simulated: self.simulated,
            labels: self.labels().to_vec(),
            configurations: self.configurations().map(str::to_owned).collect(),
            policy: self.policy.clone(),
            budget_ms: milliseconds(self.budget),
        }
    }

    /// The line of `decision`, published `latency` after its last sample arrived.
    pub(crate) fn line<'a>(&'a self, decision: &'a Decision, latency: Duration) -> DecisionLine<'a> {
        DecisionLine::new(&self.stream, self.simulated, self.timed, decision, latency)
    }
}

/// Writes decisions as lines into a buffer that it reuses.
pub struct LineWriter {
    header: RunHeader,
    text: bool,
    line: Vec<u8>,
}

impl LineWriter {
    /// Writes by another `header` from here on, as readable lines (`text`) or NDJSON.
    pub fn change(&mut self, header: RunHeader, text: bool) {
        (self.header, self.text) = (header, text);
    }

    /// A writer of readable lines (`text`) or NDJSON.
    #[must_use]
    pub fn new(header: RunHeader, text: bool) -> Self {
        Self { header, text, line: Vec::with_capacity(1024) }
    }

    /// The first lines of a run.
    ///
    /// # Errors
    /// Never in practice; the buffer is memory.
    pub fn greeting(&mut self) -> std::io::Result<&[u8]> {
        let Self { header, text, line } = self;
        line.clear();
        if *text {
            writeln!(
                line,
                "gaitd {}: {} on {}; {} configurations, policy {}, budget {} ms",
                env!("CARGO_PKG_VERSION"),
                header.manifest.name,
                header.source,
                header.manifest.configurations.len(),
                header.policy,
                milliseconds(header.budget),
            )?;
            writeln!(
                line,
                "\n{:>9}  {:<12} {:>6}  {:<13} {:>8}  {:>10}  {:>10}  why",
                "time", "activity", "prob.", "configuration", "MMACs", "latency", "slack"
            )?;
        } else {
            serde_json::to_writer(&mut *line, &header.hello())?;
            line.push(b'\n');
        }
        Ok(line)
    }

    /// The line for `decision`, published at clock time `now`.
    ///
    /// # Errors
    /// Never in practice; the buffer is memory.
    pub fn decision(&mut self, decision: &Decision, now: Duration) -> std::io::Result<&[u8]> {
        let Self { header, text, line } = self;
        line.clear();
        let latency = now.saturating_sub(decision.arrived);
        if *text {
            let configuration = decision.configuration();
            // samples are counted where the stream has no timestamps
            match decision.time_s {
                Some(time_s) => write!(line, "{time_s:>7.2} s")?,
                None => write!(line, "#{:>8}", decision.samples.1)?,
            }
            write!(
                line,
                "  {:<12} {:>5.1}%  {:<13} {:>8.2}  ",
                decision.label(),
                decision.probabilities[decision.activity] * 100.0,
                configuration.id,
                configuration.macs as f64 / 1e6,
            )?;
            let slack = milliseconds(decision.budget) - milliseconds(latency);
            if header.timed {
                write!(line, "{:>7.2} ms  {slack:>+7.2} ms", milliseconds(latency))?;
            } else {
                write!(line, "{:>10}  {:>10}", "not timed", "-")?;
            }
            write!(line, "  {}", decision.choice.reason.describe())?;
            if header.timed && slack < 0.0 {
                line.extend_from_slice(b"  MISS");
            }
            for (sensor, fault) in Implausible::new(&decision.sensors, decision.faults).iter() {
                write!(line, "  [{sensor}: {fault}]")?;
            }
            if header.simulated {
                line.extend_from_slice(b"  [simulated]");
            }
        } else {
            serde_json::to_writer(&mut *line, &header.line(decision, latency))?;
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
