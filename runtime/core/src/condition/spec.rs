//! The operations as a manifest lists them, and what can be wrong with the list.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stream::unit;

/// One operation on named channels, as an entry of a manifest's `task.input.conditioning`.
///
/// Operations are carried out in the listed order. `from` names the inputs and `to` the outputs, one for each input;
/// without `to` an operation works in place. A name that is new to the list becomes a channel; one that exists gets
/// new values. Channels that meet in an operation or at the output and differ in delay are brought to the longest.
/// All arithmetic is in float64. In the formulas x is a value of an input and y what becomes of it.
///
/// `median`, `sos`, `copy` and `subtract` belong to schema 1, the others to schema 3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
#[schemars(rename = "Operation")]
pub enum OpSpec {
    /// Median of `length` samples around each sample, as `scipy.signal.medfilt` computes it: before the first sample
    /// there are zeros. Delays by (length - 1) / 2 samples, for which it waits.
    Median {
        /// Inputs.
        from: Vec<String>,
        /// Outputs; the inputs themselves where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Vec<String>>,
        /// Odd number of samples.
        #[schemars(range(min = 1, max = MEDIAN_LONGEST))]
        length: usize,
    },
    /// A causal filter as a cascade of second-order sections, as `scipy.signal.sosfilt` computes it.
    Sos {
        /// Inputs.
        from: Vec<String>,
        /// Outputs; the inputs themselves where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Vec<String>>,
        /// Coefficients `[b0, b1, b2, a0, a1, a2]` of each section.
        sections: Vec<[f64; 6]>,
        /// What the filter's memory holds before the first sample.
        #[serde(default)]
        start: Start,
    },
    /// The same values under another name.
    Copy {
        /// Inputs.
        from: Vec<String>,
        /// Outputs.
        to: Vec<String>,
    },
    /// `from` - `minus`.
    Subtract {
        /// What is subtracted from.
        from: Vec<String>,
        /// What is subtracted.
        minus: Vec<String>,
        /// Outputs; `from` where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Vec<String>>,
    },
    /// y = (x - mean) / std, for each channel by itself. The outputs have no unit: theirs is `1`.
    Standardise {
        /// Inputs.
        from: Vec<String>,
        /// Outputs; the inputs themselves where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Vec<String>>,
        /// Mean of each input over the training samples, in its unit.
        mean: Vec<f64>,
        /// Standard deviation of each input over the training samples, in its unit; above 0.
        #[schemars(extend("items" = {"type": "number", "format": "double", "exclusiveMinimum": 0}))]
        std: Vec<f64>,
    },
    /// y = x * factor + offset.
    Scale {
        /// Inputs.
        from: Vec<String>,
        /// Outputs; the inputs themselves where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Vec<String>>,
        /// What each value is multiplied by.
        factor: f64,
        /// What is added thereafter, in the unit of the outputs.
        #[serde(default)]
        offset: f64,
        /// Unit of the outputs (`1` for none); that of the inputs where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
    },
    /// y = x * (what one of the input's unit is in `unit`): acceleration in g, mg or m/s2 (1 g is 9.80665 m/s2),
    /// angular rate in rad/s, mrad/s, deg/s (dps) or mdps.
    Convert {
        /// Inputs; each may have a unit of its own.
        from: Vec<String>,
        /// Outputs; the inputs themselves where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Vec<String>>,
        /// Unit of the outputs.
        unit: String,
    },
    /// y = min(max(x, low), high). At least one of the two is needed, and `low` must be below `high`.
    Clip {
        /// Inputs.
        from: Vec<String>,
        /// Outputs; the inputs themselves where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Vec<String>>,
        /// The least value; none where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        low: Option<f64>,
        /// The greatest value; none where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        high: Option<f64>,
    },
    /// y = sqrt(x1^2 + x2^2 + ...), one output of all inputs.
    Magnitude {
        /// Inputs, two or more of one unit.
        #[schemars(length(min = 2), extend("uniqueItems" = true))]
        from: Vec<String>,
        /// The output.
        to: String,
    },
    /// y = x - (x one sample before); 0 for the first sample after a start or a gap.
    Difference {
        /// Inputs.
        from: Vec<String>,
        /// Outputs; the inputs themselves where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Vec<String>>,
    },
}

impl OpSpec {
    /// The operation's name in a manifest.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Median { .. } => "median",
            Self::Sos { .. } => "sos",
            Self::Copy { .. } => "copy",
            Self::Subtract { .. } => "subtract",
            Self::Standardise { .. } => "standardise",
            Self::Scale { .. } => "scale",
            Self::Convert { .. } => "convert",
            Self::Clip { .. } => "clip",
            Self::Magnitude { .. } => "magnitude",
            Self::Difference { .. } => "difference",
        }
    }

    /// The first schema of manifests that has the operation.
    #[must_use]
    pub fn schema(&self) -> u32 {
        match self {
            Self::Median { .. } | Self::Sos { .. } | Self::Copy { .. } | Self::Subtract { .. } => 1,
            Self::Standardise { .. }
            | Self::Scale { .. }
            | Self::Convert { .. }
            | Self::Clip { .. }
            | Self::Magnitude { .. }
            | Self::Difference { .. } => 3,
        }
    }
}

