//! How a sensor is mounted, for every source.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::wanted::Wanted;
use crate::{SenseError, Source};
use gaitd_core::stream::{Reading, Sample, StreamFormat};

/// A mount matrix: what a sensor's axes are in those of the device that wears it. IIO writes it row by row,
/// `0, 1, 0; -1, 0, 0; 0, 0, 1`; a reading is multiplied by it from the left.
///
/// Where it only gives axes other names and signs, three axes say the same: `y,-x,z` makes x of the sensor's y, and y of
/// its -x.
///
/// ```
/// use gaitd_sense::Mount;
///
/// let mount: Mount = "y,-x,z".parse()?;
/// assert_eq!(mount, "0,1,0; -1,0,0; 0,0,1".parse()?);
/// assert_eq!(mount.turn([1.0, 2.0, 3.0]), [2.0, -1.0, 3.0]);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mount([[f64; 3]; 3]);

/// How far a determinant may be from 1 or -1.
const TOLERANCE: f64 = 0.05;

const AXES: [&str; 3] = ["x", "y", "z"];

const FORMS: &str = "expected three rows of three numbers, such as 0,1,0; -1,0,0; 0,0,1, or three axes, such as y,-x,z";

impl Default for Mount {
    fn default() -> Self {
        Self([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    }
}

impl FromStr for Mount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let row = |text: &str| three(text, |number| number.parse().ok().filter(|number: &f64| number.is_finite()));
        let matrix = if text.contains(['x', 'y', 'z', 'X', 'Y', 'Z']) {
            three(text, axis).map(Self)
        } else {
            let rows: Option<Vec<_>> = text.split(';').map(row).collect();
            rows.and_then(|rows| <[[f64; 3]; 3]>::try_from(rows).ok()).map(Self)
        };
        let matrix = matrix.ok_or(FORMS)?;
        let volume = matrix.determinant().abs();
        if (volume - 1.0).abs() <= TOLERANCE {
            Ok(matrix)
        } else if volume == 0.0 {
            Err("it loses an axis, or has one twice: no mount matrix".to_owned())
        } else {
            Err(format!("it changes the size of what it turns, by a factor of {volume}: no mount matrix"))
        }
    }
}

/// Three things between commas.
fn three<T: Copy>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<[T; 3]> {
    let all: Option<Vec<T>> = text.split(',').map(|one| read(one.trim())).collect();
    all?.try_into().ok()
}

/// The row that `x`, `+y` or `-z` stands for.
fn axis(text: &str) -> Option<[f64; 3]> {
    let (sign, name) = text.strip_prefix('-').map_or_else(|| (1.0, text.trim_start_matches('+')), |name| (-1.0, name));
    let place = AXES.iter().position(|axis| axis.eq_ignore_ascii_case(name.trim()))?;
    let mut row = [0.0; 3];
    row[place] = sign;
    Some(row)
}

impl fmt::Display for Mount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |row: &[f64; 3]| row.map(|number| number.to_string()).join(", ");
        out.write_str(&self.0.each_ref().map(row).join("; "))
    }
}

impl Serialize for Mount {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(|problem| D::Error::custom(format!("{text:?} is no mount: {problem}")))
    }
}

impl JsonSchema for Mount {
    fn schema_name() -> Cow<'static, str> {
        "Mount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Three rows of three numbers, such as `0,1,0; -1,0,0; 0,0,1`, or three axes, such as `y,-x,z`.",
        })
    }
}

impl Mount {
    /// A reading of the sensor, in the device's axes.
    #[must_use]
    pub fn turn(&self, sensed: [f64; 3]) -> [f64; 3] {
        self.0.map(|row| row.iter().zip(sensed).map(|(factor, value)| factor * value).sum())
    }

    fn determinant(&self) -> f64 {
        let [a, b, c] = self.0;
        let cross = [b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0]];
        a.iter().zip(cross).map(|(one, other)| one * other).sum()
    }
}

