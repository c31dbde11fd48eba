//! A source that may be missing, fail and end, and is tried again: a sensor's pipe or device.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::config::{OnFailure, Paths, SourceSpec};
use crate::log_limits::RateLimitedLog;
use crate::stream::counters::SourceHealth;
use gaitd_api::SourceState;
use gaitd_core::clock::Clock;
use gaitd_core::stream::{Reading, Sample, StreamFormat};
use gaitd_sense::{HeaderMemory, SenseError, Source};

/// From one attempt to the next: doubles from the first to the last. Whoever has just put in the plug waits no longer for what
/// could not be opened.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE_MISSING: Duration = Duration::from_secs(5);

/// How often a pipe without a writer is checked to be still the one at its path.
const PATH_CHECK: Duration = Duration::from_millis(500);

/// Reads the file at a path, or the files at several, for as long as the run lasts. What fails is tried again after a
/// pause that grows; what is no regular file (a pipe, a device) is opened again when it ends, for its next writer. With
/// [`OnFailure::Exit`], the first failure or end is the end of the stream. Of several files the first failure or end is
/// that of all.
pub(crate) struct ReconnectingSource {
    spec: SourceSpec,
    on_failure: OnFailure,
    files: Vec<Remembered>,
    format: StreamFormat,
    clock: Arc<dyn Clock>,
    health: SourceHealth,
    state: State,
    pause: Duration,
    faults: [RateLimitedLog; 3],
    /// A fault was logged since the last sample.
    fault_logged: bool,
}

/// A file that is opened again and again.
struct Remembered {
    path: PathBuf,
    /// A device may say its header once, when it is switched on.
    header: HeaderMemory,
}

/// A file that is open.
struct OpenFile {
    file: Arc<File>,
    /// Of a pipe that has had no writer yet: the file that it is.
    without_writer: Option<Metadata>,
}

enum State {
    /// To be opened, from this clock time on.
    Closed {
        retry_at: Duration,
    },
    /// All files are open; some of them are pipes that have had no writer yet.
    WithoutWriter(Vec<OpenFile>),
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
    /// What `spec` says of the files at `paths`, for a model that reads `format`.
    pub(crate) fn new(
        spec: &SourceSpec,
        paths: &Paths,
        format: &StreamFormat,
        clock: &Arc<dyn Clock>,
        health: &SourceHealth,
    ) -> Self {
        let file = |path: &PathBuf| Remembered { path: path.clone(), header: HeaderMemory::default() };
        Self {
            on_failure: spec.on_failure(),
            files: paths.all().iter().map(file).collect(),
            spec: spec.clone(),
            format: format.clone(),
            clock: Arc::clone(clock),
            health: health.clone(),
            state: State::Closed { retry_at: Duration::ZERO },
            pause: FIRST_PAUSE,
            faults: Default::default(),
            fault_logged: false,
        }
    }

    /// Takes the next step towards an open source, waiting no longer than to `deadline`.
    fn connect(&mut self, deadline: Duration) -> Result<(), SenseError> {
        let next = match &mut self.state {
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
            State::WithoutWriter(open) => match have_writers(&self.files, open, self.clock.as_ref(), deadline) {
                Ok(Writer::Pending) => return Ok(()),
                Ok(Writer::Elsewhere) => Ok(State::Closed { retry_at: Duration::ZERO }),
                Ok(Writer::Present) => {
                    let open = std::mem::take(open);
                    self.stream_in(open)
                }
                Err(error) => Err(error),
            },
        };
        match next {
            Ok(state) => self.state = state,
            Err(error) if self.on_failure == OnFailure::Exit => return Err(error),
            Err(error) => self.pause_after(Fault::Missing, &error.to_string()),
        }
        Ok(())
    }

    /// Opens the files. Opening a pipe in the ordinary way would wait for a writer, but for ever where the pipe is made
    /// anew in the meantime, as with the directory of a service that starts again.
    fn open(&self) -> Result<State, SenseError> {
        let open = |path: &Path| {
            if !is_pipe(path) {
                return Ok(OpenFile { file: Arc::new(gaitd_sense::open_file(path)?), without_writer: None });
            }
            let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
            let pipe = File::options().read(true).custom_flags(flags).open(path)?;
            let without_writer = Some(pipe.metadata()?);
            Ok(OpenFile { file: Arc::new(pipe), without_writer })
        };
        let open = |file: &Remembered| open(&file.path).map_err(|error| unopened(&file.path, error));
        let files = self.files.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        if files.iter().any(|file| file.without_writer.is_some()) {
            return Ok(State::WithoutWriter(files));
        }
        self.stream_in(files)
    }

