//! What a network's file says of itself, before a manifest says what it is for.

use std::collections::BTreeMap;
use std::fmt;

use super::configuration::Answers;

/// What a network's file says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkFacts {
    /// The inputs that no constant fills, in their order.
    pub inputs: Vec<ValueFacts>,
    /// The outputs, in their order.
    pub outputs: Vec<OutputFacts>,
    /// How often each operator stands in its graph and in the graphs within it.
    pub operators: BTreeMap<String, usize>,
    /// The files beside it that hold weights, as it names them.
    pub weights: Vec<String>,
    /// What its weights and values are reckoned in.
    pub precision: Precision,
}

/// A value of a graph, as the file declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueFacts {
    /// Its name.
    pub name: String,
    /// ONNX's name of its data type, such as `float32`.
    pub data_type: String,
    /// The lengths of its axes, those that are open as `None`; `None` where not even their number is told.
    pub shape: Option<Vec<Option<usize>>>,
}

/// An output, as the file declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputFacts {
    /// The value.
    pub value: ValueFacts,
    /// What the operators at its end make of any numbers, where they make something of them.
    pub holds: Option<Answers>,
}

/// The fewest bits in which a network reckons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits or more.
    #[default]
    Single,
    /// 16 bits.
    Half,
    /// 8 bits or fewer: a quantised network.
    Quantised,
}

impl fmt::Display for ValueFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, data_type, shape } = self;
        write!(f, "{name}: {data_type}")?;
        let Some(shape) = shape else { return write!(f, " of any shape") };
        let length = |axis: &Option<usize>| axis.map_or_else(|| "?".to_owned(), |length| length.to_string());
        write!(f, " [{}]", shape.iter().map(length).collect::<Vec<_>>().join(", "))
    }
}
