//! A source that may be missing, fail and end, and is tried again: a sensor's pipe or device.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::config::OnFailure;
use crate::log_limits::RateLimitedLog;
use crate::stream::counters::SourceHealth;
use gaitd_api::SourceState;
use gaitd_core::clock::Clock;
use gaitd_core::stream::{Reading, Sample, StreamFormat};
use gaitd_sense::{HeaderMemory, Pace, SenseError, Source, Spelling, TextSource};

/// From one attempt to the next: doubles from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often a pipe without a writer is checked to be still the one at its path.
const PATH_CHECK: Duration = Duration::from_millis(500);

/// Reads the file at a path for as long as the run lasts. What fails is tried again after a pause that grows; what is
/// no regular file (a pipe, a device) is opened again when it ends, for its next writer. With [`OnFailure::Exit`], the
/// first failure or end is the end of the stream.
pub(crate) struct ReconnectingSource {
    path: PathBuf,
    on_failure: OnFailure,
    pace: Pace,
    spelling: Spelling,
    /// A device may say its header once, when it is switched on.
    header: HeaderMemory,
    format: StreamFormat,
    clock: Arc<dyn Clock>,
    health: SourceHealth,
    state: State,
    pause: Duration,
    faults: [RateLimitedLog; 3],
    /// A fault was logged since the last sample.
    fault_logged: bool,
}

enum State {
    /// To be opened, from this clock time on.
    Closed {
        retry_at: Duration,
    },
    /// An open pipe that has had no writer yet, and the file that it is.
    WithoutWriter {
        pipe: Arc<File>,
        opened: Metadata,
    },
    Open(Box<dyn Source>),
}

/// What can go wrong with a source.
#[derive(Clone, Copy)]
enum Fault {
    /// It cannot be opened.
    Missing,
    /// It failed while it was read.
    Broken,
    /// Its writer has closed it.
    Closed,
}

impl ReconnectingSource {
    pub(crate) fn new(
        path: &Path,
        on_failure: OnFailure,
        pace: Pace,
        spelling: Spelling,
        format: StreamFormat,
        clock: Arc<dyn Clock>,
        health: SourceHealth,
    ) -> Self {
        Self {
            path: path.to_path_buf(),
            on_failure,
            pace,
            spelling,
            header: HeaderMemory::default(),
            format,
            clock,
            health,
            state: State::Closed { retry_at: Duration::ZERO },
            pause: FIRST_PAUSE,
            faults: Default::default(),
            fault_logged: false,
        }
    }

    /// Takes the next step towards an open source, waiting no longer than to `deadline`.
    fn connect(&mut self, deadline: Duration) -> Result<(), SenseError> {
        let next = match &self.state {
            State::Open(_) => return Ok(()),
            State::Closed { retry_at } if *retry_at > deadline => {
                self.clock.wait_until(deadline);
                return Ok(());
            }
            State::Closed { retry_at } => {
                self.clock.wait_until(*retry_at);
                self.health.set(SourceState::Waiting, None);
                self.open()
            }
            State::WithoutWriter { pipe, opened } => match self.has_writer(pipe, opened, deadline) {
                Ok(Writer::Pending) => return Ok(()),
                Ok(Writer::Elsewhere) => Ok(State::Closed { retry_at: Duration::ZERO }),
                Ok(Writer::Present) => self.stream_in(Arc::clone(pipe)),
                Err(error) => Err(self.unopened(error)),
            },
        };
        match next {
            Ok(state) => self.state = state,
            Err(error) if self.on_failure == OnFailure::Exit => return Err(error),
            Err(error) => self.pause_after(Fault::Missing, &error.to_string()),
        }
        Ok(())
    }

    /// Opens the file at the path. Opening a pipe in the ordinary way would wait for a writer, but for ever where the pipe
    /// is made anew in the meantime, as with the directory of a service that starts again.
    fn open(&self) -> Result<State, SenseError> {
        let open = || {
            if !is_pipe(&self.path) {
                return Ok((File::open(&self.path)?, None));
            }
            let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
            let pipe = File::options().read(true).custom_flags(flags).open(&self.path)?;
            let opened = pipe.metadata()?;
            Ok((pipe, Some(opened)))
        };
        match open().map_err(|error| self.unopened(error))? {
            (pipe, Some(opened)) => Ok(State::WithoutWriter { pipe: Arc::new(pipe), opened }),
            (file, None) => self.stream_in(Arc::new(file)),
        }
    }

