//! What makes a sensor's buffer take a sample.

use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::attribute::{self, Changes};
use super::device::{Device, devices_folder};
use super::error::{IioError, errno};

/// What makes a sensor's buffer take a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// The sensor's own trigger, of this name: each new sample.
    Own(String),
    /// The driver fills the buffer by itself, from the sensor's own one.
    Driver,
    /// A timer of the kernel's, of this name, at times that are not the sensor's.
    Timer(String),
    /// Nothing can, for this reason.
    Missing(String),
}

/// Gives the device a trigger: the one that it has, else one that belongs to it, else a timer at `rate_hz`.
pub(super) fn arrange(root: &Path, device: &Device, rate_hz: f64, changes: &mut Changes) -> Result<Trigger, IioError> {
    let file = device.folder.join("trigger/current_trigger");
    let Some(current) = attribute::read(&file)? else { return Ok(Trigger::Driver) };
    let number = device.id.trim_start_matches("iio:device");
    let timer = format!("gaitd-{number}");
    if current == timer {
        // a run that was killed left it; as the one before, it would never be taken away
        attribute::write(&file, "")?;
    } else if !current.is_empty() {
        return Ok(Trigger::Own(current));
    }
    // drivers call it so: mpu6050-dev0
    let own = triggers(root)?.into_iter().find(|(_, name)| *name == format!("{}-dev{number}", device.name));
    if let Some((_, name)) = own
        && set(&file, &name, changes)?
    {
        return Ok(Trigger::Own(name));
    }
    if let Some(reason) = make_timer(root, &timer, rate_hz, changes)? {
        return Ok(Trigger::Missing(reason));
    }
    Ok(if set(&file, &timer, changes)? {
        Trigger::Timer(timer)
    } else {
        Trigger::Missing("it takes no trigger but one of its own, and has none".to_owned())
    })
}

/// Whether the device took the trigger: a driver may want no other one than its own.
fn set(file: &Path, name: &str, changes: &mut Changes) -> Result<bool, IioError> {
    match changes.set(file, name) {
        Ok(()) => Ok(true),
        Err(error) if error.system().is_some_and(|error| errno(error) == Some(Errno::INVAL)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a timer of the kernel's; what it returns is why there is none.
fn make_timer(root: &Path, name: &str, rate_hz: f64, changes: &mut Changes) -> Result<Option<String>, IioError> {
    let folder = root.join("sys/kernel/config/iio/triggers/hrtimer");
    if !folder.exists() {
        let folder = folder.display();
        return Ok(Some(format!("there is no {folder} to make a timer in (`modprobe iio-trig-hrtimer`)")));
    }
    changes.make_folder(&folder.join(name))?;
    let Some((made, _)) = triggers(root)?.into_iter().find(|(_, other)| other == name) else {
        return Ok(Some(format!("the kernel made no trigger for {}", folder.join(name).display())));
    };
    attribute::write(&made.join("sampling_frequency"), &rate_hz.to_string())?;
    Ok(None)
}

/// All triggers: their folders and names.
fn triggers(root: &Path) -> Result<Vec<(PathBuf, String)>, IioError> {
    let folder = devices_folder(root);
    let mut triggers = Vec::new();
    for entry in attribute::names(&folder)?.into_iter().filter(|name| name.starts_with("trigger")) {
        let path = folder.join(entry);
        if let Some(name) = attribute::read(&path.join("name"))? {
            triggers.push((path, name));
        }
    }
    Ok(triggers)
}
