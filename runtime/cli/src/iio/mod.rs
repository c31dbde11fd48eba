//! `gaitd iio`: a motion sensor of the kernel's as a stream of samples.

mod outlet;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::stream::Sample;
use gaitd_daemon::{Hangup, Requests, Stop};
use gaitd_sense::iio::{Capture, Device, IioError, Settings, choose, devices};
use gaitd_sense::{Mount, SenseError, TextFormat, TextWriter};

use super::table::table;
use outlet::{Fate, Outlet};

pub(super) use outlet::NotAPipe;

/// How long a request to stop may go unnoticed.
const STOP_CHECK: Duration = Duration::from_millis(200);

/// Write the samples of a Linux IIO motion sensor as a stream that `gaitd run` reads
#[derive(clap::Args)]
#[command(
    after_help = "The sensor is set to the rate by its buffer and trigger, else by a timer of the kernel's (iio-trig-hrtimer), \
    else its values are polled. A sensor that does not have the rate samples faster, and is resampled. What was changed is \
    put back at the end. Accelerometer and gyroscope of one chip that are two devices are put together.\n\nExamples:\n  gaitd iio --list\n  gaitd iio | gaitd run --source -\n  gaitd iio iio:device0 \
    --seconds 60 --output walk.csv\n  gaitd iio mpu6050 --pipe /run/imu/samples\n  \
    gaitd iio lsm6dsr_accel lsm6dsr_gyro"
)]
pub(super) struct Arguments {
    /// The device: iio:device0, its number, or its name; or two, an accelerometer and a gyroscope, which are put together
    /// [default: the one with both, or the two of one chip]
    #[arg(value_name = "DEVICE", num_args = 0..=2)]
    devices: Vec<String>,
    /// List the motion sensors, and write no samples
    #[arg(long)]
    list: bool,
    /// Samples per second
    #[arg(long, value_name = "HZ", default_value_t = 50.0, value_parser = within(0.1, 10_000.0))]
    rate: f64,
    /// The least acceleration that must not be cut off, in g [default: as the device is set]
    #[arg(long, value_name = "G", value_parser = within(0.1, 1000.0))]
    accel_range: Option<f64>,
    /// The least angular rate that must not be cut off, in degrees per second [default: as the device is set]
    #[arg(long, value_name = "DPS", value_parser = within(1.0, 100_000.0))]
    gyro_range: Option<f64>,
    /// How the sensor is mounted: what is to become x, y and z, such as y,-x,z, or a matrix row by row, such as
    /// "0,1,0; -1,0,0; 0,0,1" [default: what the device says]
    #[arg(long, value_name = "MATRIX", allow_hyphen_values = true)]
    mount_matrix: Option<Mount>,
    /// Read values one by one, without buffer, trigger and interrupt
    #[arg(long)]
    poll: bool,
    /// Append the samples to this file instead of standard output (`-`)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write to this pipe; it is made where it is missing, and its readers may come and go
    #[arg(long, value_name = "PIPE", conflicts_with = "output")]
    pipe: Option<PathBuf>,
    /// How samples are written
    #[arg(short, long, value_enum, default_value_t = FormatFlag::Csv)]
    format: FormatFlag,
    /// End after so many seconds of samples
    #[arg(long, value_name = "S", value_parser = within(0.0, 1e9))]
    seconds: Option<f64>,
    /// Where sysfs and the devices are
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    root: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum FormatFlag {
    /// Comma-separated values below a header
    Csv,
    /// One JSON object per line
    Ndjson,
}

/// Reads a number between the two.
fn within(from: f64, to: f64) -> impl Fn(&str) -> Result<f64, String> + Clone {
    move |text| match text.parse::<f64>() {
        Ok(number) if (from..=to).contains(&number) => Ok(number),
        _ => Err(format!("must be a number between {from} and {to}")),
    }
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.list {
        return list(&arguments.root);
    }
    let stop = Stop::default();
    let _requests = Requests::watch(&stop, Hangup::Stop).context("cannot watch for signals")?;
    let devices = choose(&arguments.root, &arguments.devices)?;
    let names = devices.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    if !devices.iter().any(Device::has_gyroscope) {
        log::warn!("{names} has no gyroscope: a model that needs one, as the shipped one does, refuses its stream");
    }
    let outlet = Outlet::new(arguments.output.as_deref(), arguments.pipe.as_deref());
    while let Some(reader) = outlet.open(&stop)? {
        // each reader has a stream of its own: a sensor without a reader is switched off
        let fate = write_samples(arguments, &devices, &names, reader, &stop)?;
        if fate == Fate::Stopped || !outlet.is_pipe() {
            break;
        }
        log::info!("{}: its reader has gone", outlet.name());
    }
    Ok(())
}

/// The flag that sets the field `setting` of [`Settings`].
fn flag(setting: &'static str) -> &'static str {
    match setting {
        "rate_hz" => "--rate",
        "mount" => "--mount-matrix",
        other => other,
    }
}

/// Writes samples until the reader goes, a stop is requested, or there were enough.
fn write_samples(
    arguments: &Arguments,
    devices: &[Device],
    names: &str,
    mut reader: outlet::Reader,
    stop: &Stop,
) -> anyhow::Result<Fate> {
    let mut settings = Settings {
        rate_hz: arguments.rate,
        accel_range_g: arguments.accel_range,
        gyro_range_dps: arguments.gyro_range,
        mount: arguments.mount_matrix,
        poll: arguments.poll,
    };
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
    let start = |settings: &Settings| {
        Capture::start(&arguments.root, devices, settings, Arc::clone(&clock)).map_err(|error| match error {
            SenseError::Iio(error) => SenseError::Iio(error.with_names(flag)),
            other => other,
        })
    };
    let mut capture = start(&settings)?;
    log::info!("{names}: {} Hz {}", arguments.rate, capture.by());
    let format = match arguments.format {
        FormatFlag::Csv => TextFormat::Csv,
        FormatFlag::Ndjson => TextFormat::Ndjson,
    };
    let mut writer = TextWriter::new(format, capture.format().clone());
    let mut left = arguments.seconds.map(|seconds| (seconds * arguments.rate).round() as u64);
    let mut sample = Sample { time_s: None, values: Vec::new() };
    let mut fate = reader.write(&writer.header(), stop)?;
    let mut heard = false;
    while fate == Fate::Written && left != Some(0) {
        if stop.asked() {
            return Ok(Fate::Stopped);
        }
        match capture.next(&mut sample, clock.now() + STOP_CHECK) {
            Ok(true) => heard = true,
            Ok(false) => continue,
            Err(error @ SenseError::Iio(IioError::Silent { .. })) if !heard && !settings.poll => {
                log::warn!("{error}; polling now, which is less regular");
                // dropping it restores what the trigger has changed
                drop(capture);
                settings.poll = true;
                capture = start(&settings)?;
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        fate = reader.write(writer.line(&sample), stop)?;
        left = left.map(|left| left - 1);
    }
    Ok(if fate == Fate::Written { Fate::Stopped } else { fate })
}

fn list(root: &Path) -> anyhow::Result<()> {
    let devices = devices(root)?;
    if devices.is_empty() {
        // fails with an error that says where it has looked, and what to do
        choose(root, &[])?;
    }
    let mut rows = Vec::new();
    for device in &devices {
        let mut senses = Vec::new();
        senses.extend(device.has_accelerometer().then_some("accelerometer"));
        senses.extend(device.has_gyroscope().then_some("gyroscope"));
        let buffer = match (device.has_buffer(), device.trigger()?) {
            (true, Some(trigger)) => trigger,
            (true, None) => "yes".to_owned(),
            (false, _) => "none: is polled".to_owned(),
        };
        let rates = device.rates()?.unwrap_or_else(|| "-".to_owned());
        rows.push(vec![device.id.clone(), device.name.clone(), senses.join(", "), rates, buffer]);
    }
    super::print(&table(&["device", "name", "senses", "rates Hz", "buffer"], rows))
}
