//! Where samples are written to: standard output, a file, or a pipe whose readers come and go.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use gaitd_daemon::Stop;
use gaitd_daemon::publish::take_back;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, mkfifoat};
use rustix::io::Errno;

use super::super::exit::{self, ExitCode};

/// From one look for a reader to the next.
const REST: Duration = Duration::from_millis(250);

/// How long a request to stop may go unnoticed while a reader is slow.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Where samples are written to.
pub(super) enum Outlet {
    Standard,
    File(PathBuf),
    Pipe(PathBuf),
}

/// The reader of what is written.
pub(super) struct Reader {
    file: File,
}

/// Where the pipe should be is another kind of file.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no pipe; remove it, or write to a file with --output {0}")]
pub(crate) struct NotAPipe(String);

impl ExitCode for NotAPipe {
    fn exit_code(&self) -> u8 {
        exit::USAGE
    }
}

/// The outcome of writing a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Written,
    /// The reader is gone.
    ReaderGone,
    /// The end was requested.
    Stopped,
}

impl Outlet {
    /// The `pipe`, else the `file`; standard output without either, or for `-`. A file that is a pipe is one.
    pub(super) fn new(file: Option<&Path>, pipe: Option<&Path>) -> Self {
        let is_pipe = |path: &Path| fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo());
        match (pipe, file.filter(|path| *path != Path::new("-"))) {
            (Some(pipe), _) => Self::Pipe(pipe.to_owned()),
            (None, Some(path)) if is_pipe(path) => Self::Pipe(path.to_owned()),
            (None, Some(path)) => Self::File(path.to_owned()),
            (None, None) => Self::Standard,
        }
    }

    pub(super) fn is_pipe(&self) -> bool {
        matches!(self, Self::Pipe(_))
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Standard => "standard output".to_owned(),
            Self::File(path) | Self::Pipe(path) => path.display().to_string(),
        }
    }

    /// Waits for a reader; `None` when a stop was requested.
    ///
    /// # Errors
    /// When the pipe cannot be made or opened, or another kind of file is in its place.
    pub(super) fn open(&self, stop: &Stop) -> anyhow::Result<Option<Reader>> {
        let path = match self {
            Self::Standard => {
                let output = io::stdout().as_fd().try_clone_to_owned().context("cannot use standard output")?;
                return Ok(Some(Reader { file: output.into() }));
            }
            Self::File(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let file = file.with_context(|| format!("cannot write to {}", path.display()))?;
                return Ok(Some(Reader { file }));
            }
            Self::Pipe(path) => path,
        };
        let mut logged = None;
        loop {
            make(path)?;
            let flags = OFlags::NONBLOCK.bits().cast_signed();
            let waits_for = match OpenOptions::new().write(true).custom_flags(flags).open(path) {
                Ok(file) => match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => return Ok(Some(Reader { file })),
                    Err(Errno::WOULDBLOCK) => "the program that writes to it now",
                    Err(error) => return Err(error).with_context(|| format!("cannot lock {}", path.display())),
                },
                Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => "a reader",
                // removed meanwhile, so that it is made again
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(|| format!("cannot open {}", path.display())),
            };
            if logged.replace(waits_for) != Some(waits_for) {
                log::info!("{}: waiting for {waits_for}", path.display());
            }
            if stop.wait(REST) {
                return Ok(None);
            }
        }
    }
}

/// Sees to it that there is a pipe: for its owner to write and its group to read.
fn make(path: &Path) -> anyhow::Result<()> {
    match mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR | Mode::RGRP) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => {
            return Err(io::Error::from(error)).with_context(|| format!("cannot make the pipe {}", path.display()));
        }
    }
    match fs::metadata(path) {
        Ok(file) if file.file_type().is_fifo() => Ok(()),
        // removed meanwhile, which opening it shows
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(_) => bail!(NotAPipe(path.display().to_string())),
        Err(error) => Err(error).with_context(|| format!("cannot use {}", path.display())),
    }
}

impl Reader {
    /// Writes a text that is shorter than what a pipe takes as a whole (4 KiB), waiting for a slow reader.
    ///
    /// # Errors
    /// When it cannot be written for another reason than that the reader has gone.
    pub(super) fn write(&mut self, text: &str, stop: &Stop) -> io::Result<Fate> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            if stop.asked() {
                return Ok(Fate::Stopped);
            }
            // so that neither this nor a write blocks when a stop is requested
            let mut ready = [PollFd::new(&self.file, PollFlags::OUT)];
            match poll(&mut ready, Some(&LOOK)) {
                Ok(0) | Err(Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            match self.file.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Fate::ReaderGone),
                Err(error) => {
                    take_back(&mut self.file, text.len() - rest.len());
                    return Err(error);
                }
            }
        }
        Ok(Fate::Written)
    }
}
