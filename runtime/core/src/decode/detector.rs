//! Looking for movements that may change the activity, sample by sample.

use super::{Change, Movement};
use crate::stream::StreamFormat;

/// Tells whether the quantity of a [`Change`] exceeds its threshold.
///
/// It reads continuous raw samples. A sample costs a few operations, and nothing is allocated after [`ChangeDetector::new`].
/// With `n` samples in `over_s` (rounded, at least one):
///
/// - `rotation` is the mean of the gyroscope's length over the last `n` samples, in rad/s;
/// - `gravity` is the angle between the accelerometer's mean vector over the last `n` samples and over the `n` before.
///
/// There is none before there are so many samples.
#[derive(Clone, Debug)]
pub struct ChangeDetector {
    /// Places of the axes in a sample, and the factors to the SI's unit.
    axes: [(usize, f64); 3],
    average: Average,
}

#[derive(Clone, Debug)]
enum Average {
    /// Of the length, and the sum that it has to exceed.
    Rotation { lengths: MovingSum<1>, threshold: f64 },
    /// Of the vector, and of that before, with the cosine of the angle that they have to exceed.
    Gravity { last: MovingSum<3>, before: MovingSum<3>, cosine: f64 },
}

impl ChangeDetector {
    /// Watches a stream of `format` for `change`; nothing where it lacks the sensor ([`Change::lacks`]).
    #[must_use]
    pub fn new(change: &Change, format: &StreamFormat) -> Option<Self> {
        let axes = change.quantity.axes(&format.channels)?;
        // a half is rounded to the even one, as where the parameters are fitted
        let samples = ((change.over_s * format.rate_hz).round_ties_even() as usize).max(1);
        let average = match change.quantity {
            Movement::Rotation => {
                Average::Rotation { lengths: MovingSum::new(samples), threshold: change.above * samples as f64 }
            }
            Movement::Gravity => Average::Gravity {
                last: MovingSum::new(samples),
                before: MovingSum::new(samples),
                cosine: change.above.cos(),
            },
        };
        Some(Self { axes, average })
    }

    /// Takes the next sample, `raw`; whether the quantity exceeds its threshold with it.
    ///
    /// # Panics
    /// When it has fewer channels than the stream.
    pub fn push(&mut self, raw: &[f64]) -> bool {
        let vector = self.axes.map(|(place, factor)| raw[place] * factor);
        match &mut self.average {
            Average::Rotation { lengths, threshold } => {
                lengths.push([length(vector)]);
                lengths.is_full() && lengths.sum[0] > *threshold
            }
            Average::Gravity { last, before, cosine } => {
                if let Some(left) = last.push(vector) {
                    before.push(left);
                }
                before.is_full() && dot(last.sum, before.sum) < *cosine * length(last.sum) * length(before.sum)
            }
        }
    }

    /// The stream had a gap: what follows does not go on from what was before.
    pub fn reset(&mut self) {
        match &mut self.average {
            Average::Rotation { lengths, .. } => lengths.clear(),
            Average::Gravity { last, before, .. } => {
                last.clear();
                before.clear();
            }
        }
    }
}

/// The sum of the latest vectors.
#[derive(Clone, Debug)]
struct MovingSum<const AXES: usize> {
    /// A ring, of which so many places were ever filled, and the next one is `place`.
    values: Vec<[f64; AXES]>,
    filled: usize,
    place: usize,
    sum: [f64; AXES],
    /// The sum of what was pushed since the ring's first place: at its end that of all values, without the rounding errors
    /// of what came and went.
    fresh: [f64; AXES],
}

impl<const AXES: usize> MovingSum<AXES> {
    fn new(samples: usize) -> Self {
        Self { values: vec![[0.0; AXES]; samples], filled: 0, place: 0, sum: [0.0; AXES], fresh: [0.0; AXES] }
    }

    /// Takes a vector; the one that leaves for it, if any.
    fn push(&mut self, vector: [f64; AXES]) -> Option<[f64; AXES]> {
        let full = self.is_full();
        let left = std::mem::replace(&mut self.values[self.place], vector);
        for axis in 0..AXES {
            self.fresh[axis] += vector[axis];
            self.sum[axis] += vector[axis] - if full { left[axis] } else { 0.0 };
        }
        self.place += 1;
        self.filled = self.filled.max(self.place);
        if self.place == self.values.len() {
            (self.place, self.sum) = (0, std::mem::replace(&mut self.fresh, [0.0; AXES]));
        }
        full.then_some(left)
    }