/// A source whose sensors are mounted otherwise than those that the model knows: every sensor of three axes is turned.
pub struct Mounted {
    source: Box<dyn Source>,
    mount: Mount,
    /// The channels of each sensor: x, y and z.
    sensors: Vec<[usize; 3]>,
}

impl Mounted {
    /// `source`, which gives samples in `format`, in the axes that `mount` makes of its own.
    ///
    /// # Errors
    /// When no sensor of the format has three axes.
    pub fn new(source: Box<dyn Source>, mount: Mount, format: &StreamFormat) -> Result<Self, SenseError> {
        let wanted = Wanted::new(format);
        let axes = |channels: &Vec<usize>| {
            let at =
                |axis| channels.iter().copied().find(|&channel| wanted.axis_of(channel).is_some_and(|of| of.1 == axis));
            Some([at(0)?, at(1)?, at(2)?])
        };
        let sensors: Vec<_> = wanted.sensors().iter().filter_map(axes).collect();
        if sensors.is_empty() {
            let channels: Vec<_> = format.channels.iter().map(|channel| channel.name.clone()).collect();
            return Err(SenseError::Mount { channels: channels.join(", ") });
        }
        Ok(Self { source, mount, sensors })
    }
}

impl Source for Mounted {
    fn read(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError> {
        let reading = self.source.read(sample, deadline)?;
        if reading == Reading::Sample {
            for sensor in &self.sensors {
                let turned = self.mount.turn(sensor.map(|channel| sample.values[channel]));
                sensor.iter().zip(turned).for_each(|(&channel, value)| sample.values[channel] = value);
            }
        }
        Ok(reading)
    }

    fn inner(&self) -> Option<&dyn Source> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_turned_into_the_device_s_axes() {
        let mount: Mount = "0, 1, 0; -1, 0, 0; 0, 0, 1".parse().unwrap();
        assert_eq!(mount.turn([1.0, 2.0, 3.0]), [2.0, -1.0, 3.0]);
        assert_eq!("1, 0, 0; 0, 1, 0; 0, 0, 1".parse(), Ok(Mount::default()));
        assert_eq!(Mount::default().turn([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn axes_with_signs_say_the_same() {
        for (axes, matrix) in [
            ("y,-x,z", "0,1,0; -1,0,0; 0,0,1"),
            (" -Y , X , +z ", "0,-1,0; 1,0,0; 0,0,1"),
            ("z,x,y", "0,0,1; 1,0,0; 0,1,0"),
            // a reflection, as a matrix may be one
            ("-x,y,z", "-1,0,0; 0,1,0; 0,0,1"),
        ] {
            assert_eq!(axes.parse::<Mount>().unwrap(), matrix.parse().unwrap(), "{axes}");
        }
        let mount: Mount = "y,-x,z".parse().unwrap();
        let json = serde_json::to_string(&mount).unwrap();
        assert_eq!(json, "\"0, 1, 0; -1, 0, 0; 0, 0, 1\"");
        assert_eq!(serde_json::from_str::<Mount>(&json).unwrap(), mount);
        assert!(serde_json::from_str::<Mount>("\"y\\t,-x,z\"").is_ok(), "an escape is no part of the text");
    }

    #[test]
    fn no_mount_matrix() {
        for text in [
            "",
            "1, 0; 0, 1",
            "1,0,0;0,1,0;0,0,x",
            "1,0,0;0,1,0;0,0,nan",
            "x,y",
            "x,y,z,x",
            "x;y;z",
            "--x,y,z",
            "x,y,w",
        ] {
            assert_eq!(text.parse::<Mount>().unwrap_err(), FORMS, "{text}");
        }
        for (text, problem) in [
            ("0,0,0;0,0,0;0,0,0", "loses an axis"),
            ("x,x,z", "has one twice"),
            ("2,0,0;0,2,0;0,0,2", "by a factor of 8"),
        ] {
            assert!(text.parse::<Mount>().unwrap_err().contains(problem), "{text}");
        }
    }
}
