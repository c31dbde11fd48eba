//! Values read one by one, at times that are this program's, as if a driver had filled a buffer with them.

use std::fs::File;
use std::io::{self, PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::device::Device;
use super::error::is_gone;
use super::quantity::{AXES, Quantity};
use super::stamps::Stamps;
use super::{IioError, attribute};

/// Reads `in_*_raw` at a rate, in a thread of its own: a driver whose sensor does not answer keeps nothing else waiting.
#[derive(Debug)]
pub(super) struct Polling {
    /// Why the thread has ended.
    failure: Receiver<IioError>,
    /// The thread ends when this goes.
    _stop: Sender<()>,
}

/// What the thread works with.
struct Poller {
    device: String,
    files: Vec<(PathBuf, File)>,
    period: Duration,
    stamps: Stamps,
    writer: PipeWriter,
}

impl Polling {
    /// Starts the thread. Into the pipe go the values of all axes as `le:f64/64`, then the time in nanoseconds as `le:s64/64`.
    pub(super) fn start(
        device: &Device,
        quantities: &[Quantity],
        rate_hz: f64,
        stamps: Stamps,
    ) -> Result<(Self, File), IioError> {
        let mut files = Vec::new();
        for quantity in quantities {
            for axis in AXES {
                let path = device.folder.join(format!("{}_{axis}_raw", quantity.prefix()));
                files.push((path.clone(), attribute::open(&path)?));
            }
        }
        let failed = |error| IioError::file("poll", Path::new(&device.id), error);
        let (reader, writer) = io::pipe().map_err(failed)?;
        fcntl_getfl(&reader)
            .and_then(|flags| fcntl_setfl(&reader, flags | OFlags::NONBLOCK))
            .map_err(|error| failed(error.into()))?;
        let (stop, stopped) = channel();
        let (fails, failure) = channel();
        let poller = Poller {
            device: device.to_string(),
            files,
            period: Duration::from_secs_f64(rate_hz.recip()),
            stamps,
            writer,
        };
        let run = move || {
            if let Err(error) = poller.run(&stopped) {
                // the receiver may have gone
                let _ = fails.send(error);
            }
        };
        std::thread::Builder::new().name("gaitd-poll".to_owned()).spawn(run).map_err(failed)?;
        Ok((Self { failure, _stop: stop }, OwnedFd::from(reader).into()))
    }

    /// Why nothing more comes.
    pub(super) fn failure(&self) -> Option<IioError> {
        self.failure.recv().ok()
    }
}

impl Poller {
    /// Reads until the values are not wanted any more.
    fn run(mut self, stopped: &Receiver<()>) -> Result<(), IioError> {
        let mut due = Instant::now();
        let mut bytes = Vec::new();
        loop {
            self.read(&mut bytes)?;
            if self.writer.write_all(&bytes).is_err() {
                return Ok(());
            }
            // the times that have passed by now are lost, not made up for
            let late = due.elapsed().as_nanos() / self.period.as_nanos().max(1);
            due += self.period * (1 + u32::try_from(late).unwrap_or(u32::MAX));
            if stopped.recv_timeout(due.saturating_duration_since(Instant::now())) != Err(RecvTimeoutError::Timeout) {
                return Ok(());
            }
        }
    }

    /// Reads all values, with the time in the middle of it.
    fn read(&self, bytes: &mut Vec<u8>) -> Result<(), IioError> {
        bytes.clear();
        let begin = self.stamps.now_ns();
        for (path, file) in &self.files {
            let mut text = [0; 32];
            let length = file.read_at(&mut text, 0).map_err(|error| {
                if is_gone(&error) {
                    IioError::Gone { device: self.device.clone() }
                } else {
                    IioError::file("read", path, error)
                }
            })?;
            let text = String::from_utf8_lossy(&text[..length]);
            bytes.extend(attribute::parse(path, text.trim())?.to_le_bytes());
        }
        let end = self.stamps.now_ns();
        bytes.extend((begin + (end - begin) / 2).to_le_bytes());
        Ok(())
    }
}
