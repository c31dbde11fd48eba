//! What is looked for in a text: the channels of the expected format, by name, by sensor and by axis.

use gaitd_core::stream::{StreamFormat, unit};

use super::merge::Sensors;
use super::name::{Meaning, Name, Sensor};
use super::place::Place;
use super::tags::TagColumns;
use super::time::TimeUnit;
use crate::{SenseError, Spelling};

/// More sensors than this are one.
const MOST_SENSORS: usize = 64;

/// What is looked for, and what the caller knows of the text.
pub(super) struct Wanted {
    pub(super) expected: StreamFormat,
    pub(super) spelling: Spelling,
    /// Other streams have the other sensors: all channels of one are enough.
    pub(super) in_part: bool,
    pub(super) tags: TagColumns,
    /// The sensor of axes of which neither the unit nor the file's name says of which.
    pub(super) bare: Option<Sensor>,
    /// What is found is told by the caller.
    pub(super) quiet: bool,
    meanings: Vec<Meaning>,
    /// The channels of each sensor; of none that is known, together.
    sensors: Vec<Vec<usize>>,
    /// What each of them is.
    kinds: Vec<Option<Sensor>>,
}

impl Wanted {
    pub(super) fn new(expected: &StreamFormat) -> Self {
        let meanings: Vec<_> = expected.channels.iter().map(|channel| Name::new(&channel.name).meaning).collect();
        let (mut sensors, mut kinds): (Vec<Vec<usize>>, Vec<_>) = (Vec::new(), Vec::new());
        for (index, meaning) in meanings.iter().enumerate() {
            let kind = sensor(*meaning);
            match kinds.iter().position(|known| *known == kind) {
                Some(place) => sensors[place].push(index),
                None if sensors.len() == MOST_SENSORS => sensors[MOST_SENSORS - 1].push(index),
                None => {
                    kinds.push(kind);
                    sensors.push(vec![index]);
                }
            }
        }
        Self {
            expected: expected.clone(),
            spelling: Spelling::default(),
            tags: TagColumns::default(),
            bare: None,
            quiet: false,
            in_part: false,
            meanings,
            sensors,
            kinds,
        }
    }

    /// The channels of each sensor.
    pub(super) fn sensors(&self) -> &[Vec<usize>] {
        &self.sensors
    }

    /// Every sensor.
    pub(super) fn all(&self) -> Sensors {
        (0..self.sensors.len()).fold(0, |all, number| all | 1 << number)
    }

    /// The sensors of which all channels are `had`.
    pub(super) fn whole(&self, had: impl Fn(usize) -> bool) -> Sensors {
        let whole = |number: &usize| self.sensors[*number].iter().all(|&channel| had(channel));
        (0..self.sensors.len()).filter(whole).fold(0, |all, number| all | 1 << number)
    }

    /// The sensors of which any channel is `had`.
    pub(super) fn partly(&self, had: impl Fn(usize) -> bool) -> Sensors {
        let any = |number: &usize| self.sensors[*number].iter().any(|&channel| had(channel));
        (0..self.sensors.len()).filter(any).fold(0, |all, number| all | 1 << number)
    }

    /// Whether a stream without the channels `missing` has what is to be in it.
    pub(super) fn is_enough(&self, missing: &[usize]) -> bool {
        missing.is_empty() || self.in_part && self.whole(|channel| !missing.contains(&channel)) != 0
    }

    /// Which of the sensors `sensor` is.
    pub(super) fn number_of(&self, sensor: Sensor) -> Option<usize> {
        self.kinds.iter().position(|kind| *kind == Some(sensor))
    }

    /// The channel that is called `name`, in the very spelling or apart from capitals.
    pub(super) fn channel_called(&self, name: &str, capitals: bool) -> Option<usize> {
        let is = |other: &str| if capitals { other == name } else { other.eq_ignore_ascii_case(name) };
        self.expected.channels.iter().position(|channel| is(&channel.name))
    }

    /// The channel that is this axis of this sensor.
    pub(super) fn axis(&self, sensor: Sensor, axis: usize) -> Option<usize> {
        self.meanings
            .iter()
            .position(|meaning| matches!(meaning, Meaning::Axis(of, at, _) if (*of, *at) == (sensor, axis)))
    }

    /// The channel that is all of this sensor.
    pub(super) fn one_of(&self, sensor: Sensor) -> Option<usize> {
        self.meanings.iter().position(|meaning| *meaning == Meaning::Whole(sensor))
    }

