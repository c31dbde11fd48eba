//! Decisions as lines, on standard output or appended to a file.

use std::fs::{File, OpenOptions};
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::time::Duration;

use super::{Format, LineWriter, PublishError, Publisher, RunHeader, Sink};
use crate::config::Output;
use crossbeam_channel::Receiver;
use gaitd_api::{LocalTime, Summary};
use gaitd_core::decode::Episode;
use gaitd_core::engine::Decision;

/// Writes lines, the first ones with the first decision: of a stream that is refused at its start nothing is written. People
/// at a terminal see them as soon as samples come.
pub(crate) struct LineOutput {
    lines: LineWriter,
    sink: Sink,
    /// Says once that samples come, where somebody at a terminal waits for that.
    flowing: Option<Receiver<()>>,
    /// The summary for people has everything.
    detailed: bool,
    /// When the run began, and no sample had come.
    begun: Option<LocalTime>,
    greeted: bool,
}

impl LineOutput {
    /// The lines of a run that `output` asks for; `flowing` says once that samples come, where anything does.
    ///
    /// # Errors
    /// When its file cannot be opened.
    pub(crate) fn open(
        output: &Output,
        header: &RunHeader,
        flowing: Option<&Receiver<()>>,
        detailed: bool,
    ) -> std::io::Result<Self> {
        let (to, terminal) = match open_file(output)? {
            Some(file) => (file, false),
            // as a file, since `Stdout` would keep a part of a line that cannot be written, and write it later
            None => (std::io::stdout().as_fd().try_clone_to_owned()?.into(), std::io::stdout().is_terminal()),
        };
        let text = match output.format {
            Format::Auto => terminal,
            Format::Text => true,
            Format::Ndjson | Format::None => false,
        };
        Ok(Self {
            lines: LineWriter::new(header.clone(), text, output.context),
            sink: Sink::new(to),
            flowing: flowing.filter(|_| text && terminal).cloned(),
            detailed,
            begun: LocalTime::now(),
            greeted: false,
        })
    }

    fn greet(&mut self) -> Result<(), PublishError> {
        if !self.greeted {
            self.sink.write(self.lines.greeting(self.begun).map_err(PublishError::Lost)?)?;
            self.greeted = true;
        }
        Ok(())
    }
}

/// Opens the file of `output`, if it has one.
pub(crate) fn open_file(output: &Output) -> std::io::Result<Option<File>> {
    output.path.as_ref().map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()
}

impl Publisher for LineOutput {
    fn begin(&mut self, _header: &RunHeader) -> Result<(), PublishError> {
        match self.flowing.take() {
            // until then there is nothing to publish; an error says that no sample came
            Some(flowing) if flowing.recv().is_ok() => self.greet(),
            _ => Ok(()),
        }
    }

    fn decision(&mut self, decision: &Decision, now: Duration) -> Result<(), PublishError> {
        self.greet()?;
        self.sink.write(self.lines.decision(decision, now).map_err(PublishError::Lost)?)
    }

    fn end(&mut self, episode: Option<&Episode>, summary: &Summary) -> Result<(), PublishError> {
        self.greet()?;
        self.sink.write(self.lines.summary(episode, summary, self.detailed).map_err(PublishError::Lost)?)
    }
}

/// Publishes nothing: the account of a run without outputs is kept all the same.
pub(crate) struct NoOutput;

impl Publisher for NoOutput {
    fn begin(&mut self, _header: &RunHeader) -> Result<(), PublishError> {
        Ok(())
    }

    fn decision(&mut self, _decision: &Decision, _now: Duration) -> Result<(), PublishError> {
        Ok(())
    }

    fn end(&mut self, _episode: Option<&Episode>, _summary: &Summary) -> Result<(), PublishError> {
        Ok(())
    }
}
