//! The pooled linear layer's tables.

use std::ops::Range;

use super::place::Placed;
use crate::graph::{Classifier, Graph};
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
    /// The buffer of the features.
    pub(super) buffer: usize,
    /// Where the sums of the first windows stand: of each class those of a block.
    pub(super) sums: usize,
    /// Multiply-accumulates of a window.
    pub(super) macs: u64,
}

/// Which windows are computed at once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Share {
    /// All.
    Whole,
    /// So many, whose sums are left as they are.
    First(usize),
    /// The others, from the sums of so many on.
    Last(usize),
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

    /// Where the sums of the first windows stand, of each class those of a block.
    pub(crate) fn sums(&self) -> usize {
        self.sums
    }

    /// The windows of a share.
    pub(super) fn windows(&self, share: Share) -> Range<usize> {
        match share {
            Share::Whole => 0..self.windows.len(),
            Share::First(count) => 0..count,
            Share::Last(before) => before..self.windows.len(),
        }
    }

    /// For each axis of each window of `share` its features, and where their weights begin.
    pub(crate) fn groups(&self, share: Share) -> impl Iterator<Item = (Pooled, usize)> {
        let windows = self.windows(share);
        let weights = self.weights + windows.start * self.axes * self.stride;
        let pooled = self.windows[windows].iter().flat_map(move |&(from, to)| {
            let (first, steps) = (self.features + from as usize * self.step, (to - from) as usize);
            let row = self.row;
            (0..self.axes).map(move |axis| Pooled { first: first + axis * row, steps })
        });
        pooled.enumerate().map(move |(group, pooled)| (pooled, weights + group * self.stride))
    }
}

/// The linear layer over the features in the buffer `features`, whose sums may stand from `sums` on.
pub(super) fn classifier_plan(
    graph: &Graph,
    set: &Set,
    panels: ClassifierPanels,
    (buffers, features): (&[Placed], usize),
    sums: usize,
) -> ClassifierPlan {
    let Classifier { windows, weights, bias, .. } = &graph.classifier;
    let placed = &buffers[features];
    ClassifierPlan {
        features: placed.first(),
        step: placed.step,
        row: placed.row,
        windows: windows.iter().map(|&(from, to)| (from as u32, to as u32)).collect(),
        axes: placed.buffer.shape.axes,
        blocks: placed.buffer.shape.channels.div_ceil(set.lanes),
        weights: panels.start,
        stride: panels.stride,
        bias: bias.clone().into(),
        buffer: features,
        sums,
        macs: (weights.len() / windows.len().max(1)) as u64,
    }
}
