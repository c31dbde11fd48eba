//! What in the raw samples tells that a wearer may do something else: a part of the manifest's block `context`.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ContextError;
use crate::stream::Channel;
use crate::stream::unit::{self, Quantity};

/// The longest average, seconds: a turn of the body is over much sooner, and what is kept for it stays small.
const LONGEST_S: f64 = 60.0;

/// A movement after which another activity is likelier than the time alone makes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What is looked at.
    pub quantity: Movement,
    /// What averages are over, seconds, above 0 and at most 60.
    #[schemars(range(max = LONGEST_S), extend("exclusiveMinimum" = 0))]
    pub over_s: f64,
    /// What the quantity has to exceed, above 0: in rad/s for `rotation`, in radians and below pi for `gravity`.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub above: f64,
    /// Chance, 0 to 1, that the wearer still does the same after it, at most: the time alone may leave less.
    #[schemars(range(min = 0, max = 1))]
    pub stay: f64,
}

/// What a [`Change`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Movement {
    /// The length of the gyroscope's reading, averaged over `over_s`.
    Rotation,
    /// The angle between the accelerometer's mean over the last `over_s` and over the `over_s` before.
    Gravity,
}

impl Movement {
    /// What its sensor measures.
    pub(super) fn measured(self) -> Quantity {
        match self {
            Self::Rotation => Quantity::AngularRate,
            Self::Gravity => Quantity::Acceleration,
        }
    }

    /// Places of the three axes among `channels`, and what a value of each is multiplied by to be in the SI's unit: the first
    /// three channels in a unit of what its sensor measures; nothing where there are fewer.
    pub(super) fn axes(self, channels: &[Channel]) -> Option<[(usize, f64); 3]> {
        let unit = self.measured().base();
        let mut axes = channels
            .iter()
            .enumerate()
            .filter_map(|(place, channel)| Some((place, unit::factor(&channel.unit, unit)?)));
        Some([axes.next()?, axes.next()?, axes.next()?])
    }
}

impl Change {
    /// Checks all values.
    ///
    /// # Errors
    /// Names the first that is out of range.
    pub(super) fn check(&self) -> Result<(), ContextError> {
        let Self { quantity, over_s, above, stay } = *self;
        let (most, needed) = match quantity {
            Movement::Rotation => (f64::INFINITY, "a number of rad/s above 0"),
            Movement::Gravity => (PI, "a number of radians above 0 and below pi"),
        };
        ContextError::first_of([
            ("change.over_s", over_s, over_s > 0.0 && over_s <= LONGEST_S, "above 0 and at most 60 seconds"),
            ("change.above", above, above > 0.0 && above < most, needed),
            ("change.stay", stay, (0.0..=1.0).contains(&stay), "at least 0 and at most 1"),
        ])
    }

    /// What a stream of the raw `channels` lacks for it, in a sentence; nothing where it lacks nothing.
    #[must_use]
    pub fn lacks(&self, channels: &[Channel]) -> Option<String> {
        let (name, sensor) = match self.quantity {
            Movement::Rotation => ("rotation", "angular rate"),
            Movement::Gravity => ("gravity", "acceleration"),
        };
        self.quantity.axes(channels).is_none().then(|| {
            format!("context.change.quantity is {name}, and task.input.channels have no three axes of {sensor} in a known unit")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: Change = Change { quantity: Movement::Rotation, over_s: 0.5, above: 0.4, stay: 0.5 };

    fn channels(units: &[&str]) -> Vec<Channel> {
        let channel = |(place, unit): (usize, &&str)| Channel { name: format!("c{place}"), unit: (*unit).to_owned() };
        units.iter().enumerate().map(channel).collect()
    }

    #[test]
    fn every_value_has_a_range_and_is_named() {
        let gravity = Change { quantity: Movement::Gravity, above: 3.1, ..CHANGE };
        for good in [
            CHANGE,
            gravity,
            Change { stay: 0.0, over_s: 60.0, above: 100.0, ..CHANGE },
            Change { stay: 1.0, ..CHANGE },
        ] {
            assert_eq!(good.check(), Ok(()), "{good:?}");
        }
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        for (wrong, key) in [
            ([0.0, -1.0, 60.1, nan].map(|over_s| Change { over_s, ..CHANGE }), "over_s"),
            ([0.0, -1.0, inf, nan].map(|above| Change { above, ..CHANGE }), "above"),
            ([0.0, PI, 4.0, nan].map(|above| Change { above, ..gravity }), "above"),
            ([-0.1, 1.1, inf, nan].map(|stay| Change { stay, ..CHANGE }), "stay"),
        ] {
            for change in wrong {
                let error = change.check().unwrap_err().to_string();
                assert!(error.starts_with(&format!("context.change.{key} is ")), "{error}");
            }
        }
    }

    #[test]
    fn the_first_three_axes_of_its_kind_are_looked_at() {
        let imu = channels(&["g", "g", "mg", "dps", "rad/s", "rad/s", "rad/s"]);
        let factors = |movement: Movement| movement.axes(&imu).unwrap().map(|(place, factor)| (place, factor as f32));
        let (g, degree) = (9.806_65, std::f32::consts::PI / 180.0);
        assert_eq!(factors(Movement::Gravity), [(0, g), (1, g), (2, g / 1000.0)]);
        assert_eq!(factors(Movement::Rotation), [(3, degree), (4, 1.0), (5, 1.0)]);
        let gravity = Change { quantity: Movement::Gravity, ..CHANGE };
        assert_eq!((CHANGE.lacks(&imu), gravity.lacks(&imu)), (None, None));
        for (change, units) in
            [(CHANGE, ["g", "g", "g"]), (CHANGE, ["rad/s", "rad/s", "counts"]), (gravity, ["1", "g", "g"])]
        {
            assert!(change.lacks(&channels(&units)).unwrap().starts_with("context.change.quantity is "), "{units:?}");
        }
    }
}
