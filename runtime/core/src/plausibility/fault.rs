//! What can be wrong with a sensor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MOST_SENSORS;

/// What is wrong with the samples of a sensor with three axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// All values are 0: the sensor is off, or its scale is 0.
    Zero,
    /// All values stay the same to the last digit, where noise alone moves those of a real sensor.
    Frozen,
    /// Values beyond what any sensor measures: raw counts of a converter.
    Counts,
    /// As in training but for the factor between two units.
    Unit,
    /// An accelerometer without gravity.
    Gravity,
    /// Peaks are cut off at the end of the sensor's range.
    Saturated,
    /// One axis stays the same while the others move.
    Stuck,
    /// Far more noise than in training, or far less.
    Noise,
    /// Samples without timestamps arrive at another rate than they are taken for. It is of the whole stream, and stands with
    /// its first sensor.
    Rate,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 9] = [
        Self::Zero,
        Self::Frozen,
        Self::Counts,
        Self::Unit,
        Self::Gravity,
        Self::Saturated,
        Self::Stuck,
        Self::Noise,
        Self::Rate,
    ];

    /// Its name in outputs and configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Frozen => "frozen",
            Self::Counts => "counts",
            Self::Unit => "unit",
            Self::Gravity => "gravity",
            Self::Saturated => "saturated",
            Self::Stuck => "stuck",
            Self::Noise => "noise",
            Self::Rate => "rate",
        }
    }
}

/// The faults of all sensors of a stream at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults(u64);

impl Faults {
    /// Nothing is wrong.
    pub const NONE: Self = Self(0);

    /// Each of the given faults, of any sensor: what [`Faults::of`] selects by.
    #[must_use]
    pub fn any_of(kinds: impl IntoIterator<Item = Fault>) -> Self {
        let mut all = Self::NONE;
        for fault in kinds {
            (0..MOST_SENSORS).for_each(|sensor| all.set(sensor, fault, true));
        }
        all
    }

    /// Those that are also in `others`.
    #[must_use]
    pub fn of(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Those that are not in `others`.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the sensor with this number has this fault.
    #[must_use]
    pub fn contains(self, sensor: usize, fault: Fault) -> bool {
        self.0 & Self::bit(sensor, fault) != 0
    }

    /// The same as a number, from which [`Faults::from_bits`] makes them again.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The faults of which [`Faults::bits`] gave the number.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Each one, with the number of its sensor.
    pub fn iter(self) -> impl Iterator<Item = (usize, Fault)> {
        let all = (0..MOST_SENSORS).flat_map(|sensor| Fault::ALL.map(|fault| (sensor, fault)));
        all.filter(move |(sensor, fault)| self.contains(*sensor, *fault))
    }

    /// Notes whether the sensor with this number has this fault.
    ///
    /// # Panics
    /// When no sensor can have this number.
    pub fn set(&mut self, sensor: usize, fault: Fault, present: bool) {
        assert!(sensor < MOST_SENSORS, "the number of a sensor");
        let bit = Self::bit(sensor, fault);
        if present {
            self.0 |= bit;
        } else {
            self.0 &= !bit;
        }
    }

    fn bit(sensor: usize, fault: Fault) -> u64 {
        1 << (sensor * Fault::ALL.len() + fault as usize)
    }
}

/// A fault that a sensor has or had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Number of the sensor.
    pub sensor: usize,
    /// What is wrong.
    pub fault: Fault,
    /// It is still there.
    pub present: bool,
    /// How long it was there in all, seconds of the stream.
    pub seconds: f64,
    /// How often it came.
    pub times: u64,
    /// What was measured when it was seen last: a magnitude, an end of the range or the noise, in the sensor's unit;
    /// for [`Fault::Stuck`] the number of the axis, for [`Fault::Rate`] samples per second.
    pub value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_sensors_do_not_touch_each_other() {
        let mut faults = Faults::NONE;
        faults.set(0, Fault::Unit, true);
        faults.set(3, Fault::Noise, true);
        assert_eq!(faults.iter().collect::<Vec<_>>(), [(0, Fault::Unit), (3, Fault::Noise)]);
        assert!(!faults.contains(1, Fault::Unit) && !faults.contains(0, Fault::Noise));
        assert_eq!(faults.of(Faults::any_of([Fault::Noise])).iter().collect::<Vec<_>>(), [(3, Fault::Noise)]);
        assert_eq!(faults.without(Faults::any_of([Fault::Noise])).iter().collect::<Vec<_>>(), [(0, Fault::Unit)]);
        assert_eq!(Faults::from_bits(faults.bits()), faults);
        faults.set(0, Fault::Unit, false);
        faults.set(3, Fault::Noise, false);
        assert!(faults.is_empty());
    }

    #[test]
    fn a_fault_s_name_is_what_is_written() {
        for fault in Fault::ALL {
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.name());
        }
    }
}
