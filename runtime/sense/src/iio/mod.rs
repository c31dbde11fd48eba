//! Linux Industrial I/O: motion sensors that the kernel has a driver for, as a stream of samples.
//!
//! The kernel shows such a sensor as a folder of settings, `/sys/bus/iio/devices/iio:deviceN`, and, where the driver
//! fills a buffer, as a device `/dev/iio:deviceN` that gives binary scans. [`devices`] lists them, [`Capture`] sets one
//! up, reads it and puts back what it changed. All of it is written down in the kernel's documentation:
//! `Documentation/ABI/testing/sysfs-bus-iio`, `Documentation/driver-api/iio/` and `Documentation/iio/iio_configfs.rst`.
//!
//! Each path stands below a root, `/` but for tests.

mod attribute;
mod buffer;
mod capture;
mod device;
mod error;
mod layout;
mod polling;
mod quantity;
mod rates;
mod stamps;
mod trigger;

pub use capture::{Capture, Settings};
pub use device::{Device, choose, devices};
pub use error::IioError;
pub use layout::{ElementType, Layout};
