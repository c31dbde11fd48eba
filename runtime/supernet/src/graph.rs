//! One network, as far as this engine knows networks: convolutions over axes and time, rectifications and sums of them, and
//! at the end a pool over time with a linear layer.

/// A length along time and one along the axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) time: usize,
    pub(crate) axes: usize,
}

/// The lengths of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) channels: usize,
    pub(crate) time: usize,
    pub(crate) axes: usize,
}

impl Shape {
    /// Positions along time and axes.
    pub(crate) fn positions(self) -> usize {
        self.time * self.axes
    }
}

/// A network.
#[derive(Debug)]
pub(crate) struct Graph {
    /// What is computed, each after what it needs; the first is the window, of one channel.
    pub(crate) values: Vec<Value>,
    pub(crate) classifier: Classifier,
}

/// What one operation makes.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) shape: Shape,
    pub(crate) operation: Operation,
}

/// An operation; values are named by their places.
#[derive(Debug)]
pub(crate) enum Operation {
    Window,
    Conv(Conv),
    Relu(usize),
    Sum(usize, usize),
}

/// A convolution.
#[derive(Debug)]
pub(crate) struct Conv {
    pub(crate) source: usize,
    pub(crate) inputs: usize,
    pub(crate) kernel: Pair,
    pub(crate) stride: Pair,
    /// Zeros before the first and behind the last position.
    pub(crate) padding: Pair,
    /// `[outputs, inputs, axes, time]`
    pub(crate) weights: Vec<f32>,
    /// One for each output.
    pub(crate) bias: Vec<f32>,
}

impl Conv {
    /// Output channels.
    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The weight of one output channel for one input channel at one tap.
    pub(crate) fn weight(&self, output: usize, input: usize, tap: Pair) -> f32 {
        let Pair { time, axes } = self.kernel;
        self.weights[((output * self.inputs + input) * axes + tap.axes) * time + tap.time]
    }

    /// All taps, in the order in which weights are packed.
    pub(crate) fn taps(&self) -> impl Iterator<Item = Pair> + use<> {
        let Pair { time, axes } = self.kernel;
        (0..time).flat_map(move |time| (0..axes).map(move |axes| Pair { time, axes }))
    }
}

/// The largest of each window of time steps, and a linear layer.
#[derive(Debug)]
pub(crate) struct Classifier {
    pub(crate) source: usize,
    /// From a step to before another, in the order in which they end.
    pub(crate) windows: Vec<(usize, usize)>,
    /// `[class, window, axis, channel]`
    pub(crate) weights: Vec<f32>,
    /// One for each class.
    pub(crate) bias: Vec<f32>,
}

impl Graph {
    pub(crate) fn convolutions(&self) -> impl Iterator<Item = (&Conv, Shape)> {
        self.values.iter().filter_map(|value| match &value.operation {
            Operation::Conv(conv) => Some((conv, value.shape)),
            _ => None,
        })
    }

    /// Multiply-accumulates of one inference, padding included.
    pub(crate) fn macs(&self) -> u64 {
        let convolutions = self.convolutions();
        let convolutions = convolutions.map(|(conv, shape)| conv.weights.len() as u64 * shape.positions() as u64);
        convolutions.sum::<u64>() + self.classifier.weights.len() as u64
    }

    /// Numbers that were learned.
    pub(crate) fn parameters(&self) -> u64 {
        let convolutions = self.convolutions().map(|(conv, _)| conv.weights.len() + conv.bias.len());
        (convolutions.sum::<usize>() + self.classifier.weights.len() + self.classifier.bias.len()) as u64
    }
}