/// What a filter takes to have been before the first sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// Zeros.
    #[default]
    Zero,
    /// The first sample, held for ever (`scipy.signal.sosfilt_zi` times the first sample).
    Steady,
}

/// Why a list of operations cannot be carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConditionError {
    /// One of the operations is wrong.
    #[error("conditioning[{index}] ({op}): {fault}")]
    Op {
        /// Place of the operation in the list, from 0.
        index: usize,
        /// Name of the operation.
        op: &'static str,
        /// What is wrong.
        fault: Fault,
    },
    /// The operations do not yield what the network needs.
    #[error("conditioning, output: {0}")]
    Output(Fault),
    /// The raw channels are wrong.
    #[error("conditioning, input: {0}")]
    Input(Fault),
}

/// What is wrong with an operation, or with what goes in or comes out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// A channel is used that nothing has produced.
    #[error("there is no channel `{channel}` at this point, only {known}")]
    UnknownChannel {
        /// The name.
        channel: String,
        /// The channels that there are.
        known: String,
    },
    /// Two lists that belong together differ in length.
    #[error("`{list}` names {found} channels, but `from` names {expected}; one is needed for each")]
    Count {
        /// `to` or `minus`.
        list: &'static str,
        /// Its length.
        found: usize,
        /// Length of `from`.
        expected: usize,
    },
    /// An operation names no channel at all.
    #[error("`from` is empty; name at least one channel")]
    Empty,
    /// A channel is produced twice, or by the raw stream twice.
    #[error("channel `{0}` is named twice")]
    Twice(String),
    /// An output replaces a channel that another output of the same operation is computed from.
    #[error("`{0}` is both an output and the input of another output; use a new name")]
    Overlap(String),
    /// The median's length.
    #[error("length is {0}, but must be odd, from 1 to {max}", max = MEDIAN_LONGEST)]
    MedianLength(usize),
    /// A filter without sections.
    #[error("`sections` is empty")]
    NoSections,
    /// A coefficient is not a number that a filter can use.
    #[error("section {section} holds {value}, which is no usable coefficient")]
    Coefficient {
        /// Place of the section, from 0.
        section: usize,
        /// The number.
        value: f64,
    },
    /// a0 is zero.
    #[error("section {0} has a0 = 0")]
    NoLeadingCoefficient(usize),
    /// A section's output would grow for ever.
    #[error("section {0} is unstable: it has a pole on or outside the unit circle")]
    Unstable(usize),
    /// A list of numbers does not have one for each channel.
    #[error("`{list}` holds {found} numbers, but `from` names {expected} channels; one is needed for each")]
    Numbers {
        /// `mean` or `std`.
        list: &'static str,
        /// Its length.
        found: usize,
        /// Length of `from`.
        expected: usize,
    },
    /// A number is none that can be computed with.
    #[error("`{key}` is {value}, but must be {needed}")]
    Number {
        /// The key, with the place in the list where it is one: `std[2]`.
        key: String,
        /// The number.
        value: f64,
        /// What it must be.
        needed: &'static str,
    },
    /// A clip without limits.
    #[error("neither `low` nor `high` is there; name at least one")]
    NoLimit,
    /// The limits of a clip leave nothing between them.
    #[error("`low` is {low}, but must be below `high`, which is {high}")]
    Limits {
        /// The least value.
        low: f64,
        /// The greatest value.
        high: f64,
    },
    /// There is no conversion from one unit to another.
    #[error(
        "channel `{channel}` is in {}, which cannot be converted to {}; units that can are {known}",
        shown(found),
        shown(expected),
        known = unit::KNOWN
    )]
    Conversion {
        /// The name.
        channel: String,
        /// Its unit.
        found: String,
        /// The unit that it should be converted to.
        expected: String,
    },
    /// A magnitude of fewer than two channels.
    #[error("`from` names one channel only; a magnitude needs at least two")]
    Alone,
    /// What is to be computed may leave the range of float64.
    #[error(
        "channel `{channel}` could reach {peak:.0e}, which cannot be computed with; its operations amplify too much"
    )]
    Peak {
        /// The name.
        channel: String,
        /// The largest magnitude that its values could have.
        peak: f64,
    },
    /// Values in different units meet, or a channel comes out in another unit than is needed.
    #[error("channel `{channel}` is in {}, but {} is needed", shown(found), shown(expected))]
    Unit {
        /// The name.
        channel: String,
        /// Its unit.
        found: String,
        /// The unit that is needed.
        expected: String,
    },
}

/// A unit as messages name it.
fn shown(name: &str) -> String {
    if name == unit::NONE { format!("{name} (no unit)") } else { name.to_owned() }
}

/// Longest median that is accepted, in samples; a longer one is a mistake rather than a wish.
pub(super) const MEDIAN_LONGEST: usize = 1001;