    fn is_full(&self) -> bool {
        self.filled == self.values.len()
    }

    fn clear(&mut self) {
        (self.filled, self.place) = (0, 0);
        (self.sum, self.fresh) = ([0.0; AXES], [0.0; AXES]);
    }
}

fn dot(one: [f64; 3], other: [f64; 3]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn length(vector: [f64; 3]) -> f64 {
    dot(vector, vector).sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stream::Channel;

    /// Half a second at this rate are 25 samples.
    const RATE_HZ: f64 = 50.0;

    fn format(units: &[&str]) -> StreamFormat {
        let axes =
            |unit: &&str| ["x", "y", "z"].map(|axis| Channel { name: axis.to_owned(), unit: (*unit).to_owned() });
        StreamFormat { channels: units.iter().flat_map(axes).collect(), rate_hz: RATE_HZ }
    }

    fn detector(quantity: Movement, above: f64, units: &[&str]) -> Option<ChangeDetector> {
        ChangeDetector::new(&Change { quantity, over_s: 0.5, above, stay: 0.5 }, &format(units))
    }

    /// Pushes a sample so often; whether any told of a change.
    fn hold(detector: &mut ChangeDetector, values: &[f64], samples: usize) -> bool {
        (0..samples).fold(false, |told, _| detector.push(values) | told)
    }

    #[test]
    fn a_burst_of_rotation_is_told_in_any_unit() {
        for (unit, per_rad) in [("rad/s", 1.0), ("deg/s", 180.0 / std::f64::consts::PI), ("mrad/s", 1e3)] {
            let mut detector = detector(Movement::Rotation, 0.4, &["g", unit]).unwrap();
            let mut turn = |rad_per_s: f64, samples| {
                // the length of (2, -1, 2) is 3
                let [x, y, z] = [2.0, -1.0, 2.0].map(|share| share / 3.0 * rad_per_s * per_rad);
                hold(&mut detector, &[9.0, 9.0, 9.0, x, y, z], samples)
            };
            assert!(!turn(10.0, 24), "{unit}: half a second has 25 samples");
            assert!(turn(10.0, 1), "{unit}");
            // it goes on being above until the average has fallen
            assert!(turn(0.0, 20) && turn(0.0, 4) && !turn(0.0, 20), "{unit}");
            assert!(!turn(0.39, 100), "{unit}");
            assert!(turn(0.41, 100), "{unit}");
        }
    }

    #[test]
    fn rotation_counts_in_every_direction_and_not_its_mean() {
        let mut detector = detector(Movement::Rotation, 0.4, &["rad/s"]).unwrap();
        for sample in 0..50 {
            hold(&mut detector, &[if sample % 2 == 0 { 1.0 } else { -1.0 }, 0.0, 0.0], 1);
        }
        assert!(hold(&mut detector, &[1.0, 0.0, 0.0], 1));
    }

    #[test]
    fn a_turn_of_gravity_is_told_in_any_unit_and_a_stronger_one_is_not() {
        for (unit, gravity) in [("g", 1.0), ("m/s2", 9.81), ("mg", 1000.0)] {
            // by 30 degrees, where more than 20 are told, and less than 40
            let (before, after) = ([0.0, gravity, 0.0], [0.5 * gravity, 0.75f64.sqrt() * gravity, 0.0]);
            for (degrees, told) in [(20.0f64, true), (40.0, false)] {
                let mut detector = detector(Movement::Gravity, degrees.to_radians(), &[unit]).unwrap();
                assert!(!hold(&mut detector, &before, 200), "{unit}");
                assert!(!hold(&mut detector, &before.map(|axis| 2.0 * axis), 200), "{unit}: its length is nothing");
                assert_eq!(hold(&mut detector, &after, 50), told, "{unit}, {degrees} degrees");
                assert!(!hold(&mut detector, &after, 200), "{unit}: the turn is over");
            }
        }
    }

    #[test]
    fn nothing_of_before_a_gap_is_compared_with_what_follows() {
        let mut gravity = detector(Movement::Gravity, 0.3, &["g"]).unwrap();
        let mut rotation = detector(Movement::Rotation, 0.4, &["rad/s"]).unwrap();
        for (detector, before, after) in
            [(&mut gravity, [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]), (&mut rotation, [9.0, 0.0, 0.0], [0.0; 3])]
        {
            hold(detector, &before, 200);
            detector.reset();
            assert!(!hold(detector, &after, 200));
        }
    }

    #[test]
    fn there_is_no_detector_without_its_sensor() {
        assert!(detector(Movement::Rotation, 0.4, &["g"]).is_none());
        assert!(detector(Movement::Gravity, 0.4, &["rad/s", "counts"]).is_none());
    }

    #[test]
    fn a_value_however_large_does_not_stay_for_good() {
        for wrong in [f64::MAX, 1e160, -1e100] {
            for (quantity, unit) in [(Movement::Rotation, "rad/s"), (Movement::Gravity, "g")] {
                let mut detector = detector(quantity, 0.4, &[unit]).unwrap();
                hold(&mut detector, &[0.1, 0.2, 0.1], 60);
                hold(&mut detector, &[wrong; 3], 1);
                hold(&mut detector, &[0.1, 0.2, 0.1], 100);
                assert!(!hold(&mut detector, &[0.1, 0.2, 0.1], 100), "{quantity:?}, {wrong}");
                hold(&mut detector, &[0.3, -0.7, 0.2], 60);
                assert!(hold(&mut detector, &[0.9, 0.1, 0.4], 60), "{quantity:?}, {wrong}");
            }
        }
    }

    /// The quantity at each sample, as its definition says.
    fn by_definition(change: &Change, samples: &[[f64; 3]]) -> Vec<Option<f64>> {
        let length = (change.over_s * RATE_HZ).round_ties_even() as usize;
        let mean = |end: usize, of: &dyn Fn(&[f64; 3]) -> [f64; 3]| {
            let from = end.checked_sub(length)?;
            let sum =
                samples[from..end].iter().map(of).fold([0.0; 3], |sum, it| std::array::from_fn(|a| sum[a] + it[a]));
            Some(sum.map(|axis| axis / length as f64))
        };
        let at = |end: usize| match change.quantity {
            Movement::Rotation => Some(mean(end, &|it| [super::length(*it), 0.0, 0.0])?[0]),
            Movement::Gravity => {
                let (last, before) = (mean(end, &|it| *it)?, mean(end.checked_sub(length)?, &|it| *it)?);
                Some((dot(last, before) / super::length(last) / super::length(before)).clamp(-1.0, 1.0).acos())
            }
        };
        (1..=samples.len()).map(at).collect()
    }

    proptest! {
        #[test]
        fn it_tells_what_the_definition_does(
            samples in prop::collection::vec(prop::array::uniform3(-2.0..2.0f64), 0..150),
            gravity in any::<bool>(), over_s in 0.02..0.5f64, above in 0.1..3.0f64,
        ) {
            let quantity = if gravity { Movement::Gravity } else { Movement::Rotation };
            let change = Change { quantity, over_s, above, stay: 0.5 };
            let mut detector = ChangeDetector::new(&change, &format(&["g", "rad/s"])).unwrap();
            for (sample, expected) in samples.iter().zip(by_definition(&change, &samples)) {
                let told = detector.push(&[*sample, *sample].concat());
                // what lies on the threshold may be rounded to either side
                let close = expected.is_some_and(|it| (it - above).abs() < 1e-9);
                prop_assert!(close || told == expected.is_some_and(|it| it > above), "{expected:?}");
            }
        }

        #[test]
        fn a_moving_sum_is_the_sum_of_the_latest(
            values in prop::collection::vec(-1e3..1e3f64, 0..200), samples in 1..20usize,
        ) {
            let mut moving = MovingSum::new(samples);
            for (place, value) in values.iter().enumerate() {
                let left = moving.push([*value]);
                let latest = &values[(place + 1).saturating_sub(samples)..=place];
                prop_assert_eq!(left, place.checked_sub(samples).map(|place| [values[place]]));
                prop_assert_eq!(moving.is_full(), latest.len() == samples);
                prop_assert!((moving.sum[0] - latest.iter().sum::<f64>()).abs() < 1e-9);
            }
        }
    }
}