    fn unopened(&self, error: std::io::Error) -> SenseError {
        SenseError::Open { path: self.path.clone(), error }
    }

    fn stream_in(&self, file: Arc<File>) -> Result<State, SenseError> {
        // a source polls for its bytes, and then expects to read some
        fcntl_getfl(&file)
            .and_then(|flags| fcntl_setfl(&file, flags - OFlags::NONBLOCK))
            .map_err(|error| self.unopened(error.into()))?;
        let (origin, clock) = (self.path.display().to_string(), Arc::clone(&self.clock));
        let source = TextSource::from_file(file, origin, &self.format, None, self.pace, clock);
        Ok(State::Open(Box::new(source.spelled(self.spelling.clone()).remembering(&self.header))))
    }

    /// Waits until `deadline` for a writer of `pipe`, the file `opened`, as long as that is the one at the path.
    fn has_writer(&self, pipe: &File, opened: &Metadata, deadline: Duration) -> std::io::Result<Writer> {
        loop {
            let there = std::fs::metadata(&self.path)?;
            if (there.dev(), there.ino()) != (opened.dev(), opened.ino()) {
                return Ok(Writer::Elsewhere);
            }
            let left = deadline.saturating_sub(self.clock.now());
            let timeout = Timespec::try_from(left.min(PATH_CHECK)).ok();
            match poll(&mut [PollFd::new(pipe, PollFlags::IN)], timeout.as_ref()) {
                Ok(0) if left <= PATH_CHECK => return Ok(Writer::Pending),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(Writer::Present),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Logs what went wrong, and closes the source for the pause before the next attempt.
    fn pause_after(&mut self, fault: Fault, problem: &str) {
        let pause = self.pause;
        let now = self.clock.now();
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        let next = format!("{problem}; trying again in {:.2} s", pause.as_secs_f64());
        // each kind for itself: the first of a new one is news
        if let Some(count) = self.faults[fault as usize].occurred(now) {
            log::warn!("{next} ({count} so far)");
            self.fault_logged = true;
        }
        self.health.failed(next);
        self.state = State::Closed { retry_at: now + pause };
    }

    /// Whether the end of the file is the end of the stream: a regular file has been read.
    fn is_regular(&self) -> bool {
        std::fs::metadata(&self.path).map(|file| file.file_type()).is_ok_and(|kind| kind.is_file())
    }
}

/// What there is of the other end of a pipe.
enum Writer {
    Present,
    Pending,
    /// Another file is at the path by now.
    Elsewhere,
}

/// Whether opening the file at `path` may have to wait for a writer.
pub(crate) fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo())
}

impl Source for ReconnectingSource {
    fn declared_hz(&self) -> Option<f64> {
        match &self.state {
            State::Open(source) => source.declared_hz(),
            State::Closed { .. } | State::WithoutWriter { .. } => None,
        }
    }

    fn read(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError> {
        let source = loop {
            match &mut self.state {
                State::Open(source) => break source,
                _ => self.connect(deadline)?,
            }
            match self.state {
                // what was before does not go on
                State::Open(_) => return Ok(Reading::Interrupted),
                _ if self.clock.now() >= deadline => return Ok(Reading::Pending),
                _ => {}
            }
        };
        match source.read(sample, deadline) {
            outcome @ (Ok(Reading::End) | Err(_)) if self.on_failure == OnFailure::Exit => return outcome,
            Ok(Reading::End) if self.is_regular() => return Ok(Reading::End),
            Ok(Reading::End) => {
                self.pause_after(Fault::Closed, &format!("{}: its writer has closed it", self.path.display()));
            }
            Err(error) => self.pause_after(Fault::Broken, &error.to_string()),
            Ok(reading) => {
                if reading == Reading::Sample {
                    if std::mem::take(&mut self.fault_logged) {
                        log::info!("{}: samples again", self.path.display());
                    }
                    self.pause = FIRST_PAUSE;
                }
                return Ok(reading);
            }
        }
        Ok(Reading::Interrupted)
    }
}
