//! Waking up when processor pressure rises, by a trigger of the kernel's pressure stall information (Linux 5.2 or
//! later, see "Monitoring for pressure thresholds" in its documentation of PSI).

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::event::PollFlags;
use rustix::fs::OFlags;

use super::pressure;

/// What is asked of the kernel, in order of preference: an event when some task waited so many microseconds within a
/// window of so many. Without the privilege CAP_SYS_RESOURCE a window has to be a multiple of two seconds. The kernel
/// replaces the last byte.
const DEMANDS: [&[u8]; 2] = [b"some 100000 500000\0", b"some 200000 2000000\0"];

/// A file to poll for a rise in pressure.
pub(super) struct Trigger {
    pub(super) file: OwnedFd,
    /// The event of a rise; any other means that the trigger is gone.
    pub(super) event: PollFlags,
}

impl Trigger {
    /// A trigger of the kernel's whose files are below `root`, where it permits one.
    pub(super) fn below(root: &Path) -> Option<Self> {
        let path = root.join(pressure::FILE);
        match ask(&path) {
            Ok(file) => Some(Self { file: file.into(), event: PollFlags::PRI }),
            Err(error) => {
                log::debug!("pressure is read at intervals only; {} permits no trigger: {error}", path.display());
                None
            }
        }
    }
}

fn ask(path: &Path) -> std::io::Result<File> {
    let mut file =
        OpenOptions::new().read(true).write(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    // a refused demand leaves the file as it was; one that is granted holds until the file is closed
    let [first, second] = DEMANDS;
    file.write_all(first).or_else(|_| file.write_all(second))?;
    Ok(file)
}
