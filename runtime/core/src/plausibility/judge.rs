//! What seconds of a sensor show, by one rule for each fault.
//!
//! The limits were set on recordings of people (30 with a telephone at the waist, 46 with a watch): none of their seconds
//! passes one, but peaks that really are cut off at the end of a watch's range of 2 g. Each fault must show for some
//! seconds in a row before it is there, and be gone for some before it is over.

use super::second::Figures;
use super::sensor::SensorStatistics;
use super::{Fault, Sensor};
use crate::stream::unit::{self, Quantity};

/// Magnitudes beyond these, in m/s2 and rad/s, are beyond the largest ranges that are sold (400 g, 4,500 degrees per second).
const LARGEST: [f64; 2] = [400.0 * 9.806_65, 80.0];

/// A sensor whose axes deviate by more than this, in m/s2 and rad/s, is moved.
const MOVED: [f64; 2] = [0.05 * 9.806_65, 0.1];

/// A model whose sensor measures less than this at rest, in m/s2, was trained without gravity.
const GRAVITY: f64 = 0.3 * 9.806_65;

/// No second of a person has a magnitude of so many times gravity, nor turns by so many times what training's most vigorous
/// seconds do.
const BEYOND: [f64; 2] = [4.0, 6.0];

/// White noise has second differences of 6 times its variance; estimated from a second's samples it lies between these.
const WHITE: std::ops::RangeInclusive<f64> = 4.0..=9.0;

/// Below this rate motion itself looks like white noise.
const LEAST_RATE_FOR_NOISE_HZ: f64 = 40.0;

/// How far the noise may be from training's, as a factor either way.
const NOISE_FACTOR: f64 = 20.0;

/// Seconds over which the mean vector is smoothed.
const SMOOTHED_S: f64 = 8.0;

/// After so many seconds it is looked at how the sensor is mounted.
const MOUNTED_S: f64 = 7.0;

/// Seconds for which each fault must show, and be gone, in the order of [`Fault::ALL`].
const PATIENCE: [(u32, u32); Fault::ALL.len()] =
    [(2, 2), (2, 2), (2, 10), (2, 10), (3, 10), (1, 60), (3, 3), (3, 10), (1, 1)];

/// A gyroscope's unit shows in motion only: it must be right for so long.
const UNMOVED_S: u32 = 600;

/// A sensor whose steps are so many times its noise in training may stay the same for this long.
const COARSE: (f64, u32) = (2.0, 60);

/// The same for noise that is too small, which only shows at rest.
const QUIET_S: u32 = 5;

/// What is held of one sensor.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    /// What one m/s2 or rad/s is in the sensor's unit.
    base: f64,
    watches: [Watch; Fault::ALL.len()],
    /// The mean vector, smoothed, and how many seconds are in it.
    mean: [f64; 3],
    heard: f64,
    cut_off: u32,
    /// It is a gyroscope.
    turns: bool,
}

/// How one fault stands.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    /// Seconds in a row that showed it, or did not.
    shown: u32,
    gone: u32,
    present: bool,
    value: f64,
}

/// Whether a fault is there, and what was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) present: bool,
    pub(super) value: f64,
}

impl Judge {
    pub(super) fn new(sensor: &Sensor) -> Self {
        Self {
            base: unit::factor(sensor.quantity.base(), &sensor.unit).unwrap_or(1.0),
            watches: [Watch::default(); Fault::ALL.len()],
            mean: [0.0; 3],
            heard: 0.0,
            cut_off: 0,
            turns: sensor.quantity == Quantity::AngularRate,
        }
    }

    pub(super) fn verdict(&self, fault: Fault) -> Verdict {
        let Watch { present, value, .. } = self.watches[fault as usize];
        Verdict { present, value }
    }

    /// Takes the figures of the next second, which had samples at `rate_hz`.
    pub(super) fn hear(&mut self, sensor: &Sensor, figures: &Figures, rate_hz: f64) {
        let constant = figures.constant == [true; 3];
        let zero = constant && figures.last == [0.0; 3];
        let statistics = sensor.statistics.as_ref();
        let coarse = statistics.zip(figures.step).is_some_and(|(it, step)| step > COARSE.0 * it.at_rest.noise);
        self.note(Fault::Zero, zero.then_some(0.0), None);
        self.note(Fault::Frozen, (constant && !zero).then_some(figures.magnitude), coarse.then_some(COARSE.1));
        self.note(Fault::Saturated, self.saturated(figures), None);
        self.cut_off = figures.cut_off;
        if constant {
            // it says nothing of what a sensor that works would
            return;
        }
        self.note(Fault::Stuck, self.stuck(sensor, figures), None);
        let scale = self.scale(sensor, figures);
        for fault in [Fault::Unit, Fault::Counts] {
            self.note(fault, (scale == Some(fault)).then_some(figures.magnitude), None);
        }
        if self.is_present(Fault::Counts) {
            self.watches[Fault::Unit as usize] = Watch::default();
        }
        let scale_is_right = !self.is_present(Fault::Unit) && !self.is_present(Fault::Counts) && scale.is_none();
        let Some(statistics) = statistics else { return };
        let whole = scale_is_right && !self.is_present(Fault::Stuck);
        let no_gravity = if whole { self.without_gravity(sensor, statistics, figures) } else { None };
        self.note(Fault::Gravity, no_gravity, None);
        let noise = figures.deviation.iter().sum::<f64>() / 3.0;
        let within = |factor: f64| figures.deviation.map(|deviation| deviation > statistics.at_rest.noise * factor);
        let white =
            rate_hz >= LEAST_RATE_FOR_NOISE_HZ && figures.whiteness.iter().all(|whiteness| WHITE.contains(whiteness));
        let noisy = white && within(NOISE_FACTOR) == [true; 3];
        let quiet = within(NOISE_FACTOR.recip()) == [false; 3];
        self.note(Fault::Noise, (scale_is_right && (noisy || quiet)).then_some(noise), quiet.then_some(QUIET_S));
    }

