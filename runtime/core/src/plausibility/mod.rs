//! Whether what a sensor says can be what the network was trained on, or be measured at all.
//!
//! A network answers anything, and most surely what it never saw: raw counts, accelerations in m/s2 where g were meant, a
//! sensor that hangs. [`Plausibility`] looks at the raw samples of each sensor with three axes, second by second, and holds
//! them against what a sensor can do, and against the [`SensorStatistics`] of the training samples where the manifest has
//! some. It changes nothing; who reads the stream decides what a [`Fault`] means.

mod fault;
mod judge;
mod response;
mod second;
mod sensor;

use std::ops::RangeInclusive;

pub use fault::{Fault, Faults, Finding};
pub use response::{Response, Responses};
pub use sensor::{AtRest, Sensor, SensorStatistics};

use crate::stream::{Sample, StreamFormat};
use judge::Judge;
use second::{BLOCK, Second};

/// The most sensors that are looked at; a model of more is watched in its first ones.
pub const MOST_SENSORS: usize = 7;

/// Fewer samples than this say nothing of a second.
const FEWEST: u32 = 8;

/// A step of the stream's time beyond this, in seconds, is none within a second's samples.
const STEPS_S: RangeInclusive<f64> = 0.0..=1.0;

/// Watches the raw samples of a stream.
///
/// ```
/// use gaitd_core::plausibility::{Fault, Plausibility};
/// use gaitd_core::stream::{Channel, Sample, StreamFormat};
///
/// let channel = |name: &str| Channel { name: name.into(), unit: "g".into() };
/// let format = StreamFormat { channels: ["acc_x", "acc_y", "acc_z"].map(channel).into(), rate_hz: 50.0 };
/// let mut plausibility = Plausibility::new(&format, &[]);
/// // a converter's counts, from a sensor that lies still
/// for number in 0..150 {
///     plausibility.push(&Sample { time_s: None, values: vec![f64::from(number % 3), -4.0, 16_384.0] });
/// }
/// assert!(plausibility.faults().contains(0, Fault::Counts));
/// let finding = &plausibility.findings()[0];
/// let told = plausibility.sensors()[0].explain(finding);
/// assert!(told.starts_with("acc measures 16384 g, which no sensor does: raw counts"), "{told}");
/// ```
#[derive(Clone, Debug)]
pub struct Plausibility {
    rate_hz: f64,
    sensors: Vec<Sensor>,
    seconds: Vec<Second>,
    judges: Vec<Judge>,
    /// Channels of a sample.
    channels: usize,
    /// Samples that were not looked at yet, one after the other.
    waiting: Vec<f64>,
    /// Samples and stream time since the second began.
    samples: u32,
    passed_s: f64,
    last_s: Option<f64>,
    faults: Faults,
    findings: Vec<Finding>,
    revision: u64,
    /// The rate at which samples arrive, where they are taken for another one.
    arriving_hz: Option<f64>,
    /// How the accelerometer is mounted was looked at, and what there is to say of that.
    mounting: Option<Option<String>>,
}

impl Plausibility {
    /// For the raw samples of a stream in this format, of which training samples had these `statistics`; of a sensor without
    /// any only what needs none is looked at.
    #[must_use]
    pub fn new(format: &StreamFormat, statistics: &[SensorStatistics]) -> Self {
        let mut sensors = Sensor::of(&format.channels, statistics);
        sensors.truncate(MOST_SENSORS);
        let judges = sensors.iter().map(Judge::new).collect();
        Self {
            rate_hz: format.rate_hz,
            seconds: vec![Second::default(); sensors.len()],
            judges,
            channels: format.channels.len(),
            waiting: Vec::with_capacity(BLOCK * format.channels.len()),
            findings: Vec::with_capacity(sensors.len() * Fault::ALL.len()),
            sensors,
            samples: 0,
            passed_s: 0.0,
            last_s: None,
            faults: Faults::NONE,
            revision: 0,
            arriving_hz: None,
            mounting: None,
        }
    }

    /// The sensors that are watched.
    #[must_use]
    pub fn sensors(&self) -> &[Sensor] {
        &self.sensors
    }

