//! A source that may be missing, fail and end, and is tried again: a sensor's pipe or device.

use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::config::OnFailure;
use crate::os::stop::Stop;
use crate::repeated_faults::Repeated;
use crate::stream::counters::SourceHealth;
use gaitd_api::SourceState;
use gaitd_core::clock::Clock;
use gaitd_core::stream::{Reading, Sample, StreamFormat};
use gaitd_sense::{Pace, SenseError, Source, TextSource};

/// From one attempt to the next: doubles from the first to the last.
const FIRST_REST: Duration = Duration::from_millis(250);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// How often a pipe that nobody writes to is looked at: whether it is still the one at its path.
const LOOK: Duration = Duration::from_millis(500);

/// Reads the file at a path for as long as the run lasts. What fails is tried again after a rest that grows; what is
/// no regular file (a pipe, a device) is opened again when it ends, for its next writer. With [`OnFailure::Exit`], it
/// is only the wait for the first writer that can be stopped.
pub(crate) struct PersistentSource {
    path: PathBuf,
    on_failure: OnFailure,
    pace: Pace,
    format: StreamFormat,
    clock: Arc<dyn Clock>,
    stop: Stop,
    health: SourceHealth,
    open: Option<Box<dyn Source>>,
    rest: Duration,
    faults: [Repeated; 3],
    /// A fault was told since the last sample.
    told: bool,
}

/// What can go wrong with a source.
#[derive(Clone, Copy)]
enum Fault {
    /// It cannot be opened.
    Missing,
    /// It failed while it was read.
    Broken,
    /// Whoever wrote it has closed it.
    Closed,
}

impl PersistentSource {
    pub(crate) fn new(
        path: &Path,
        on_failure: OnFailure,
        pace: Pace,
        format: StreamFormat,
        clock: Arc<dyn Clock>,
        stop: Stop,
        health: SourceHealth,
    ) -> Self {
        let path = path.to_path_buf();
        Self {
            path,
            on_failure,
            pace,
            format,
            clock,
            stop,
            health,
            open: None,
            rest: FIRST_REST,
            faults: Default::default(),
            told: false,
        }
    }

    /// Opens the source, however often that has to be tried; `None` when the run was asked to end.
    fn open(&mut self) -> Result<Option<Box<dyn Source>>, SenseError> {
        loop {
            if self.stop.asked() {
                return Ok(None);
            }
            self.health.set(SourceState::Waiting, None);
            let opened = if is_pipe(&self.path) { self.wait_for_writer() } else { File::open(&self.path).map(Some) };
            let source = match opened {
                Ok(Some(file)) => return Ok(Some(self.stream_in(file))),
                // asked to end, or another file is there by now
                Ok(None) => continue,
                Err(source) => source,
            };
            let error = SenseError::Open { path: self.path.display().to_string(), source };
            if self.on_failure == OnFailure::Exit {
                return Err(error);
            }
            self.rest_after(Fault::Missing, &error.to_string());
        }
    }

    fn stream_in(&self, file: File) -> Box<dyn Source> {
        let (origin, clock) = (self.path.display().to_string(), Arc::clone(&self.clock));
        Box::new(TextSource::new(BufReader::new(file), origin, &self.format, None, self.pace, clock))
    }

    /// Opens the pipe at the path, and returns it once somebody has written to it; nothing when the run was asked to
    /// end or another file has taken its place. Opening it in the ordinary way would wait for a writer as well, but
    /// for ever where the pipe is made anew in the meantime, as with the directory of a service that starts again.
    fn wait_for_writer(&self) -> std::io::Result<Option<File>> {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let file = File::options().read(true).custom_flags(flags).open(&self.path)?;
        let opened = file.metadata()?;
        let look = Timespec::try_from(LOOK).ok();
        while !self.stop.asked() {
            let mut polled = [PollFd::new(&file, PollFlags::IN)];
            match poll(&mut polled, look.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => {
                    let flags = fcntl_getfl(&file)?;
                    fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
                    return Ok(Some(file));
                }
                Err(error) => return Err(error.into()),
            }
            let there = std::fs::metadata(&self.path)?;
            if (there.dev(), there.ino()) != (opened.dev(), opened.ino()) {
                break;
            }
        }
        Ok(None)
    }

    /// Tells what went wrong, and waits before the next attempt.
    fn rest_after(&mut self, fault: Fault, problem: &str) {
        let rest = self.rest;
        self.rest = (rest * 2).min(LONGEST_REST);
        let next = format!("{problem}; trying again in {:.2} s", rest.as_secs_f64());
        // each kind for itself: the first of a new one is news
        if let Some(count) = self.faults[fault as usize].occurred(self.clock.now()) {
            log::warn!("{next} ({count} so far)");
            self.told = true;
        }
        self.health.failed(next);
        self.stop.wait(rest);
    }

    /// Whether the end of the stream is the end of it all: a regular file has been read.
    fn is_whole(&self) -> bool {
        std::fs::metadata(&self.path).map(|file| file.file_type()).is_ok_and(|kind| kind.is_file())
    }
}

/// Whether opening the file at `path` may take until somebody writes to it.
pub(crate) fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo())
}

impl Source for PersistentSource {
    fn read(&mut self, sample: &mut Sample) -> Result<Reading, SenseError> {
        let Some(source) = &mut self.open else {
            self.open = self.open()?;
            // what was before does not go on
            return Ok(if self.open.is_some() { Reading::Interrupted } else { Reading::End });
        };
        match source.read(sample) {
            outcome @ (Ok(Reading::End) | Err(_)) if self.on_failure == OnFailure::Exit => return outcome,
            Ok(Reading::End) if self.is_whole() => return Ok(Reading::End),
            Ok(Reading::End) => {
                self.open = None;
                self.rest_after(Fault::Closed, &format!("{}: whoever wrote it has closed it", self.path.display()));
            }
            Err(error) => {
                self.open = None;
                self.rest_after(Fault::Broken, &error.to_string());
            }
            Ok(reading) => {
                if reading == Reading::Sample && std::mem::take(&mut self.told) {
                    log::info!("{}: samples again", self.path.display());
                }
                self.rest = FIRST_REST;
                return Ok(reading);
            }
        }
        Ok(Reading::Interrupted)
    }
}
