//! A sensor that is being read.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::attribute::{self, Changes};
use super::buffer::{self, Node, Scans};
use super::device::{Device, available};
use super::polling::Polling;
use super::quantity::{AXES, Conversion, Quantity};
use super::rates::{self, Offered};
use super::trigger::{self, Trigger};
use super::{IioError, Resampler};
use crate::{Mount, SenseError, Source};
use gaitd_core::clock::Clock;
use gaitd_core::stream::{Channel, Reading, Sample, StreamFormat, unit};

/// A buffer that gives nothing for so long has no working trigger.
const LONGEST_SILENCE: Duration = Duration::from_secs(2);

/// How a sensor is to be read.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Samples per second, above 0.
    pub rate_hz: f64,
    /// The least acceleration that must be in range, in g; as the device is set where nothing is said.
    pub accel_range_g: Option<f64>,
    /// The least angular rate that must be in range, in degrees per second; as the device is set where nothing is said.
    pub gyro_range_dps: Option<f64>,
    /// How the sensor is mounted; what the device says where nothing is said.
    pub mount: Option<Mount>,
    /// Read values one by one, without buffer and trigger.
    pub poll: bool,
}

/// A sensor that is being read. When it is dropped, every setting is as it was.
pub struct Capture {
    // goes first when this is dropped: what was changed is put back while the device is still this program's
    _changes: Changes,
    device: String,
    format: StreamFormat,
    axes: Vec<Conversion>,
    mounts: Vec<Mount>,
    input: Input,
    by: String,
    resampler: Option<Resampler>,
    ready: VecDeque<(i64, Vec<f64>)>,
    clock: Arc<dyn Clock>,
    /// When there was a sample last, or when waiting for one began.
    heard: Duration,
}

enum Input {
    Buffer(Scans),
    Polling(Polling),
}

