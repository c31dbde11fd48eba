//! The accelerometer at rest: where gravity points, and how large it is.

use serde::Serialize;

/// Samples of a stretch at least, and how long it is at least, in seconds.
const STRETCH: (u32, f64) = (10, 1.0);
/// So many samples are a stretch where there are no times.
const UNTIMED: u32 = 50;
/// Values scatter by this share of their magnitude at most where nothing moves.
const QUIET: f64 = 0.03;
/// So many stretches at most are kept.
const MOST: usize = 1000;
/// A magnitude within this share of gravity's in some unit is gravity in it.
const NEAR: f64 = 0.15;

/// The accelerometer's values where nothing moves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtRest {
    /// The mean of each axis, in the unit of the values.
    pub mean: [f64; 3],
    /// The mean magnitude.
    pub magnitude: f64,
    /// Length of the stretches in which nothing moved, in seconds (of samples without times: in stretches of 50); 0 where
    /// there was none, and then all of the stream is meant.
    pub quiet_s: f64,
}

/// Parts the stream into stretches of about a second, and tells the quiet ones.
#[derive(Debug, Default)]
pub(super) struct Rest {
    begun_s: Option<f64>,
    samples: u32,
    sum: [f64; 3],
    squares: [f64; 3],
    quiet: Vec<([f64; 3], f64)>,
    all: Vec<([f64; 3], f64)>,
}

impl Rest {
    /// Takes the next values of the three axes; not finite ones say nothing.
    pub(super) fn observe(&mut self, time_s: Option<f64>, values: [f64; 3]) {
        if values.iter().any(|value| !value.is_finite()) {
            return;
        }
        let since = time_s.zip(self.begun_s).map(|(now, begun)| now - begun);
        let full = since.map_or(self.samples >= UNTIMED, |since| self.samples >= STRETCH.0 && since >= STRETCH.1);
        if full {
            self.end(since.unwrap_or(1.0));
        }
        if self.samples == 0 {
            self.begun_s = time_s;
        }
        self.samples += 1;
        for (axis, value) in values.into_iter().enumerate() {
            self.sum[axis] += value;
            self.squares[axis] += value * value;
        }
    }

    fn end(&mut self, seconds: f64) {
        let samples = f64::from(std::mem::take(&mut self.samples));
        let (sum, squares) = (std::mem::take(&mut self.sum), std::mem::take(&mut self.squares));
        let mean = sum.map(|sum| sum / samples);
        let variance: f64 = (0..3).map(|axis| (squares[axis] / samples - mean[axis] * mean[axis]).max(0.0)).sum();
        if self.all.len() == MOST {
            return;
        }
        self.all.push((mean, seconds));
        if variance.sqrt() <= QUIET * magnitude(mean) {
            self.quiet.push((mean, seconds));
        }
    }

    /// What there was; nothing of a stream shorter than a stretch.
    pub(super) fn at_rest(&self) -> Option<AtRest> {
        let of = if self.quiet.is_empty() { &self.all } else { &self.quiet };
        let count = of.len() as f64;
        if of.is_empty() {
            return None;
        }
        let mean = [0, 1, 2].map(|axis| of.iter().map(|(mean, _)| mean[axis]).sum::<f64>() / count);
        // the wearer may turn from one stretch to the next
        let magnitude = of.iter().map(|(mean, _)| magnitude(*mean)).sum::<f64>() / count;
        Some(AtRest { mean, magnitude, quiet_s: self.quiet.iter().map(|(_, seconds)| seconds).sum() })
    }
}

fn magnitude(vector: [f64; 3]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}

impl AtRest {
    /// The unit in which the magnitude is gravity's: `g`, `m/s2` or `mg`.
    #[must_use]
    pub fn likely_unit(&self) -> Option<&'static str> {
        let is = |gravity: f64| (self.magnitude / gravity - 1.0).abs() <= NEAR;
        [("g", 1.0), ("m/s2", 9.80665), ("mg", 1000.0)]
            .into_iter()
            .find(|(_, gravity)| is(*gravity))
            .map(|(unit, _)| unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gravity_is_found_between_steps() {
        let mut rest = Rest::default();
        for i in 0..1000 {
            let time = f64::from(i) * 0.02;
            // walks for ten seconds, then stands, then lies
            let swing = if i < 500 { 4.0 * (time * 12.0).sin() } else { 0.0 };
            let values = if i < 750 { [0.0, 9.7 + swing, 1.4] } else { [9.8, 0.0, 0.1] };
            rest.observe(Some(time), values);
        }
        let found = rest.at_rest().unwrap();
        assert!((found.magnitude - 9.8).abs() < 0.01, "{found:?}");
        assert!(found.quiet_s > 7.0 && found.quiet_s < 11.0, "{found:?}");
        assert_eq!(found.likely_unit(), Some("m/s2"));
    }

    #[test]
    fn units_by_gravity() {
        let of = |magnitude| AtRest { mean: [0.0; 3], magnitude, quiet_s: 1.0 }.likely_unit();
        assert_eq!(
            [1.02, 9.3, 981.0, 16384.0, 0.1, 3.0].map(of),
            [Some("g"), Some("m/s2"), Some("mg"), None, None, None]
        );
        assert_eq!(Rest::default().at_rest(), None);
    }
}
