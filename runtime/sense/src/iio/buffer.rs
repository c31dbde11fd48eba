//! Binary scans from a device's buffer.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::IioError;
use super::attribute::{self, Changes};
use super::device::Device;
use super::error::is_gone;
use super::layout::{ElementType, Layout};
use super::polling::Polling;
use super::quantity::{AXES, Quantity};
use super::stamps::Stamps;

/// So much is buffered in the kernel, in seconds, while it is not read.
const BUFFERED_S: f64 = 2.0;

/// Scans that are read at once.
const AT_ONCE: usize = 64;

/// A device that is open: from here on no other program can have its buffer.
#[derive(Debug)]
pub(super) struct Node {
    file: File,
    device: String,
}

impl Node {
    /// Opens the device; nothing where it has none.
    pub(super) fn open(device: &Device) -> Result<Option<Self>, IioError> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        match OpenOptions::new().read(true).custom_flags(flags).open(&device.node) {
            Ok(file) => Ok(Some(Self { file, device: device.to_string() })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(IioError::file("open", &device.node, error)),
        }
    }
}

/// Scans, decoded.
#[derive(Debug)]
pub(super) struct Scans {
    node: Node,
    /// What fills it, where no driver does.
    polling: Option<Polling>,
    stamps: Stamps,
    elements: Vec<(usize, ElementType)>,
    timestamp: Option<(usize, ElementType)>,
    size: usize,
    /// Bytes that were read, and how many of them are scans already handed on.
    bytes: Vec<u8>,
    done: usize,
}

impl Scans {
    /// Sets the buffer up for these quantities, and starts it.
    pub(super) fn start(
        device: &Device,
        node: Node,
        quantities: &[Quantity],
        rate_hz: f64,
        stamps: Stamps,
        changes: &mut Changes,
    ) -> Result<Self, IioError> {
        let folder = device.folder.join("scan_elements");
        let prefixes = quantities.iter().flat_map(|quantity| AXES.map(|axis| format!("{}_{axis}", quantity.prefix())));
        let mut wanted: Vec<String> = prefixes.collect();
        let channels = wanted.len();
        wanted.push("in_timestamp".to_owned());
        let all: Vec<String> =
            attribute::names(&folder)?.iter().filter_map(|name| Some(name.strip_suffix("_en")?.to_owned())).collect();
        let enabled = |name: &str| folder.join(format!("{name}_en"));
        // first off, then on: some drivers take few combinations, all of which hold what is less
        for (value, on) in [("0", false), ("1", true)] {
            for name in all.iter().filter(|name| wanted.contains(name) == on) {
                changes.set(&enabled(name), value)?;
            }
        }
        // what is on in the end, whether it was to be or not, is in the scans
        let mut elements = Vec::new();
        for name in all {
            if attribute::number(&enabled(&name))? == Some(1.0) {
                elements.push((element(&folder, &name)?, name));
            }
        }
        let layout = Layout::new(&elements.iter().map(|(element, _)| *element).collect::<Vec<_>>())
            .map_err(|problem| IioError::content(&folder, "scan elements", problem))?;
        let place = |name: &String| {
            let number = elements.iter().position(|(_, other)| other == name)?;
            Some((layout.offset(number), elements[number].0.1))
        };
        let places = wanted[..channels].iter().map(|name| {
            place(name).ok_or_else(|| IioError::content(&enabled(name), "0", "the driver does not switch it on"))
        });
        let places = places.collect::<Result<Vec<_>, _>>()?;
        let timestamp = place(&wanted[channels]);
        let length = (BUFFERED_S * rate_hz).ceil().max(2.0);
        let length_file = device.folder.join("buffer/length");
        if attribute::number(&length_file)?.is_some_and(|before| before < length) {
            changes.set(&length_file, &length.to_string())?;
        }
        changes.set(&device.folder.join("buffer/enable"), "1")?;
        let (polling, bytes) = (None, Vec::new());
        Ok(Self { node, polling, stamps, elements: places, timestamp, size: layout.size(), bytes, done: 0 })
    }

