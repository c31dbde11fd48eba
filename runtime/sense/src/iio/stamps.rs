//! The clock by which samples are stamped: one for all devices that are read together.

use std::path::PathBuf;

use rustix::time::{ClockId, clock_gettime};

use super::device::Device;

/// A clock of the system's that drivers stamp their scans by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamps {
    /// The one that is never set: a board without a clock of its own learns the time of day after the start.
    Monotonic,
    /// The time of day, where a driver knows no other.
    Realtime,
}

impl Stamps {
    /// The best that all drivers which fill a buffer know.
    pub(super) fn common(devices: &[Device]) -> Self {
        let chooses = |device: &Device| !device.has_buffer() || Self::file(device).exists();
        // with one device it makes no difference to others that its times are of another kind
        if devices.len() == 1 || devices.iter().all(chooses) { Self::Monotonic } else { Self::Realtime }
    }

    /// The file that says by which clock a device's scans are stamped, where that can be chosen.
    pub(super) fn file(device: &Device) -> PathBuf {
        device.folder.join("current_timestamp_clock")
    }

    /// As drivers call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Monotonic => "monotonic",
            Self::Realtime => "realtime",
        }
    }

    /// Its time, in nanoseconds.
    pub(super) fn now_ns(self) -> i64 {
        let time = clock_gettime(match self {
            Self::Monotonic => ClockId::Monotonic,
            Self::Realtime => ClockId::Realtime,
        });
        time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