    /// What is wrong now.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// What was ever wrong, in the order in which it came.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What there is to say of how the accelerometer is mounted, once seven seconds of it have been heard.
    #[must_use]
    pub fn mounting(&self) -> Option<&str> {
        self.mounting.as_ref()?.as_deref()
    }

    /// Samples without timestamps arrive `found_hz` times a second, where that is another rate than they are taken for; from
    /// here on, until something else is said.
    pub fn set_arriving(&mut self, found_hz: Option<f64>) {
        self.arriving_hz = found_hz;
    }

    /// Changes whenever [`Plausibility::findings`] or [`Plausibility::mounting`] does.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What follows does not go on from what was before. What was found stays until seconds without it have passed.
    pub fn interrupt(&mut self) {
        self.look();
        self.begin_second();
        self.last_s = None;
        for second in &mut self.seconds {
            second.interrupt();
        }
    }

    /// Takes the next raw sample of the stream, whose values are finite. Allocates nothing.
    ///
    /// # Panics
    /// When the sample has fewer values than the stream has channels.
    pub fn push(&mut self, sample: &Sample) {
        self.waiting.extend_from_slice(&sample.values[..self.channels]);
        self.samples += 1;
        let step_s = sample.time_s.zip(self.last_s).map(|(now_s, last_s)| now_s - last_s);
        self.passed_s += step_s.filter(|step_s| STEPS_S.contains(step_s)).unwrap_or_else(|| self.rate_hz.recip());
        self.last_s = sample.time_s;
        let ends = self.passed_s >= 1.0 && self.samples >= FEWEST;
        if ends || self.waiting.len() == BLOCK * self.channels {
            self.look();
        }
        if ends {
            self.end_second();
        }
    }

    /// Looks at the samples that wait.
    fn look(&mut self) {
        for (sensor, second) in self.sensors.iter().zip(&mut self.seconds) {
            let mut axes = [[0.0; BLOCK]; 3];
            let samples = self.waiting.chunks_exact(self.channels);
            let count = samples.len();
            for (place, sample) in samples.enumerate() {
                for (axis, channel) in axes.iter_mut().zip(sensor.channels) {
                    axis[place] = sample[channel];
                }
            }
            second.push(&axes, count, sensor.clips_from);
        }
        self.waiting.clear();
    }

    fn begin_second(&mut self) {
        (self.samples, self.passed_s) = (0, 0.0);
        self.seconds.iter_mut().for_each(Second::begin);
    }

    fn end_second(&mut self) {
        let rate_hz = f64::from(self.samples) / self.passed_s;
        for index in 0..self.sensors.len() {
            let figures = self.seconds[index].figures();
            let Self { sensors, judges, .. } = self;
            judges[index].hear(&sensors[index], &figures, rate_hz);
            if index == 0 {
                judges[0].hear_rate(self.arriving_hz);
            }
            if self.mounting.is_none()
                && let Some(mean) = judges[index].gravity()
            {
                self.mounting = Some(sensors[index].mounted_otherwise(mean));
                self.revision += 1;
            }
            for fault in Fault::ALL {
                let verdict = self.judges[index].verdict(fault);
                if verdict.present || self.faults.contains(index, fault) {
                    self.revision += 1;
                    self.note(index, fault, verdict.present, verdict.value);
                }
            }
        }
        self.begin_second();
    }

    /// Writes down that `fault` of the sensor `index` is there, or no longer is.
    fn note(&mut self, index: usize, fault: Fault, present: bool, value: f64) {
        let known = self.findings.iter().position(|finding| (finding.sensor, finding.fault) == (index, fault));
        let place = known.unwrap_or_else(|| {
            self.findings.push(Finding { sensor: index, fault, present, seconds: 0.0, times: 0, value });
            self.findings.len() - 1
        });
        let finding = &mut self.findings[place];
        if present {
            finding.seconds += self.passed_s;
            finding.times += u64::from(!self.faults.contains(index, fault));
            finding.value = value;
        }
        finding.present = present;
        self.faults.set(index, fault, present);
    }
}