    fn stream_in(&self, open: Vec<OpenFile>) -> Result<State, SenseError> {
        let ready = |(remembered, open): (&Remembered, OpenFile)| {
            // a source polls for its bytes, and then expects to read some
            fcntl_getfl(&open.file)
                .and_then(|flags| fcntl_setfl(&open.file, flags - OFlags::NONBLOCK))
                .map_err(|error| unopened(&remembered.path, error.into()))?;
            Ok((open.file, remembered.path.display().to_string(), remembered.header.clone()))
        };
        let files = self.files.iter().zip(open).map(ready).collect::<Result<_, SenseError>>()?;
        Ok(State::Open(self.spec.stream_in(files, &self.format, &self.clock)))
    }

    /// Logs what went wrong, and closes the source for the pause before the next attempt.
    fn pause_after(&mut self, fault: Fault, problem: &str) {
        let pause = match fault {
            Fault::Missing => self.pause.min(LONGEST_PAUSE_MISSING),
            Fault::Broken | Fault::Closed => self.pause,
        };
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

    /// Whether the end is the end of the stream: a regular file is among what has been read.
    fn is_regular(&self) -> bool {
        let is_file = |file: &Remembered| std::fs::metadata(&file.path).is_ok_and(|file| file.file_type().is_file());
        self.files.iter().any(is_file)
    }
}

fn unopened(path: &Path, error: std::io::Error) -> SenseError {
    SenseError::Open { path: path.to_path_buf(), error }
}

/// Waits until `deadline` for a writer of each pipe of `open`, as long as they are those at the paths.
fn have_writers(
    files: &[Remembered],
    open: &mut [OpenFile],
    clock: &dyn Clock,
    deadline: Duration,
) -> Result<Writer, SenseError> {
    for (Remembered { path, .. }, open) in files.iter().zip(open) {
        let Some(opened) = &open.without_writer else { continue };
        match has_writer(path, &open.file, opened, clock, deadline).map_err(|error| unopened(path, error))? {
            Writer::Present => open.without_writer = None,
            other => return Ok(other),
        }
    }
    Ok(Writer::Present)
}

/// Waits until `deadline` for a writer of `pipe`, the file `opened`, as long as that is the one at `path`.
fn has_writer(
    path: &Path,
    pipe: &File,
    opened: &Metadata,
    clock: &dyn Clock,
    deadline: Duration,
) -> std::io::Result<Writer> {
    loop {
        let there = std::fs::metadata(path)?;
        if (there.dev(), there.ino()) != (opened.dev(), opened.ino()) {
            return Ok(Writer::Elsewhere);
        }
        let left = deadline.saturating_sub(clock.now());
        let timeout = Timespec::try_from(left.min(PATH_CHECK)).ok();
        match poll(&mut [PollFd::new(pipe, PollFlags::IN)], timeout.as_ref()) {
            Ok(0) if left <= PATH_CHECK => return Ok(Writer::Pending),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(Writer::Present),
            Err(error) => return Err(error.into()),
        }
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
    fn untimed_hz(&self) -> Option<f64> {
        match &self.state {
            State::Open(source) => source.untimed_hz(),
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
                let (name, whose) = (self.spec.name(), if self.files.len() > 1 { "a" } else { "its" });
                self.pause_after(Fault::Closed, &format!("{name}: {whose} writer has closed it"));
            }
            Err(error) => self.pause_after(Fault::Broken, &error.to_string()),
            Ok(reading) => {
                if reading == Reading::Sample {
                    if std::mem::take(&mut self.fault_logged) {
                        log::info!("{}: samples again", self.spec.name());
                    }
                    self.pause = FIRST_PAUSE;
                }
                return Ok(reading);
            }
        }
        Ok(Reading::Interrupted)
    }
}
