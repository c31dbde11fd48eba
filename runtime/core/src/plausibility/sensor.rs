//! Sensors with three axes among the channels of a stream, and what training samples of them were like.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fault, Finding};
use crate::stream::Channel;
use crate::stream::unit::{self, Quantity};

/// Peaks below this, in m/s2 and rad/s, are not cut off: no sensor ends so early (1 g, and 125 degrees per second).
const EARLIEST_END: [f64; 2] = [1.1 * 9.806_65, 2.0];

/// The least cosine of the angle between gravity and that of training: 60 degrees.
const MOUNTED_ALIKE: f64 = 0.5;

/// A sensor whose mean in training is less than this share of gravity was held in every way.
const HELD_ALIKE: f64 = 0.7;

/// What training samples of a sensor were like, in the unit of its channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SensorStatistics {
    /// The sensor's x, y and z among the raw channels.
    pub channels: [String; 3],
    /// Mean of each axis.
    pub mean: [f64; 3],
    /// Standard deviation of each axis.
    #[schemars(inner(range(min = 0)))]
    pub spread: [f64; 3],
    /// Its quietest seconds.
    pub at_rest: AtRest,
    /// Magnitude (root of the mean square) that no more than one second in a thousand exceeds.
    #[schemars(range(min = 0))]
    pub vigorous: f64,
}

/// A sensor at rest: the twentieth of all seconds in which its axes deviate least.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AtRest {
    /// Median of the magnitude: of an accelerometer, gravity.
    #[schemars(range(min = 0))]
    pub magnitude: f64,
    /// Median over those seconds of the mean of the axes' standard deviations.
    #[schemars(range(min = 0))]
    pub noise: f64,
}

/// A sensor with three axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    /// What its channels' names have in common: `acc` of `acc_x`, `acc_y` and `acc_z`.
    pub name: String,
    /// Places of x, y and z among the channels.
    pub channels: [usize; 3],
    /// What it measures.
    pub quantity: Quantity,
    /// The unit of its values.
    pub unit: String,
    /// What it was like in training, where that is known.
    pub statistics: Option<SensorStatistics>,
    /// Values below this are no end of its range.
    pub(super) clips_from: f64,
}

impl SensorStatistics {
    /// What is wrong with these statistics of a stream with `channels`, in a sentence each.
    pub(crate) fn problems(&self, channels: &[Channel], problems: &mut Vec<String>) {
        let name = self.channels.join(", ");
        for missing in self.channels.iter().filter(|name| channels.iter().all(|channel| channel.name != **name)) {
            problems.push(format!("task.input.statistics: {missing} is no raw channel"));
        }
        let AtRest { magnitude, noise } = self.at_rest;
        let positive = self.spread.iter().chain([&magnitude, &noise, &self.vigorous]);
        if !positive.copied().all(|figure| figure.is_finite() && figure >= 0.0) {
            problems.push(format!("task.input.statistics of {name}: a figure is below 0 or no number"));
        }
        if !self.mean.iter().all(|mean| mean.is_finite()) {
            problems.push(format!("task.input.statistics of {name}: a mean is no number"));
        }
    }
}

impl Sensor {
    /// The sensors among `channels`: those whose names differ in their last letter alone, x, y and z, and whose unit is one
    /// of acceleration or angular rate.
    #[must_use]
    pub fn of(channels: &[Channel], statistics: &[SensorStatistics]) -> Vec<Self> {
        let place = |name: &str| channels.iter().position(|channel| channel.name == name);
        let sensor = |first: &Channel| {
            let stem = first.name.strip_suffix(['x', 'X'])?;
            let upper = first.name.ends_with('X');
            let axis =
                |letter: char| place(&format!("{stem}{}", if upper { letter.to_ascii_uppercase() } else { letter }));
            let channels = [axis('x')?, axis('y')?, axis('z')?];
            let quantity = unit::quantity(&first.unit)?;
            let earliest = EARLIEST_END[quantity as usize] * unit::factor(quantity.base(), &first.unit)?;
            let named = |statistics: &&SensorStatistics| statistics.channels[0] == first.name;
            let name = stem.trim_end_matches(['_', ' ', '-', '.']);
            Some(Self {
                name: if name.is_empty() { quantity.sensor() } else { name }.to_owned(),
                channels,
                quantity,
                unit: first.unit.clone(),
                statistics: statistics.iter().find(named).cloned(),
                clips_from: earliest,
            })
        };
        channels.iter().filter_map(sensor).collect()
    }