    /// The axis of a sensor that a channel is.
    pub(super) fn axis_of(&self, channel: usize) -> Option<(Sensor, usize)> {
        match self.meanings[channel] {
            Meaning::Axis(sensor, axis, _) => Some((sensor, axis)),
            _ => None,
        }
    }

    /// The unit that the caller states for a channel: by its name, by another name for it, or by its sensor.
    pub(super) fn unit_of(&self, channel: usize) -> Option<&str> {
        let units = &self.spelling.units;
        unit_of(self, channel, units.iter().map(|(name, unit)| (name.as_str(), unit.as_str())))
    }

    /// The unit that the caller states for the time.
    pub(super) fn time_unit(&self, place: Place<'_>) -> Result<Option<TimeUnit>, SenseError> {
        let stated = self.spelling.units.iter().find(|(name, _)| matches!(Name::new(name).meaning, Meaning::Time(..)));
        stated.map(|(name, unit)| time_unit(name, unit, place)).transpose()
    }

    /// Refuses units that the caller states for what is neither a channel nor the time.
    pub(super) fn check(&self, place: Place<'_>) -> Result<(), SenseError> {
        for name in self.spelling.units.keys() {
            let is_time = matches!(Name::new(name).meaning, Meaning::Time(..));
            let is_channel = (0..self.expected.channels.len()).any(|channel| self.is_called(channel, name));
            // a look for what is there may leave a sensor out
            let is_channel = is_channel || self.quiet && sensor(Name::new(name).meaning).is_some();
            if !is_time && !is_channel {
                let known: Vec<_> = self.expected.channels.iter().map(|channel| channel.name.as_str()).collect();
                let problem = format!(
                    "a unit is stated for `{name:.40}` (--units, `source.units`), which is no channel; those are {}, and t",
                    known.join(", ")
                );
                return Err(SenseError::Header { place: place.to_string(), problem });
            }
        }
        Ok(())
    }

    /// Whether `name` stands for a channel: its own name, another one for it, or that of its sensor.
    pub(super) fn is_called(&self, channel: usize, name: &str) -> bool {
        let meaning = self.meanings[channel];
        self.expected.channels[channel].name.eq_ignore_ascii_case(name)
            || match (Name::new(name).meaning, meaning) {
                (Meaning::Axis(one, at, _), Meaning::Axis(other, there, _)) => (one, at) == (other, there),
                (Meaning::Whole(one), other) => sensor(other) == Some(one),
                _ => false,
            }
    }

    /// What a value of a channel, which the stream calls `name`, is multiplied by where it is in `found`.
    pub(super) fn factor(&self, channel: usize, name: &str, found: &str, place: Place<'_>) -> Result<f64, SenseError> {
        let wanted = &self.expected.channels[channel];
        unit::factor(found, &wanted.unit).ok_or_else(|| SenseError::Unit {
            place: place.to_string(),
            channel: name.to_owned(),
            found: found.to_owned(),
            expected: wanted.unit.clone(),
        })
    }
}

/// Of `units` by name the one for a channel: an exact name before the name of a sensor.
pub(super) fn unit_of<'a>(
    wanted: &Wanted,
    channel: usize,
    units: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Option<&'a str> {
    let name = &wanted.expected.channels[channel].name;
    let exact = units.clone().find(|(called, _)| called == name);
    let axis =
        |called: &str| wanted.is_called(channel, called) && !matches!(Name::new(called).meaning, Meaning::Whole(_));
    let by_axis = || units.clone().find(|(called, _)| axis(called));
    let by_sensor = || units.clone().find(|(called, _)| wanted.is_called(channel, called));
    // what acceleration is put together from is in its unit
    let is_part = matches!(sensor(wanted.meanings[channel]), Some(Sensor::LinearAcceleration | Sensor::Gravity));
    let whole = |called: &str| is_part && Name::new(called).meaning == Meaning::Whole(Sensor::Acceleration);
    let by_whole = || units.clone().find(|(called, _)| whole(called));
    exact.or_else(by_axis).or_else(by_sensor).or_else(by_whole).map(|(_, unit)| unit)
}

/// The unit of a time called `name`.
pub(super) fn time_unit(name: &str, unit: &str, place: Place<'_>) -> Result<TimeUnit, SenseError> {
    TimeUnit::named(unit).ok_or_else(|| SenseError::Unit {
        place: place.to_string(),
        channel: name.to_owned(),
        found: unit.to_owned(),
        expected: "s, ms, us or ns".to_owned(),
    })
}

fn sensor(meaning: Meaning) -> Option<Sensor> {
    match meaning {
        Meaning::Axis(sensor, ..) | Meaning::Whole(sensor) => Some(sensor),
        _ => None,
    }
}
