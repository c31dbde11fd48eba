//! One decision as one line: NDJSON for programs, columns for people.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::Table;
use gaitd_api::{DecisionLine, EpisodeLine, Hello, LocalTime, PROTOCOL, RevisedLine, Summary, milliseconds};
use gaitd_core::decode::Episode;
use gaitd_core::engine::{Decision, Revision};
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

    /// The first object of an NDJSON stream that begins at `time`.
    #[must_use]
    pub fn hello(&self, time: Option<LocalTime>) -> Hello {
        Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time,
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

    /// The line of `revision`.
    pub(crate) fn revised<'a>(&'a self, revision: &'a Revision) -> RevisedLine<'a> {
        RevisedLine::new(&self.stream, self.simulated, self.labels(), revision)
    }

    /// The line of `episode`.
    pub(crate) fn episode(&self, episode: &Episode) -> EpisodeLine<'_> {
        EpisodeLine::new(&self.stream, self.simulated, self.labels(), episode)
    }
}

/// Writes decisions as lines into a buffer that it reuses.
pub struct LineWriter {
    header: RunHeader,
    /// How readable lines are laid out; NDJSON where there is none.
    table: Option<Table>,
    /// Whether they have what all windows of the stream say together.
    context: bool,
    line: Vec<u8>,
}

impl LineWriter {
    /// Writes by another `header` from here on, as readable lines (`text`) or NDJSON.
    pub fn change(&mut self, header: RunHeader, text: bool) {
        (self.table, self.header) = (table(&header, text), header);
    }

    /// A writer of readable lines (`text`) or NDJSON, of what all windows of the stream say together (`context`) or each alone.
    #[must_use]
    pub fn new(header: RunHeader, text: bool, context: bool) -> Self {
        // a decision has each label twice, with a number of up to 14 characters
        let labels: usize = header.manifest.task.labels.iter().map(|label| 2 * (label.len() + 18)).sum();
        Self { table: table(&header, text), context, header, line: Vec::with_capacity(1024 + labels) }
    }

    /// The first lines of a run that begins at `time`.
    ///
    /// # Errors
    /// Never in practice; the buffer is memory.
    pub fn greeting(&mut self, time: Option<LocalTime>) -> std::io::Result<&[u8]> {
        let Self { header, table, line, .. } = self;
        line.clear();
        if let Some(table) = table {
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
            line.push(b'\n');
            table.heading(&mut *line)?;
        } else {
            write_line(line, &header.hello(time))?;
        }
        Ok(line)
    }

    /// The line for `decision`, published at clock time `now`; for programs, with context, one for the window that is revised
    /// with it and one for the episode that ended before it follow.
    ///
    /// # Errors
    /// Never in practice; the buffer is memory.
    pub fn decision(&mut self, decision: &Decision, now: Duration) -> std::io::Result<&[u8]> {
        let Self { header, table, context, line } = self;
        line.clear();
        let mut of_decision = header.line(decision, now.saturating_sub(decision.arrived));
        if !*context {
            of_decision.answer_alone();
        }
        if let Some(table) = table {
            table.row(&of_decision, &mut *line)?;
        } else {
            write_line(line, &of_decision)?;
            if let Some(revision) = decision.revision.as_ref().filter(|_| *context) {
                write_line(line, &header.revised(revision))?;
            }
            if let Some(episode) = decision.episode.as_ref().filter(|_| *context) {
                write_line(line, &header.episode(episode))?;
            }
        }
        Ok(line)
    }

    /// The last lines of a run: for programs, the `episode` that its end has ended, if there is one, and the summary; for people
    /// the summary alone, with phases and percentiles where they are to be `detailed`.
    ///
    /// # Errors
    /// Never in practice; the buffer is memory.
    pub fn summary(&mut self, episode: Option<&Episode>, summary: &Summary, detailed: bool) -> std::io::Result<&[u8]> {
        if self.table.is_none() {
            self.episode(episode)?;
            write_line(&mut self.line, summary)?;
        } else {
            self.line.clear();
            self.line.extend_from_slice(summary.text(detailed).as_bytes());
        }
        Ok(&self.line)
    }

    /// The line of `episode`; nothing where there is none, or lines are for people or without context.
    ///
    /// # Errors
    /// Never in practice; the buffer is memory.
    pub fn episode(&mut self, episode: Option<&Episode>) -> std::io::Result<&[u8]> {
        self.line.clear();
        if let (Some(episode), None, true) = (episode, &self.table, self.context) {
            write_line(&mut self.line, &self.header.episode(episode))?;
        }
        Ok(&self.line)
    }
}

/// Adds `value` to `line`, as a line of its own.
fn write_line(line: &mut Vec<u8>, value: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *line, value)?;
    line.push(b'\n');
    Ok(())
}

/// How the lines of `header`'s decisions are laid out where they are readable (`text`).
fn table(header: &RunHeader, text: bool) -> Option<Table> {
    text.then(|| Table::new(header.labels().iter().map(String::as_str), header.configurations()))
}
