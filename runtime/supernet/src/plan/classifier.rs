//! The pooled linear layer's tables.

use super::place::Placed;
use crate::graph::Graph;
use crate::kernels::Set;
use crate::pack::ClassifierPanels;

/// The pooled linear layer.
pub(crate) struct ClassifierPlan {
    /// Where the features of the first time step begin.
    pub(super) features: usize,
    pub(super) step: usize,
    pub(super) row: usize,
    pub(super) windows: Box<[(u32, u32)]>,
    pub(super) axes: usize,
    pub(super) blocks: usize,
    pub(super) weights: usize,
    /// From the weights of one axis of a window to the next.
    pub(super) stride: usize,
    pub(super) bias: Box<[f32]>,
}

/// Features over which the largest is taken.
pub(crate) struct Pooled {
    /// Those of the first step.
    pub(crate) first: usize,
    pub(crate) steps: usize,
}

impl ClassifierPlan {
    pub(crate) fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Blocks of channels.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks
    }

    /// From the features of one time step to those of the next.
    pub(crate) fn step(&self) -> usize {
        self.step
    }

    /// For each axis of each window its features, and where their weights begin.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (Pooled, usize)> {
        let pooled = self.windows.iter().flat_map(move |&(from, to)| {
            let (first, steps) = (self.features + from as usize * self.step, (to - from) as usize);
            let row = self.row;
            (0..self.axes).map(move |axis| Pooled { first: first + axis * row, steps })
        });
        pooled.enumerate().map(move |(group, pooled)| (pooled, self.weights + group * self.stride))
    }
}

pub(super) fn classifier_plan(graph: &Graph, set: &Set, panels: ClassifierPanels, features: &Placed) -> ClassifierPlan {
    ClassifierPlan {
        features: features.first(),
        step: features.step,
        row: features.row,
        windows: graph.classifier.windows.iter().map(|&(from, to)| (from as u32, to as u32)).collect(),
        axes: features.buffer.shape.axes,
        blocks: features.buffer.shape.channels.div_ceil(set.lanes),
        weights: panels.start,
        stride: panels.stride,
        bias: graph.classifier.bias.clone().into(),
    }
}
