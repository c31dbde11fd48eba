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

/// Ends of the names of devices that are one chip's: `lsm6dsr_accel` and `lsm6dsr_gyro`.
const PARTS: [&str; 8] = ["accelerometer", "gyroscope", "accel", "anglvel", "gyro", "acc", "gyr", "imu"];

/// What the names of a chip's devices have in common.
fn chip(name: &str) -> &str {
    let part = PARTS.iter().find_map(|part| name.strip_suffix(part));
    part.map_or(name, |chip| chip.trim_end_matches(['_', '-']))
}

/// The devices to read: one with an accelerometer, or one with an accelerometer and one with a gyroscope, in this order.
/// `wanted` names one or both (`iio:device0`, `0`, a path that ends so, the driver's name, or the chip's, of which all is
/// read). Without it, it is the only one with both, the only two of a chip with one each, or the only ones that there are.
///
/// # Errors
/// When there is none, or it is not clear which.
pub fn choose(root: &Path, wanted: &[String]) -> Result<Vec<Device>, IioError> {
    let all = devices(root)?;
    let all: Vec<&Device> = all.iter().collect();
    let folder = || devices_folder(root);
    if !all.iter().any(|device| device.has_accelerometer()) {
        return Err(IioError::None { folder: folder() });
    }
    let chosen = match wanted {
        [] => without_name(&all)?,
        [one] => named(&all, one)?,
        [one, other, ..] => pair(only(&all, one)?, only(&all, other)?)?,
    };
    Ok(chosen.into_iter().cloned().collect())
}

fn list(devices: &[&Device]) -> String {
    devices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// More would do than are wanted.
fn several(devices: &[&Device], example: &[&Device]) -> IioError {
    let example = example.iter().map(|device| device.id.clone()).collect::<Vec<_>>().join(" ");
    IioError::Several { found: list(devices), example }
}

/// An accelerometer and a gyroscope, in whatever order.
fn pair<'a>(one: &'a Device, other: &'a Device) -> Result<Vec<&'a Device>, IioError> {
    let is = |device: &Device, quantity| device.quantities == [quantity];
    match (one, other) {
        (a, g) | (g, a) if is(a, Quantity::Acceleration) && is(g, Quantity::AngularRate) => Ok(vec![a, g]),
        _ => Err(IioError::NoPair { one: one.to_string(), other: other.to_string() }),
    }
}

/// The devices that `wanted` names.
fn called<'a>(all: &[&'a Device], wanted: &str) -> Vec<&'a Device> {
    let end = wanted.rsplit('/').next().unwrap_or_default();
    let named = |device: &&&Device| device.id == end || device.id == format!("iio:device{end}") || device.name == end;
    all.iter().filter(named).copied().collect()
}

/// The one device that `wanted` names.
fn only<'a>(all: &[&'a Device], wanted: &str) -> Result<&'a Device, IioError> {
    match called(all, wanted).as_slice() {
        [device] => Ok(device),
        [] => Err(IioError::Unknown { wanted: wanted.to_owned(), found: list(all) }),
        more => Err(several(more, &more[..1])),
    }
}

/// The device that `wanted` names, which has an accelerometer, or both of the chip that it names.
fn named<'a>(all: &[&'a Device], wanted: &str) -> Result<Vec<&'a Device>, IioError> {
    let fitting: Vec<_> = all.iter().filter(|device| device.has_accelerometer()).copied().collect();
    match called(&fitting, wanted).as_slice() {
        [device] => return Ok(vec![device]),
        [] => {}
        more => return Err(several(more, &more[..1])),
    }
    let of_chip: Vec<_> = all.iter().filter(|device| chip(&device.name) == wanted).copied().collect();
    match of_chip.as_slice() {
        [one, other] => pair(one, other),
        [_, _, ..] => without_name(&of_chip),
        _ => Err(IioError::Unknown { wanted: wanted.to_owned(), found: list(&fitting) }),
    }
}

/// What to read of `all` where nothing is said; there is an accelerometer.
fn without_name<'a>(all: &[&'a Device]) -> Result<Vec<&'a Device>, IioError> {
    let with = |accelerometer: bool, gyroscope: bool| -> Vec<&'a Device> {
        let has =
            |device: &&&Device| (device.has_accelerometer(), device.has_gyroscope()) == (accelerometer, gyroscope);
        all.iter().filter(has).copied().collect()
    };
    let (whole, accelerometers, gyroscopes) = (with(true, true), with(true, false), with(false, true));
    match (whole.as_slice(), accelerometers.as_slice(), gyroscopes.as_slice()) {
        ([device], ..) => return Ok(vec![device]),
        ([_, _, ..], ..) => return Err(several(&whole, &whole[..1])),
        ([], [accelerometer], []) => return Ok(vec![accelerometer]),
        ([], [accelerometer], [gyroscope]) => return Ok(vec![accelerometer, gyroscope]),
        _ => {}
    }
    let of_one_chip = |accelerometer: &&'a Device| {
        let same = gyroscopes.iter().filter(|gyroscope| chip(&gyroscope.name) == chip(&accelerometer.name));
        same.map(|gyroscope| vec![*accelerometer, *gyroscope]).collect::<Vec<_>>()
    };
    let pairs: Vec<_> = accelerometers.iter().flat_map(of_one_chip).collect();
    if let [pair] = pairs.as_slice() {
        return Ok(pair.clone());
    }
    let any: Vec<_> = accelerometers[..1].iter().chain(gyroscopes.first()).copied().collect();
    let example = pairs.first().unwrap_or(&any);
    Err(several(&[accelerometers.as_slice(), &gyroscopes].concat(), example))
}
