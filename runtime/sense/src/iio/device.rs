//! Which motion sensors there are.

use std::fmt;
use std::path::{Path, PathBuf};

use super::quantity::{AXES, Quantity};
use super::rates::Offered;
use super::{IioError, attribute};

/// A device with an accelerometer or a gyroscope of three axes.
#[derive(Clone, Debug)]
pub struct Device {
    /// The kernel's name of the device, such as `iio:device0`.
    pub id: String,
    /// The driver's name of it, such as `mpu6050`.
    pub name: String,
    /// Its folder in sysfs.
    pub(super) folder: PathBuf,
    /// The device that gives binary scans, where the driver has a buffer.
    pub(super) node: PathBuf,
    pub(super) quantities: Vec<Quantity>,
}

impl fmt::Display for Device {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.id, self.name)
    }
}

impl Device {
    fn read(root: &Path, id: String) -> Result<Self, IioError> {
        let folder = devices_folder(root).join(&id);
        let measures = |quantity: &Quantity| {
            let prefix = quantity.prefix();
            AXES.iter().all(|axis| {
                let there = |path: String| folder.join(path).exists();
                there(format!("{prefix}_{axis}_raw")) || there(format!("scan_elements/{prefix}_{axis}_en"))
            })
        };
        let quantities = [Quantity::Acceleration, Quantity::AngularRate].into_iter().filter(measures).collect();
        let name = attribute::read(&folder.join("name"))?.unwrap_or_default();
        Ok(Self { node: root.join("dev").join(&id), quantities, name, folder, id })
    }

    /// Whether it has an accelerometer.
    #[must_use]
    pub fn has_accelerometer(&self) -> bool {
        self.quantities.contains(&Quantity::Acceleration)
    }

    /// Whether it has a gyroscope.
    #[must_use]
    pub fn has_gyroscope(&self) -> bool {
        self.quantities.contains(&Quantity::AngularRate)
    }

    /// Whether its driver fills a buffer, with whatever triggers it; if not, values can only be polled.
    #[must_use]
    pub fn has_buffer(&self) -> bool {
        self.folder.join("buffer/enable").exists() && self.folder.join("scan_elements").exists()
    }

    /// The trigger of the buffer: nothing where it has none, or needs none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn trigger(&self) -> Result<Option<String>, IioError> {
        let current = attribute::read(&self.folder.join("trigger/current_trigger"))?;
        Ok(current.filter(|name| !name.is_empty()))
    }

    /// The rates that it offers, in hertz, for people; nothing where it does not report them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn rates(&self) -> Result<Option<String>, IioError> {
        for path in self.rate_files() {
            if let Some(offered) = Offered::read(&available(&path))? {
                return Ok(Some(offered.text()));
            }
        }
        Ok(None)
    }

    /// The files that set how often it samples: one, or one for each quantity.
    pub(super) fn rate_files(&self) -> Vec<PathBuf> {
        let shared = self.folder.join("sampling_frequency");
        if shared.exists() {
            return vec![shared];
        }
        let of = |quantity: &Quantity| quantity.file(&self.folder, AXES[0], "sampling_frequency");
        self.quantities.iter().filter_map(of).collect()
    }
}

/// The file that lists what the one at `path` may be set to.
pub(super) fn available(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("_available");
    name.into()
}

pub(super) fn devices_folder(root: &Path) -> PathBuf {
    root.join("sys/bus/iio/devices")
}

/// The devices below `root` that have an accelerometer or a gyroscope, in the order of their numbers.
///
/// # Errors
/// When sysfs cannot be read.
pub fn devices(root: &Path) -> Result<Vec<Device>, IioError> {
    let number = |id: &String| id.strip_prefix("iio:device").and_then(|number| number.parse::<u32>().ok());
    let mut ids = attribute::names(&devices_folder(root))?;
    ids.retain(|id| number(id).is_some());
    ids.sort_by_key(number);
    let mut devices = ids.into_iter().map(|id| Device::read(root, id)).collect::<Result<Vec<_>, _>>()?;
    devices.retain(|device| !device.quantities.is_empty());
    Ok(devices)
}

/// The device to read, which has an accelerometer: the one that `wanted` names (`iio:device0`, `0`, a path that ends
/// so, or the driver's name), or the only one with a gyroscope too, or the only one.
///
/// # Errors
/// When there is none, or it is not clear which.
pub fn choose(root: &Path, wanted: Option<&str>) -> Result<Device, IioError> {
    let all = devices(root)?;
    let list = |devices: &[&Device]| devices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let fitting: Vec<&Device> = all.iter().filter(|device| device.has_accelerometer()).collect();
    let several = |devices: &[&Device]| IioError::Several { found: list(devices), example: devices[0].id.clone() };
    if fitting.is_empty() {
        return Err(IioError::None { folder: devices_folder(root) });
    }
    if let Some(wanted) = wanted {
        let end = wanted.rsplit('/').next().unwrap_or_default();
        let named =
            |device: &&&Device| device.id == end || device.id == format!("iio:device{end}") || device.name == end;
        return match fitting.iter().filter(named).copied().collect::<Vec<_>>().as_slice() {
            [device] => Ok((*device).clone()),
            [] => Err(IioError::Unknown { wanted: wanted.to_owned(), found: list(&fitting) }),
            more => Err(several(more)),
        };
    }
    let whole: Vec<&Device> = fitting.iter().filter(|device| device.has_gyroscope()).copied().collect();
    match (whole.as_slice(), fitting.as_slice()) {
        ([device], _) => Ok((*device).clone()),
        ([], [device]) => match all.iter().find(|other| other.has_gyroscope()) {
            Some(gyroscope) => Err(IioError::Split {
                accelerometer: device.to_string(),
                gyroscope: gyroscope.to_string(),
                example: device.id.clone(),
            }),
            None => Ok((*device).clone()),
        },
        ([], several_fit) => Err(several(several_fit)),
        (several_whole, _) => Err(several(several_whole)),
    }
}