    /// Takes the rate at which samples arrive, where that is another one than they are taken for.
    pub(super) fn hear_rate(&mut self, found_hz: Option<f64>) {
        self.note(Fault::Rate, found_hz, None);
    }

    /// The mean of the acceleration over the last seconds, once it is of enough of them, and holds gravity.
    pub(super) fn gravity(&self) -> Option<[f64; 3]> {
        (self.heard >= MOUNTED_S && !self.is_present(Fault::Gravity)).then_some(self.mean)
    }

    fn is_present(&self, fault: Fault) -> bool {
        self.watches[fault as usize].present
    }

    /// Where `value` is, the second shows `fault`, of which so much was measured.
    fn note(&mut self, fault: Fault, value: Option<f64>, patience: Option<u32>) {
        let (needed, mut clean) = PATIENCE[fault as usize];
        if self.turns && matches!(fault, Fault::Unit | Fault::Counts) {
            clean = UNMOVED_S;
        }
        let watch = &mut self.watches[fault as usize];
        if let Some(value) = value {
            (watch.shown, watch.gone, watch.value) = (watch.shown.saturating_add(1), 0, value);
            watch.present |= watch.shown >= patience.unwrap_or(needed);
        } else {
            (watch.shown, watch.gone) = (0, watch.gone.saturating_add(1));
            watch.present &= watch.gone < clean;
        }
    }

    /// The end of the range at which peaks were cut off again.
    fn saturated(&self, figures: &Figures) -> Option<f64> {
        (figures.cut_off >= 3 && figures.cut_off > self.cut_off).then_some(figures.end)
    }

    /// The axis that stays the same while another one moves.
    fn stuck(&self, sensor: &Sensor, figures: &Figures) -> Option<f64> {
        let least = (MOVED[sensor.quantity as usize] * self.base).max(4.0 * figures.step?);
        let moved = |axis: usize| figures.deviation[axis] > least;
        let axis = (0..3).find(|axis| figures.constant[*axis])?;
        let cut_off = figures.last[axis].abs() >= sensor.clips_from;
        // once it was seen to be stuck, it is while the sensor rests, too
        ((self.is_present(Fault::Stuck) || (0..3).any(moved)) && !cut_off).then_some(axis as f64)
    }

    /// What a magnitude shows that no person's is.
    fn scale(&self, sensor: &Sensor, figures: &Figures) -> Option<Fault> {
        let physical = figures.magnitude > LARGEST[sensor.quantity as usize] * self.base;
        let Some(statistics) = &sensor.statistics else { return physical.then_some(Fault::Counts) };
        let usual = match sensor.quantity {
            Quantity::Acceleration => statistics.at_rest.magnitude,
            Quantity::AngularRate => statistics.vigorous,
        };
        let is_usual = self.turns || usual > GRAVITY * self.base;
        let large = physical || is_usual && figures.magnitude > BEYOND[sensor.quantity as usize] * usual;
        // gravity alone says that something is too small, where it is still gravity
        let small =
            !self.turns && is_usual && figures.magnitude * 4.0 < usual && figures.steady > 0.9 * figures.magnitude;
        if !large && !small {
            return None;
        }
        // more vigorous seconds of what is known to be in another unit are no counts, and calmer ones of counts no unit
        let vigour = if self.is_present(Fault::Unit) { 4.0 } else { 1.8 };
        let unit = !self.is_present(Fault::Counts) && sensor.likely_unit(figures.magnitude, vigour).is_some();
        if unit { Some(Fault::Unit) } else { large.then_some(Fault::Counts) }
    }

    /// The magnitude of the mean, where it holds no gravity.
    fn without_gravity(&mut self, sensor: &Sensor, statistics: &SensorStatistics, figures: &Figures) -> Option<f64> {
        let usual = statistics.at_rest.magnitude;
        if sensor.quantity != Quantity::Acceleration || usual <= GRAVITY * self.base {
            return None;
        }
        self.heard += 1.0;
        let share = self.heard.min(SMOOTHED_S).recip();
        for (mean, now) in self.mean.iter_mut().zip(figures.mean) {
            *mean += (now - *mean) * share;
        }
        let long = self.mean.iter().map(|mean| mean * mean).sum::<f64>().sqrt();
        let short = figures.steady < 0.3 * usual && figures.magnitude < 0.6 * usual;
        (short || self.heard >= SMOOTHED_S && long < 0.15 * usual).then_some(figures.steady.min(long))
    }
}
