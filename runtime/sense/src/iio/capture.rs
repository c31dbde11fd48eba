//! A sensor that is being read.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::IioError;
use super::attribute::{self, Changes};
use super::buffer::{self, Node, Scans};
use super::device::{Device, available};
use super::quantity::{AXES, Conversion, Quantity};
use super::rates::{self, Offered};
use super::stamps::Stamps;
use super::trigger::{self, Trigger};
use crate::joined::Part;
use crate::merge::{Labelled, Sensors};
use crate::{JoinedSource, Mount, Pace, SenseError, Source};
use gaitd_core::clock::Clock;
use gaitd_core::stream::continuity::DEFAULT_BRIDGE_S;
use gaitd_core::stream::{Channel, Continuity, Reading, Sample, Step, StreamCounts, StreamFormat, unit};

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

/// Sensors that are being read: a device, or two that are put together. When this is dropped, every setting is as it was.
///
/// Samples come evenly at the rate: they pass [`Continuity`].
pub struct Capture {
    format: StreamFormat,
    by: String,
    source: JoinedSource,
    sensed: Sample,
    continuity: Continuity,
    ready: VecDeque<Sample>,
    spare: Vec<Sample>,
    clock: Arc<dyn Clock>,
}

/// A device that is being read.
struct Input {
    // goes first when this is dropped: what was changed is put back while the device is still this program's
    _changes: Changes,
    device: String,
    axes: Vec<Conversion>,
    mounts: Vec<Mount>,
    scans: Scans,
    by: String,
    /// Its channels among those of the stream, and its sensors.
    channels: Range<usize>,
    sensors: Sensors,
    clock: Arc<dyn Clock>,
    /// When there was a reading last, or when waiting for one began.
    heard: Duration,
}

