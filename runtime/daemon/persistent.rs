//! A source that may be missing, fail and end, and is tried again: a sensor's pipe or device.

use std::fs::{File, FileType, OpenOptions};
use std::io::BufReader;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use super::stop::Stop;
use crate::publish::api::SourceState;
use crate::sense::{Clock, Pace, Reading, Sample, SenseError, Source, StreamFormat, TextSource};

/// From one attempt to the next: doubles from the first to the last.
const FIRST_REST: Duration = Duration::from_millis(250);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// How often a pipe that nobody writes to is looked at: whether it is still the one at its path.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// How a source is; shared with those who ask.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceHealth(Arc<Mutex<Health>>);

/// How a source is, apart from whether samples flow.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    /// Never [`SourceState::Streaming`] or [`SourceState::Silent`]: that the samples tell.
    pub(super) state: SourceState,
    /// What is wrong, and when it is tried again.
    pub(super) detail: Option<String>,
    /// How often it could not be opened, failed or ended.
    pub(super) failures: u64,
}

impl SourceHealth {
    pub(super) fn get(&self) -> Health {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, state: SourceState, detail: Option<String>) {
        let mut health = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (health.state, health.detail) = (state, detail);
    }

    fn failed(&self, detail: String) {
        let mut health = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (health.state, health.detail) = (SourceState::Retrying, Some(detail));
        health.failures += 1;
    }
}

/// Reads the file at a path for as long as the run lasts. What fails is tried again after a rest that grows; what is
/// no regular file (a pipe, a device) is opened again when it ends, for its next writer.
pub(super) struct PersistentSource {
    path: PathBuf,
    pace: Pace,
    format: StreamFormat,
    clock: Arc<dyn Clock>,
    stop: Stop,
    health: SourceHealth,
    open: Option<Box<dyn Source>>,
    rest: Duration,
    /// What was told last, so that it is told once and not at each attempt.
    told: Option<String>,
}

impl PersistentSource {
    pub(super) fn new(
        path: &Path,
        pace: Pace,
        format: StreamFormat,
        clock: Arc<dyn Clock>,
        stop: Stop,
        health: SourceHealth,
    ) -> Self {
        let path = path.to_path_buf();
        Self { path, pace, format, clock, stop, health, open: None, rest: FIRST_REST, told: None }
    }

    /// Opens the source, however often that has to be tried; `None` when the run was asked to end.
    fn open(&mut self) -> Option<Box<dyn Source>> {
        loop {
            if self.stop.asked() {
                return None;
            }
            self.health.set(SourceState::Waiting, None);
            match open_written(&self.path, &self.stop) {
                Ok(None) => {}
                Ok(Some(file)) => {
                    let origin = self.path.display().to_string();
                    let (reader, clock) = (BufReader::new(file), Arc::clone(&self.clock));
                    return Some(Box::new(TextSource::new(reader, origin, &self.format, None, self.pace, clock)));
                }
                Err(source) => {
                    let error = SenseError::Open { path: self.path.display().to_string(), source };
                    self.rest_after(&error.to_string());
                }
            }
        }
    }

    /// Tells what went wrong, and waits before the next attempt.
    fn rest_after(&mut self, problem: &str) {
        let rest = self.rest;
        self.rest = (rest * 2).min(LONGEST_REST);
        self.health.failed(format!("{problem}; trying again every {:.2} s", rest.as_secs_f64()));
        if self.told.as_deref() != Some(problem) {
            log::warn!("{problem}; trying again, at last every {} s", LONGEST_REST.as_secs());
            self.told = Some(problem.to_owned());
        }
        self.stop.wait(rest);
    }

    /// Whether the end of the stream is the end of it all: a regular file has been read.
    fn is_whole(&self) -> bool {
        std::fs::metadata(&self.path).map(|file| file.file_type()).is_ok_and(|kind: FileType| kind.is_file())
    }
}

/// Opens the file at `path`; where that is a named pipe, returns when somebody writes to it, and `None` when it is no
/// longer what stands at `path`, or the run was asked to end. (To wait within `open` would be to wait for ever where
/// the pipe has been removed and made again meanwhile, as a restarted reader does.)
fn open_written(path: &Path, stop: &Stop) -> std::io::Result<Option<File>> {
    if !std::fs::metadata(path)?.file_type().is_fifo() {
        return File::open(path).map(Some);
    }
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    let opened = file.metadata()?;
    loop {
        let mut polled = [PollFd::new(&file, PollFlags::IN)];
        match poll(&mut polled, Some(&LOOK)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => break,
            Err(error) => return Err(error.into()),
        }
        let stands = std::fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (opened.dev(), opened.ino()));
        if !stands || stop.asked() {
            return Ok(None);
        }
    }
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
    Ok(Some(file))
}

impl Source for PersistentSource {
    fn read(&mut self, sample: &mut Sample) -> Result<Reading, SenseError> {
        let Some(source) = &mut self.open else {
            self.open = self.open();
            // what was before does not go on
            return Ok(if self.open.is_some() { Reading::Interrupted } else { Reading::End });
        };
        match source.read(sample) {
            Ok(Reading::End) if self.is_whole() => return Ok(Reading::End),
            Ok(Reading::End) => {
                self.open = None;
                self.rest_after(&format!("{}: whoever wrote it has closed it", self.path.display()));
            }
            Err(error) => {
                self.open = None;
                self.rest_after(&error.to_string());
            }
            Ok(reading) => {
                if reading == Reading::Sample && self.told.take().is_some() {
                    log::info!("{}: samples again", self.path.display());
                }
                self.rest = FIRST_REST;
                return Ok(reading);
            }
        }
        Ok(Reading::Interrupted)
    }
}