impl Capture {
    /// Sets `device`, below `root`, to what `settings` ask for, and starts it. Deadlines are by `clock`.
    ///
    /// # Errors
    /// When it cannot be used, or not so; its settings are as they were, then.
    pub fn start(root: &Path, device: &Device, settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, IioError> {
        let mut changes = Changes::default();
        let quantities = device.quantities.as_slice();
        let (trigger, node) = arrange(root, device, settings, &mut changes)?;
        for (quantity, least) in [
            (Quantity::Acceleration, settings.accel_range_g.map(|range| range * factor("g", "m/s2"))),
            (Quantity::AngularRate, settings.gyro_range_dps.map(|range| range * factor("deg/s", "rad/s"))),
        ] {
            if let Some(least) = least.filter(|_| quantities.contains(&quantity)) {
                set_range(device, quantity, least, &mut changes)?;
            }
        }
        let apart = matches!(trigger, Trigger::Timer(_) | Trigger::Missing(_));
        let sampled_hz = set_rate(device, settings.rate_hz, apart, &mut changes)?;
        let mut axes = Vec::new();
        let mut mounts = Vec::new();
        for &quantity in quantities {
            for axis in AXES {
                axes.push(Conversion::read(quantity, &device.folder, axis)?);
            }
            mounts.push(settings.mount.map_or_else(|| mount(device, quantity), Ok)?);
        }
        let as_it_is = apart || sampled_hz.is_some_and(|found| rates::agrees(found, settings.rate_hz));
        let resampler = (!as_it_is).then(|| Resampler::new(settings.rate_hz, axes.len()));
        let by = describe(&trigger, sampled_hz, resampler.is_some());
        let input = match node {
            Some(node) => {
                let rate_hz = sampled_hz.unwrap_or_default().max(settings.rate_hz);
                Input::Buffer(Scans::start(device, node, quantities, rate_hz, &mut changes)?)
            }
            None => Input::Polling(Polling::start(device, quantities, settings.rate_hz, Arc::clone(&clock))?),
        };
        let channels: Vec<Channel> = quantities.iter().flat_map(|quantity| quantity.channels()).collect();
        Ok(Self {
            _changes: changes,
            device: device.to_string(),
            format: StreamFormat { channels, rate_hz: settings.rate_hz },
            axes,
            mounts,
            input,
            by,
            resampler,
            ready: VecDeque::new(),
            heard: clock.now(),
            clock,
        })
    }

    /// The channels, `acc_x acc_y acc_z` in m/s2 and where there is a gyroscope `gyro_x gyro_y gyro_z` in rad/s, and the
    /// rate.
    #[must_use]
    pub fn format(&self) -> &StreamFormat {
        &self.format
    }

    /// How the samples come, for people.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Reads the next sample into `sample`; false where none came by `deadline`.
    ///
    /// # Errors
    /// When the device fails, goes away, or gives nothing for two seconds.
    pub fn next(&mut self, sample: &mut Sample, deadline: Duration) -> Result<bool, IioError> {
        loop {
            if let Some((time_ns, values)) = self.ready.pop_front() {
                *sample = Sample { time_s: Some(time_ns as f64 * 1e-9), values };
                return Ok(true);
            }
            self.sense(deadline.saturating_sub(self.clock.now()))?;
            if self.ready.is_empty() && self.clock.now() >= deadline {
                return Ok(false);
            }
        }
    }

    /// Waits for values, and for no more than `wait`, and makes samples of them.
    fn sense(&mut self, wait: Duration) -> Result<(), IioError> {
        let wait = wait.min(LONGEST_SILENCE);
        let scan = match &mut self.input {
            Input::Buffer(scans) => scans.next(wait)?.map(|scan| (scan.time_ns, scan.raw)),
            Input::Polling(polling) => polling.next(wait)?.map(|raw| (None, raw)),
        };
        let now = self.clock.now();
        let Some((time_ns, mut values)) = scan else {
            if now.saturating_sub(self.heard) < LONGEST_SILENCE {
                return Ok(());
            }
            let (device, by) = (self.device.clone(), self.by.clone());
            return Err(IioError::Silent { device, by, seconds: LONGEST_SILENCE.as_secs() });
        };
        self.heard = now;
        for (value, conversion) in values.iter_mut().zip(&self.axes) {
            *value = conversion.apply(*value);
        }
        for (axes, mount) in values.chunks_exact_mut(AXES.len()).zip(&self.mounts) {
            axes.copy_from_slice(&mount.turn([axes[0], axes[1], axes[2]]));
        }
        let time_ns = time_ns.unwrap_or_else(|| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX));
        match &mut self.resampler {
            None => self.ready.push_back((time_ns, values)),
            Some(resampler) => {
                resampler.push(time_ns, &values, |time, values| self.ready.push_back((time, values.to_vec())));
            }
        }
        Ok(())
    }
}

