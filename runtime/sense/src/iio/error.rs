//! What can be wrong with a sensor.

use std::io;
use std::path::{Path, PathBuf};

use gaitd_core::exit::{self, ExitCode};
use rustix::io::Errno;

/// Why a sensor cannot be read (on). Every message says what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum IioError {
    /// There is no motion sensor.
    #[error(
        "no device with an accelerometer in {}; is the sensor wired, its overlay or driver loaded? `dmesg | grep -i \
         iio` and `i2cdetect -y 1` tell more",
        folder.display()
    )]
    None {
        /// Where devices were looked for.
        folder: PathBuf,
    },
    /// There is no such device.
    #[error("no device {wanted} with an accelerometer; there is {found}")]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// The devices that are there.
        found: String,
    },
    /// More than one would do.
    #[error("more than one motion sensor: {found}; say which, such as `gaitd iio {example}`")]
    Several {
        /// The devices.
        found: String,
        /// One of them, or two that belong together.
        example: String,
    },
    /// Two devices that are no accelerometer and gyroscope.
    #[error(
        "{one} and {other} are not put together: that takes an accelerometer without a gyroscope, and a gyroscope without an \
         accelerometer"
    )]
    NoPair {
        /// A device.
        one: String,
        /// Another one.
        other: String,
    },
    /// A file of the device could not be used.
    #[error("cannot {action} {}: {error}{}", path.display(), advice(error))]
    File {
        /// `open`, `read` or `write ... to`.
        action: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file of the device holds what cannot be understood.
    #[error("{} holds {text:?}: {problem}{}", path.display(), goes_before(*setting))]
    Content {
        /// The file.
        path: PathBuf,
        /// What it holds, or its beginning.
        text: String,
        /// What is wrong, and what was expected.
        problem: String,
        /// The field of [`Settings`](super::Settings) that is used instead where it is given.
        setting: Option<&'static str>,
    },
    /// The device cannot be set as asked.
    #[error("{device} offers {offered}, but {wanted} is asked for; {remedy}{}", spaced(*setting))]
    Setting {
        /// The device.
        device: String,
        /// What it offers.
        offered: String,
        /// What is needed.
        wanted: String,
        /// What to do.
        remedy: &'static str,
        /// The field of [`Settings`](super::Settings) in which to do it, where the remedy ends with one.
        setting: Option<&'static str>,
    },
    /// The device gives nothing.
    #[error(
        "{device}: no sample for {seconds} s {by}; is the sensor's interrupt pin (INT) wired to the GPIO that the \
         overlay names?"
    )]
    Silent {
        /// The device.
        device: String,
        /// How samples were to come.
        by: String,
        /// How long was waited, seconds.
        seconds: u64,
    },
    /// The device went away.
    #[error("{device} is gone: it was unplugged, or its driver was unloaded")]
    Gone {
        /// The device.
        device: String,
    },
}

impl ExitCode for IioError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::None { .. } | Self::Unknown { .. } => exit::NO_INPUT,
            Self::Several { .. } | Self::NoPair { .. } | Self::Setting { .. } => exit::USAGE,
            Self::Content { .. } => exit::DATA,
            Self::File { error, .. } => match error.kind() {
                io::ErrorKind::PermissionDenied => exit::NO_PERMISSION,
                io::ErrorKind::NotFound => exit::NO_INPUT,
                io::ErrorKind::ResourceBusy => exit::TEMPORARY,
                _ => exit::IO,
            },
            Self::Silent { .. } | Self::Gone { .. } => exit::IO,
        }
    }
}

impl IioError {
    pub(super) fn file(action: impl Into<String>, path: &Path, error: io::Error) -> Self {
        Self::File { action: action.into(), path: path.to_path_buf(), error }
    }

    pub(super) fn content(path: &Path, text: &str, problem: impl Into<String>) -> Self {
        let text: String = text.chars().take(60).collect();
        Self::Content { path: path.to_path_buf(), text, problem: problem.into(), setting: None }
    }

    /// The same with another name for each field of [`Settings`](super::Settings), such as the flag of a command.
    #[must_use]
    pub fn with_names(mut self, name: impl Fn(&'static str) -> &'static str) -> Self {
        if let Self::Content { setting, .. } | Self::Setting { setting, .. } = &mut self {
            *setting = setting.map(name);
        }
        self
    }

    /// What the system said, where it was the system that refused.
    #[must_use]
    pub fn system(&self) -> Option<&io::Error> {
        if let Self::File { error, .. } = self { Some(error) } else { None }
    }
}

fn goes_before(setting: Option<&str>) -> String {
    setting.map(|setting| format!("; {setting} goes before it")).unwrap_or_default()
}

fn spaced(setting: Option<&str>) -> String {
    setting.map(|setting| format!(" {setting}")).unwrap_or_default()
}

pub(super) fn errno(error: &io::Error) -> Option<Errno> {
    Errno::from_io_error(error)
}

/// Whether the system says in one of its ways that a device has gone.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(errno(error), Some(Errno::NODEV | Errno::NXIO))
}

const NO_ANSWER: &str = "; the sensor does not answer on its bus: look at the wires";

fn advice(error: &io::Error) -> &'static str {
    match errno(error) {
        Some(Errno::ACCESS | Errno::PERM) => {
            "; the kernel gives a sensor's settings to root: use sudo, or the service gaitd-iio@, or a udev rule that \
             gives them to a group of yours"
        }
        Some(Errno::BUSY) => {
            "; another program uses the sensor: `fuser -v /dev/iio:device*` names it, and two cannot have it"
        }
        Some(Errno::NODEV | Errno::NXIO) => "; the sensor was unplugged, or its driver was unloaded",
        Some(Errno::IO | Errno::REMOTEIO | Errno::TIMEDOUT) => NO_ANSWER,
        // which is this program's own patience
        None if error.kind() == io::ErrorKind::TimedOut => NO_ANSWER,
        _ => "",
    }
}