impl Capture {
    /// Sets `devices`, below `root`, to what `settings` ask for, and starts them: one with all that is to be read, or an
    /// accelerometer and a gyroscope. Deadlines are by `clock`.
    ///
    /// # Errors
    /// When one cannot be used, or not so; the settings of all are as they were, then.
    pub fn start(
        root: &Path,
        devices: &[Device],
        settings: &Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SenseError> {
        let stamps = Stamps::common(devices);
        let quantities = || devices.iter().flat_map(|device| &device.quantities);
        let channels: Vec<Channel> = quantities().flat_map(|quantity| quantity.channels()).collect();
        let format = StreamFormat { channels, rate_hz: settings.rate_hz };
        let mut inputs = Vec::new();
        let mut first = 0;
        for device in devices {
            inputs.push(Input::start(root, device, settings, stamps, first, Arc::clone(&clock))?);
            first += device.quantities.len();
        }
        let by = inputs.iter().map(|input| input.by.as_str()).collect::<Vec<_>>().join("; ");
        let parts = inputs.into_iter().map(|input| Box::new(input) as Box<dyn Part>).collect();
        Ok(Self {
            by,
            source: JoinedSource::of_parts(parts, &format, Pace::Live, Arc::clone(&clock)),
            sensed: blank(),
            continuity: Continuity::new(&format, DEFAULT_BRIDGE_S)?,
            format,
            ready: VecDeque::new(),
            spare: Vec::new(),
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

    /// What the samples were made of.
    #[must_use]
    pub fn counts(&self) -> StreamCounts {
        self.continuity.counts()
    }

    /// Reads the next sample into `sample`; false where none came by `deadline`.
    ///
    /// # Errors
    /// When a device fails, goes away, or gives nothing for two seconds.
    pub fn next(&mut self, sample: &mut Sample, deadline: Duration) -> Result<bool, SenseError> {
        loop {
            if let Some(mut ready) = self.ready.pop_front() {
                std::mem::swap(&mut ready, sample);
                self.spare.push(ready);
                return Ok(true);
            }
            // silence is told, however patient the caller is
            let patience = deadline.min(self.clock.now() + LONGEST_SILENCE);
            let reading = self.source.read(&mut self.sensed, patience)?;
            if reading == Reading::Pending {
                if self.clock.now() >= deadline {
                    return Ok(false);
                }
                continue;
            }
            let Self { ready, spare, .. } = self;
            self.continuity.push(&reading, &self.sensed, |step| {
                if let Step::Sample { sample, .. } = step {
                    let mut kept = spare.pop().unwrap_or_else(blank);
                    kept.time_s = sample.time_s;
                    kept.values.clear();
                    kept.values.extend_from_slice(&sample.values);
                    ready.push_back(kept);
                }
            });
        }
    }
}

impl Source for Capture {
    fn read(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError> {
        Ok(if self.next(sample, deadline)? { Reading::Sample } else { Reading::Pending })
    }
}

fn blank() -> Sample {
    Sample { time_s: None, values: Vec::new() }
}

impl Input {
    /// Starts a device whose first quantity is the stream's number `first`.
    fn start(
        root: &Path,
        device: &Device,
        settings: &Settings,
        stamps: Stamps,
        first: usize,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IioError> {
        let mut changes = Changes::default();
        let quantities = device.quantities.as_slice();
        let (trigger, node) = arrange(root, device, settings, stamps, &mut changes)?;
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
        let scans = match node {
            Some(node) => {
                let rate_hz = sampled_hz.unwrap_or_default().max(settings.rate_hz);
                Scans::start(device, node, quantities, rate_hz, stamps, &mut changes)?
            }
            None => Scans::poll(device, quantities, settings.rate_hz, stamps)?,
        };
        let (from, sensors) = (first * AXES.len(), (1 << quantities.len()) - 1);
        Ok(Self {
            _changes: changes,
            device: device.to_string(),
            by: describe(&trigger, sampled_hz, !as_it_is),
            channels: from..from + axes.len(),
            sensors: sensors << first,
            axes,
            mounts,
            scans,
            heard: clock.now(),
            clock,
        })
    }
}

impl Part for Input {
    fn read(&mut self, into: &mut Labelled, deadline: Duration) -> Result<Reading, SenseError> {
        let values = &mut into.sample.values[self.channels.clone()];
        let time_ns = self.scans.next(values, deadline.saturating_sub(self.clock.now()))?;
        let now = self.clock.now();
        let Some(time_ns) = time_ns else {
            if now.saturating_sub(self.heard) < LONGEST_SILENCE {
                return Ok(Reading::Pending);
            }
            let (device, by) = (self.device.clone(), self.by.clone());
            return Err(IioError::Silent { device, by, seconds: LONGEST_SILENCE.as_secs() }.into());
        };
        self.heard = now;
        for (value, conversion) in values.iter_mut().zip(&self.axes) {
            *value = conversion.apply(*value);
        }
        for (axes, mount) in values.chunks_exact_mut(AXES.len()).zip(&self.mounts) {
            axes.copy_from_slice(&mount.turn([axes[0], axes[1], axes[2]]));
        }
        into.sample.time_s = Some(time_ns as f64 * 1e-9);
        into.sensors = self.sensors;
        Ok(Reading::Sample)
    }

    fn waits_for(&self) -> Option<&File> {
        self.scans.waits_for()
    }

    fn name(&self) -> &str {
        &self.device
    }
}

/// Opens the device and gives it a trigger; without a node it is to be polled.
fn arrange(
    root: &Path,
    device: &Device,
    settings: &Settings,
    stamps: Stamps,
    changes: &mut Changes,
) -> Result<(Trigger, Option<Node>), IioError> {
    let poll = |reason: &str| (Trigger::Missing(reason.to_owned()), None);
    if settings.poll {
        return Ok(poll("so it was asked for"));
    }
    let node = if device.has_buffer() { Node::open(device)? } else { None };
    let Some(node) = node else { return Ok(poll("its driver has no buffer")) };
    buffer::clear(device)?;
    let clock = Stamps::file(device);
    if clock.exists() {
        changes.set(&clock, stamps.name())?;
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
