//! The weights of a ladder, packed once for all of its configurations.
//!
//! Those of a convolution lie in panels of so many outputs: `[panel][tap][input][output of the panel]`, so that a width is a
//! prefix of the panels and, of each tap, of the inputs. Those of a linear layer lie as
//! `[window][axis][block of channels][class][channel of the block]`, so that a width is a prefix of the blocks.

use crate::aligned::{Aligned, LINE};
use crate::graph::{Classifier, Conv, Pair, Shape};
use crate::kernels::Set;
use crate::sharing;

/// Where the weights of a convolution lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panels {
    /// The first weight.
    pub(crate) start: usize,
    /// From one panel to the next.
    pub(crate) panel: usize,
    /// From one tap to the next.
    pub(crate) tap: usize,
    /// Outputs of a panel.
    width: usize,
    outputs: usize,
    inputs: usize,
    kernel: Pair,
}

impl Panels {
    fn place(&self, output: usize, input: usize, tap: Pair) -> usize {
        let tap = tap.time * self.kernel.axes + tap.axes;
        self.start + output / self.width * self.panel + tap * self.tap + input * self.width + output % self.width
    }

    fn numbers(&self) -> usize {
        self.outputs.div_ceil(self.width) * self.panel
    }
}

/// Where the weights of a linear layer lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassifierPanels {
    pub(crate) start: usize,
    /// From the blocks of one axis of a window to those of the next.
    pub(crate) stride: usize,
    lanes: usize,
    channels: usize,
    axes: usize,
    windows: usize,
    classes: usize,
}

impl ClassifierPanels {
    fn place(&self, class: usize, window: usize, axis: usize, channel: usize) -> usize {
        let block = channel / self.lanes * self.classes + class;
        self.start + (window * self.axes + axis) * self.stride + block * self.lanes + channel % self.lanes
    }
}

/// The weights of a ladder while its configurations come in, the widest first.
pub(crate) struct Packer {
    set: &'static Set,
    values: Vec<f32>,
    /// For each layer those that are packed.
    convolutions: Vec<Vec<Panels>>,
    classifiers: Vec<ClassifierPanels>,
}

impl Packer {
    pub(crate) fn new(set: &'static Set) -> Self {
        Self { set, values: Vec::new(), convolutions: Vec::new(), classifiers: Vec::new() }
    }

    /// Where the weights of the convolution of the place `layer` lie, and the factor of each output to them: those of a
    /// wider configuration, or else its own.
    pub(crate) fn conv(&mut self, layer: usize, conv: &Conv) -> (Panels, Vec<f32>) {
        if self.convolutions.len() <= layer {
            self.convolutions.resize_with(layer + 1, Vec::new);
        }
        for panels in &self.convolutions[layer] {
            if panels.kernel == conv.kernel && panels.inputs >= conv.inputs && panels.outputs >= conv.outputs() {
                let base = |output, input, tap| self.values[panels.place(output, input, tap)];
                if let Some(factors) = sharing::factors(conv, base) {
                    return (*panels, factors);
                }
            }
        }
        let width = self.set.panel;
        let tap = conv.inputs * width;
        let panels = Panels {
            start: self.room(),
            panel: conv.kernel.time * conv.kernel.axes * tap,
            tap,
            width,
            outputs: conv.outputs(),
            inputs: conv.inputs,
            kernel: conv.kernel,
        };
        self.values.resize(panels.start + panels.numbers(), 0.0);
        for output in 0..conv.outputs() {
            for input in 0..conv.inputs {
                for tap in conv.taps() {
                    self.values[panels.place(output, input, tap)] = conv.weight(output, input, tap);
                }
            }
        }
        self.convolutions[layer].push(panels);
        (panels, vec![1.0; conv.outputs()])
    }

    /// Where the weights of a linear layer for features of `shape` lie: among those of a wider configuration where they are
    /// the same to the bit, or else its own.
    pub(crate) fn classifier(&mut self, classifier: &Classifier, shape: Shape) -> ClassifierPanels {
        let Shape { channels, axes, .. } = shape;
        let (windows, classes, lanes) = (classifier.windows.len(), classifier.bias.len(), self.set.lanes);
        let places = move || {
            let rows = (0..classes).flat_map(move |class| (0..windows).map(move |window| (class, window)));
            let rows = rows.flat_map(move |(class, window)| (0..axes).map(move |axis| (class, window, axis)));
            rows.flat_map(move |(class, window, axis)| (0..channels).map(move |channel| (class, window, axis, channel)))
        };
        let same = |panels: &&ClassifierPanels| {
            let fits = (panels.windows, panels.axes, panels.classes) == (windows, axes, classes);
            let mut pairs = places().zip(&classifier.weights);
            fits && panels.channels >= channels
                && pairs.all(|((class, window, axis, channel), weight)| {
                    self.values[panels.place(class, window, axis, channel)].to_bits() == weight.to_bits()
                })
        };
        if let Some(panels) = self.classifiers.iter().find(same) {
            return *panels;
        }
        let stride = channels.div_ceil(lanes) * classes * lanes;
        let panels = ClassifierPanels { start: self.room(), stride, lanes, channels, axes, windows, classes };
        self.values.resize(panels.start + windows * axes * stride, 0.0);
        for ((class, window, axis, channel), weight) in places().zip(&classifier.weights) {
            self.values[panels.place(class, window, axis, channel)] = *weight;
        }
        self.classifiers.push(panels);
        panels
    }

    /// How many numbers are packed.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn finish(self) -> Aligned {
        Aligned::copy_of(&self.values)
    }

    /// The next place at which a cache line begins.
    fn room(&self) -> usize {
        self.values.len().next_multiple_of(LINE)
    }
}