    /// What a finding says of this sensor, with its likely cause and what to do, in a sentence.
    #[must_use]
    pub fn explain(&self, finding: &Finding) -> String {
        let Self { name, unit, .. } = self;
        let value = Figure(finding.value);
        let usual = self
            .statistics
            .as_ref()
            .map(|statistics| statistics.at_rest)
            .unwrap_or(AtRest { magnitude: 0.0, noise: 0.0 });
        let (rest, noise) = (Figure(usual.magnitude), Figure(usual.noise));
        match finding.fault {
            Fault::Zero => format!("{name} measures 0 on all axes: it is off or not connected, or its scale is 0"),
            Fault::Frozen => format!("{name} gives the same values to the last digit, sample after sample: it hangs"),
            Fault::Counts => format!(
                "{name} measures {value} {unit}, which no sensor does: raw counts of a converter, or another unit? Multiply \
                 them by the sensor's scale, or state their unit (--units {name}=UNIT, `source.units`)"
            ),
            Fault::Unit => match self.likely_unit(finding.value, 4.0) {
                Some(likely) if self.quantity == Quantity::Acceleration => format!(
                    "{name} measures {value} {unit}, where {rest} {unit} are usual: its values look like {likely}; say so with \
                     --units {name}={likely} (`source.units`)"
                ),
                Some(likely) => format!(
                    "{name} measures {value} {unit}, far more than anyone turns: its values look like {likely}; say so with \
                     --units {name}={likely} (`source.units`)"
                ),
                None => format!("{name} measures {value} {unit}, where {rest} {unit} are usual: is its unit {unit}?"),
            },
            Fault::Gravity => format!(
                "{name} has no gravity: its mean is {value} {unit}, where {rest} {unit} are usual; give it the acceleration \
                 with gravity, not the linear one"
            ),
            Fault::Saturated => {
                format!("{name} is cut off at {value} {unit}, the end of its range: set the sensor to a larger one")
            }
            Fault::Stuck => {
                let axis = ["x", "y", "z"][(finding.value as usize).min(2)];
                format!("{name}'s {axis} axis stays the same while the others move: the sensor or its wiring is broken")
            }
            Fault::Rate => format!(
                "{value} samples arrive per second, but without timestamps they are taken for another rate, so that windows span \
                 another time than they should; let the stream have a time (`t`), or state its true rate (--rate {value}, \
                 `source.rate_hz`)"
            ),
            Fault::Noise => format!(
                "{name} has a noise of {value} {unit} at rest, where {noise} {unit} are usual: a loose or broken sensor, another \
                 filter, or another unit"
            ),
        }
    }

    /// What to say where gravity, the mean of this accelerometer, lies along another axis than in training; nothing where it
    /// does not, or lay along every one there.
    #[must_use]
    pub fn mounted_otherwise(&self, mean: [f64; 3]) -> Option<String> {
        let statistics = self.statistics.as_ref().filter(|_| self.quantity == Quantity::Acceleration)?;
        let length = |vector: [f64; 3]| vector.iter().map(|it| it * it).sum::<f64>().sqrt();
        let trained = statistics.mean;
        let along = mean.iter().zip(trained).map(|(one, other)| one * other).sum::<f64>();
        let held_alike = length(trained) >= HELD_ALIKE * statistics.at_rest.magnitude;
        (held_alike && along < MOUNTED_ALIKE * length(mean) * length(trained)).then(|| {
            format!(
                "gravity lies along {}, and in training most often along {}; if the sensor is mounted otherwise, --mount-matrix \
                 (`source.mount_matrix`) says how, such as y,-x,z",
                axis(mean),
                axis(trained)
            )
        })
    }

    /// The unit in which `magnitude`, which is said to be in this sensor's, would be a usual one, or up to `vigour` times
    /// that; where it is too small, the unit in which the values are already.
    pub(super) fn likely_unit(&self, magnitude: f64, vigour: f64) -> Option<&'static str> {
        let statistics = self.statistics.as_ref()?;
        let usual = statistics.at_rest.magnitude;
        let within = |ratio: f64| (vigour.recip()..=vigour).contains(&ratio);
        let converted = |candidate: &str| unit::factor(candidate, &self.unit).map(|factor| magnitude * factor);
        match self.quantity {
            // g that were declared, or taken, to be a smaller unit
            Quantity::Acceleration if magnitude < usual => {
                let declared = ["m/s2", "mg"].into_iter().filter_map(|smaller| unit::factor("g", smaller));
                declared.into_iter().any(|factor| within(magnitude * factor / usual)).then_some("g")
            }
            Quantity::Acceleration => ["m/s2", "mg"]
                .into_iter()
                .find(|candidate| converted(candidate).is_some_and(|magnitude| within(magnitude / usual))),
            Quantity::AngularRate => ["deg/s", "rad/s"].into_iter().find(|candidate| {
                unit::factor(candidate, &self.unit) != Some(1.0)
                    && converted(candidate).is_some_and(|magnitude| magnitude <= vigour * statistics.vigorous)
            }),
        }
    }
}

/// The axis along which a vector points most.
fn axis(vector: [f64; 3]) -> String {
    let longest = (0..3).max_by(|one, other| vector[*one].abs().total_cmp(&vector[*other].abs())).unwrap_or_default();
    format!("{}{}", if vector[longest] < 0.0 { "-" } else { "" }, ["x", "y", "z"][longest])
}

/// A figure with at least three digits.
struct Figure(f64);

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(value) = *self;
        // more digits of large ones, by which people recognise a number of counts
        let decimals = if value == 0.0 { 0.0 } else { (2.0 - value.abs().log10().floor()).clamp(0.0, 9.0) } as usize;
        write!(f, "{value:.decimals$}")
    }
}