    /// Reads these quantities one by one.
    pub(super) fn poll(
        device: &Device,
        quantities: &[Quantity],
        rate_hz: f64,
        stamps: Stamps,
    ) -> Result<Self, IioError> {
        let (polling, file) = Polling::start(device, quantities, rate_hz, stamps)?;
        let values = quantities.len() * AXES.len();
        let elements = (0..values).map(|number| (number * ElementType::DOUBLE.size(), ElementType::DOUBLE)).collect();
        Ok(Self {
            node: Node { file, device: device.to_string() },
            polling: Some(polling),
            stamps,
            elements,
            timestamp: Some((values * ElementType::DOUBLE.size(), ElementType::NANOSECONDS)),
            size: (values + 1) * ElementType::DOUBLE.size(),
            bytes: Vec::new(),
            done: 0,
        })
    }

    /// Puts the raw values of the next scan into `raw`, in the order of the channels, and gives its time in nanoseconds;
    /// nothing where no scan came within `wait`.
    pub(super) fn next(&mut self, raw: &mut [f64], wait: Duration) -> Result<Option<i64>, IioError> {
        if self.has_none() && !self.read(wait)? {
            return Ok(None);
        }
        let Some(scan) = self.bytes[self.done..].get(..self.size) else { return Ok(None) };
        for (raw, (offset, element)) in raw.iter_mut().zip(&self.elements) {
            *raw = element.value(&scan[*offset..]);
        }
        let time_ns = self.timestamp.map(|(offset, element)| element.integer(&scan[offset..]));
        self.done += self.size;
        Ok(Some(time_ns.unwrap_or_else(|| self.stamps.now_ns())))
    }

    /// Where scans come from, if none is here yet.
    pub(super) fn waits_for(&self) -> Option<&File> {
        self.has_none().then_some(&self.node.file)
    }

    fn has_none(&self) -> bool {
        self.bytes.len() - self.done < self.size
    }

    /// Waits for bytes and reads them; false where none came.
    fn read(&mut self, wait: Duration) -> Result<bool, IioError> {
        self.bytes.drain(..self.done);
        self.done = 0;
        let gone = || IioError::Gone { device: self.node.device.clone() };
        let failed = |error: std::io::Error| {
            if is_gone(&error) { gone() } else { IioError::file("read", Path::new(&self.node.device), error) }
        };
        let mut ready = [PollFd::new(&self.node.file, PollFlags::IN)];
        let timeout = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(&mut ready, Some(&timeout)) {
            Err(Errno::INTR) => return Ok(false),
            // that a device has gone, the kernel reports to a read only
            Ok(_) => {}
            Err(error) => return Err(failed(error.into())),
        }
        let begin = self.bytes.len();
        self.bytes.resize(begin + AT_ONCE * self.size, 0);
        let read = (&self.node.file).read(&mut self.bytes[begin..]);
        self.bytes.truncate(begin + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => Err(self.polling.as_ref().and_then(Polling::failure).unwrap_or_else(gone)),
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

/// The index and the type of a scan element.
fn element(folder: &Path, name: &str) -> Result<(u32, ElementType), IioError> {
    let index_file = folder.join(format!("{name}_index"));
    let type_file = folder.join(format!("{name}_type"));
    let must =
        |path: &Path| attribute::read(path)?.ok_or_else(|| IioError::file("open", path, ErrorKind::NotFound.into()));
    let (index, kind) = (must(&index_file)?, must(&type_file)?);
    Ok((
        index.parse().map_err(|_| IioError::content(&index_file, &index, "a whole number was expected"))?,
        kind.parse().map_err(|problem: String| IioError::content(&type_file, &kind, problem))?,
    ))
}

/// Switches off a buffer that a program which was killed has left on. The caller has the device open, so that
/// no living one uses it.
pub(super) fn clear(device: &Device) -> Result<(), IioError> {
    let file = device.folder.join("buffer/enable");
    if attribute::number(&file)? == Some(1.0) {
        log::info!("{device}: a program that is gone left its buffer on");
        attribute::write(&file, "0")?;
    }
    Ok(())
}