impl Source for Capture {
    fn read(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError> {
        Ok(if self.next(sample, deadline)? { Reading::Sample } else { Reading::Pending })
    }
}

/// Opens the device and gives it a trigger; without a node it is to be polled.
fn arrange(
    root: &Path,
    device: &Device,
    settings: &Settings,
    changes: &mut Changes,
) -> Result<(Trigger, Option<Node>), IioError> {
    let poll = |reason: &str| (Trigger::Missing(reason.to_owned()), None);
    if settings.poll {
        return Ok(poll("so it was asked for"));
    }
    let node = if device.has_buffer() { Node::open(device)? } else { None };
    let Some(node) = node else { return Ok(poll("its driver has no buffer")) };
    buffer::clear(device)?;
    // by the clock that is never set: a board without a clock of its own learns the time of day after the start
    let clock = device.folder.join("current_timestamp_clock");
    if clock.exists() {
        changes.set(&clock, "monotonic")?;
    }
    Ok(match trigger::arrange(root, device, settings.rate_hz, changes)? {
        Trigger::Missing(reason) => {
            log::warn!("{device}: no trigger for its buffer ({reason}): polling, which is less regular");
            changes.put_back();
            (Trigger::Missing(reason), None)
        }
        trigger => (trigger, Some(node)),
    })
}

/// What one of `from` is in `to`.
fn factor(from: &str, to: &str) -> f64 {
    // both are known to the table of units
    unit::factor(from, to).unwrap_or(1.0)
}

/// Sets the smallest range that reaches `least`, in the quantity's unit.
fn set_range(device: &Device, quantity: Quantity, least: f64, changes: &mut Changes) -> Result<(), IioError> {
    let refused = |offered: String| IioError::Setting {
        device: device.to_string(),
        offered,
        wanted: format!("a range of {least:.1} {}", quantity.channels()[0].unit),
        remedy: "ask for less, or for none",
        setting: None,
    };
    let none = || refused("no choice of ranges".to_owned());
    let file = quantity.file(&device.folder, AXES[0], "scale").ok_or_else(none)?;
    let scales = Offered::read(&available(&file))?.ok_or_else(none)?;
    let full = full_scale(device, quantity)?;
    let scale =
        scales.at_least(least / full).ok_or_else(|| refused(format!("at most {:.1}", scales.largest() * full)))?;
    // with as many digits as drivers want to see: they compare with their own table
    changes.set(&file, &format!("{scale:.9}"))
}

/// The largest raw value of a quantity, by its scan element; without one, of the usual 16 bits.
fn full_scale(device: &Device, quantity: Quantity) -> Result<f64, IioError> {
    let path = device.folder.join(format!("scan_elements/{}_x_type", quantity.prefix()));
    let Some(text) = attribute::read(&path)? else { return Ok(f64::from(1 << 15)) };
    let kind: super::ElementType = text.parse().map_err(|problem: String| IioError::content(&path, &text, problem))?;
    Ok(kind.full_scale())
}

/// Sets how often the sensor samples, for a stream at `wanted_hz`; returns the rate that it reports, if any.
fn set_rate(device: &Device, wanted_hz: f64, apart: bool, changes: &mut Changes) -> Result<Option<f64>, IioError> {
    let mut slowest: Option<f64> = None;
    for file in device.rate_files() {
        let rate = match Offered::read(&available(&file))? {
            None => wanted_hz,
            Some(offered) => rates::choose(&offered, wanted_hz, apart).ok_or_else(|| IioError::Setting {
                device: device.to_string(),
                offered: format!("at most {} samples per second", offered.largest()),
                wanted: format!("{wanted_hz} Hz"),
                remedy: "use a faster sensor, or a model for a lower rate and",
                setting: Some("rate_hz"),
            })?,
        };
        changes.set(&file, &rate.to_string())?;
        // what it makes of it
        if let Some(found) = attribute::number(&file)? {
            slowest = Some(slowest.map_or(found, |slowest| slowest.min(found)));
        }
    }
    match slowest {
        Some(found) if found < wanted_hz * (1.0 - rates::TOLERANCE) => Err(IioError::Setting {
            device: device.to_string(),
            offered: format!("{found} samples per second"),
            wanted: format!("{wanted_hz} Hz"),
            remedy: "use a faster sensor, or a model for a lower rate and",
            setting: Some("rate_hz"),
        }),
        found => Ok(found),
    }
}

/// How the device says that a quantity's sensor is mounted: for the quantity, or for all of it; as the board is, where
/// it says nothing.
fn mount(device: &Device, quantity: Quantity) -> Result<Mount, IioError> {
    for name in [format!("{}_mount_matrix", quantity.prefix()), "in_mount_matrix".to_owned(), "mount_matrix".to_owned()]
    {
        let path = device.folder.join(name);
        if let Some(text) = attribute::read(&path)? {
            let setting = Some("mount");
            let wrong = |problem| IioError::Content { path: path.clone(), text: text.clone(), problem, setting };
            return text.parse().map_err(wrong);
        }
    }
    Ok(Mount::default())
}

fn describe(trigger: &Trigger, sampled_hz: Option<f64>, resampled: bool) -> String {
    let mut text = match trigger {
        Trigger::Own(name) => format!("by the trigger {name}"),
        Trigger::Driver => "from the buffer that its driver fills".to_owned(),
        Trigger::Timer(name) => format!("by the kernel's timer {name}"),
        Trigger::Missing(reason) => format!("by polling ({reason})"),
    };
    if let Some(rate_hz) = sampled_hz {
        text += &format!(", sampled at {rate_hz} Hz");
    }
    if resampled {
        text += ", resampled";
    }
    text
}
