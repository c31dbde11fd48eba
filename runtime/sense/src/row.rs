//! What one line holds besides the channels' values.

use super::name::{Name, Sensor};
use super::rising::Rising;
use super::time::{Stamp, TimeUnit};
use super::wanted::Wanted;

/// The most names of sensors that are kept.
const MOST_NAMES: usize = 64;

/// One line's time, sensor and axes; the channels' values stand in the sample itself.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) stamp: Stamp,
    /// The unit of the stamp, where it is known.
    pub(super) unit: Option<TimeUnit>,
    pub(super) date: Stamp,
    pub(super) rest: Option<(Stamp, TimeUnit)>,
    /// What ties the stamp to other clocks, in a unit that is stated or to be seen.
    pub(super) tie: Option<(Stamp, Option<TimeUnit>)>,
    pub(super) axes: [f64; 3],
    /// The sensor that the line names, where it names one.
    pub(super) sensor: Option<Option<Sensor>>,
    /// Of the first rows, what is in columns that are not used.
    pub(super) unused: Option<Rising>,
    /// Names of sensors that were met, with what they mean.
    met: Vec<(String, Option<Sensor>)>,
}

impl Row {
    /// Before the first line: what is in unused columns is kept of the first rows.
    pub(super) fn watching() -> Self {
        Self { unused: Some(Rising::default()), ..Self::default() }
    }

    /// Before the next line is read.
    pub(super) fn clear(&mut self) {
        (self.stamp, self.unit, self.date) = (Stamp::Missing, None, Stamp::Missing);
        (self.rest, self.tie, self.axes, self.sensor) = (None, None, [f64::NAN; 3], None);
    }

    /// The line is of the sensor that is called `name`.
    pub(super) fn is_of(&mut self, name: &str) {
        let met = self.met.iter().find(|(met, _)| met == name).map(|(_, sensor)| *sensor);
        self.sensor = Some(met.unwrap_or_else(|| {
            let sensor = Name::sensor(name);
            if self.met.len() < MOST_NAMES && name.len() < 100 {
                self.met.push((name.to_owned(), sensor));
            }
            sensor
        }));
    }

    /// The whole time.
    pub(super) fn time(&self) -> Stamp {
        let time = self.stamp.on(self.date);
        self.rest.map_or(time, |(rest, unit)| time.and(rest, unit))
    }

    /// The same instant by another clock, in seconds.
    pub(super) fn tie_s(&self) -> Option<f64> {
        let (stamp, unit) = self.tie?;
        stamp.seconds(unit.unwrap_or_else(|| stamp.unit_by_size()))
    }

    /// Puts the axes into the channels of the sensor that the line names, and nothing into the others; false where that
    /// sensor is not wanted.
    pub(super) fn spread(&self, wanted: &Wanted, factors: &[f64], values: &mut [f64]) -> bool {
        let Some(number) = self.sensor.flatten().and_then(|sensor| wanted.number_of(sensor)) else { return false };
        for &channel in &wanted.sensors()[number] {
            let axis = wanted.axis_of(channel).map(|(_, axis)| axis);
            values[channel] = axis.map_or(f64::NAN, |axis| self.axes[axis] * factors[channel]);
        }
        true
    }

    /// The names of sensors that were met.
    pub(super) fn met(&self) -> impl Iterator<Item = &str> {
        self.met.iter().map(|(name, _)| name.as_str())
    }
}
