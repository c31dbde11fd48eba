//! What one configuration does for an inference: tables of places in the arena and among the weights, made and proven once.
//!
//! The fields are private to this module, and [`Plan::new`] gives none whose tables point beyond the arena and the weights
//! that it asks for; kernels without bounds checks rely on that.

mod classifier;
mod conv;
mod place;
mod proof;
mod split;
mod sum;
mod tile;

use std::ops::Range;

use classifier::classifier_plan;
pub(crate) use classifier::{ClassifierPlan, Share};
pub(crate) use conv::{ConvStep, Tap};
use conv::{Ends, conv_step};
use place::place;
pub(crate) use split::Split;
use sum::SumStep;
pub(crate) use tile::{Part, Tile};

use crate::aligned::LINE;
use crate::graph::{Graph, Operation};
use crate::kernels::{self, Set};
use crate::pack::Packer;
use crate::schedule::{Schedule, Step as Scheduled};

/// The most numbers of an arena, or of a ladder's weights: a gigabyte.
const MOST: usize = 1 << 28;

/// A network that would take more than any device of gaitd's has, or a plan of which something points beyond its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Impossible {
    TooLarge,
    OutOfBounds,
}

/// What one configuration does.
pub(crate) struct Plan {
    set: &'static Set,
    input: Input,
    steps: Box<[Step]>,
    classifier: ClassifierPlan,
    /// The zeros around features, from a place to before another.
    padding: Box<[(u32, u32)]>,
    /// How many numbers its arena and the weights have at least.
    arena: usize,
    weights: usize,
}

/// Where the window goes: the rows of its channels.
struct Input {
    first: usize,
    row: usize,
    channels: usize,
    time: usize,
}

enum Step {
    Conv(ConvStep),
    Sum(SumStep),
}

impl Plan {
    /// A plan for `graph` on `set`, whose weights are packed by `packer`.
    ///
    /// # Errors
    /// When it would be too large, or something of it would point beyond its memory, which is a mistake of this crate's.
    pub(crate) fn new(graph: &Graph, set: &'static Set, packer: &mut Packer) -> Result<Self, Impossible> {
        let schedule = Schedule::new(graph);
        let (buffers, end) = place(&schedule.buffers, set)?;
        let mut steps = Vec::with_capacity(schedule.steps.len());
        for step in &schedule.steps {
            steps.push(match *step {
                Scheduled::Conv { value, source, destination, added, relu } => {
                    let Operation::Conv(conv) = &graph.values[value].operation else {
                        return Err(Impossible::OutOfBounds);
                    };
                    let (panels, scale) = packer.conv(value, conv);
                    let ends = Ends { buffers: &buffers, source, destination, added };
                    Step::Conv(conv_step(set, conv, panels, &scale, &ends, relu))
                }
                Scheduled::Sum { left, right, destination, relu } => {
                    let to = &buffers[destination];
                    let shape = to.buffer.shape;
                    Step::Sum(SumStep {
                        left: buffers[left].rows(),
                        right: right.map(|right| buffers[right].rows()),
                        destination: to.rows(),
                        buffers: (left, right, destination),
                        relu,
                        time: shape.time,
                        length: shape.axes * to.row,
                    })
                }
            });
        }
        let features = schedule.features;
        let panels = packer.classifier(&graph.classifier, buffers[features].buffer.shape);
        let classifier = classifier_plan(graph, set, panels, (&buffers, features), end);
        let arena = end + (classifier.bias.len() * set.lanes).next_multiple_of(LINE);
        if packer.len() > MOST {
            return Err(Impossible::TooLarge);
        }
        let mut padding = Vec::new();
        buffers.iter().for_each(|buffer| buffer.padding(&mut padding));
        let window = &buffers[0];
        let plan = Self {
            set,
            input: Input {
                first: window.first(),
                row: window.row,
                channels: window.buffer.shape.axes,
                time: window.buffer.shape.time,
            },
            steps: steps.into(),
            classifier,
            padding: padding.into(),
            arena,
            weights: packer.len(),
        };
        if plan.is_within() { Ok(plan) } else { Err(Impossible::OutOfBounds) }
    }

    /// Numbers of its arena.
    pub(crate) fn arena(&self) -> usize {
        self.arena
    }

    /// Bytes of its tables.
    pub(crate) fn bytes(&self) -> u64 {
        let step = |step: &Step| {
            let own = match step {
                Step::Conv(step) => {
                    size_of_val(&*step.taps)
                        + size_of_val(&*step.from)
                        + size_of_val(&*step.to)
                        + size_of_val(&*step.scale)
                        + size_of_val(&*step.bias)
                        + size_of_val(&*step.tiles)
                        + size_of_val(&*step.runs)
                }
                Step::Sum(_) => 0,
            };
            own + size_of::<Step>()
        };
        let classifier = size_of_val(&*self.classifier.windows) + size_of_val(&*self.classifier.bias);
        (self.steps.iter().map(step).sum::<usize>() + classifier + size_of_val(&*self.padding) + size_of::<Self>())
            as u64
    }

    /// Numbers among the weights that its steps read.
    pub(crate) fn weights_read(&self) -> u64 {
        let convolutions = self.steps.iter().map(|step| match step {
            Step::Conv(step) => {
                let taps = step.tiles.iter().map(|tile| tile.taps.1).max().unwrap_or_default();
                step.scale.len() * step.channels * taps as usize
            }
            Step::Sum(_) => 0,
        });
        let classifier = &self.classifier;
        let row = classifier.blocks * self.set.lanes * classifier.bias.len();
        (convolutions.sum::<usize>() + classifier.windows.len() * classifier.axes * row) as u64
    }

    /// The forms of its tiles, in the order in which they first run.
    pub(crate) fn forms(&self) -> Vec<usize> {
        let mut forms = Vec::new();
        for step in &self.steps {
            if let Step::Conv(step) = step {
                for form in step.tiles.iter().map(Tile::form) {
                    if !forms.contains(&form) {
                        forms.push(form);
                    }
                }
            }
        }
        forms
    }

    /// The most positions of its tiles of the form `form`.
    pub(crate) fn most_positions(&self, form: usize) -> usize {
        let sizes = self.steps.iter().flat_map(|step| match step {
            Step::Conv(step) => &*step.tiles,
            Step::Sum(_) => &[],
        });
        sizes.filter(|tile| tile.form() == form).map(Tile::positions).max().unwrap_or_default()
    }

    /// Makes `arena` ready for this plan after another's.
    pub(crate) fn enter(&self, arena: &mut [f32]) {
        for &(from, to) in &self.padding {
            arena[from as usize..to as usize].fill(0.0);
        }
    }

    /// One inference: `fill` gets each channel's place, and the row that it has to fill with its time steps, from the one
    /// that is named on. The arena must be ready for this plan ([`Plan::enter`]).
    ///
    /// # Panics
    /// When the weights or the arena are shorter than those that the plan was made for.
    pub(crate) fn run(
        &self,
        weights: &[f32],
        arena: &mut [f32],
        logits: &mut [f32],
        fill: impl FnMut(usize, usize, &mut [f32]),
    ) {
        self.check(weights, arena, self.arena, logits.len());
        self.fill(arena, 0..self.input.time, fill);
        for step in &self.steps {
            match step {
                Step::Conv(step) => {
                    step.tiles.iter().for_each(|tile| kernels::compute(self.set, step, tile, 0, weights, arena));
                }
                Step::Sum(step) => step.run(arena, 0..step.time),
            }
        }
        kernels::classify(self.set, &self.classifier, Share::Whole, weights, arena, logits);
    }

    /// Panics where the weights are fewer than the plan was made for, the arena has fewer than `least` numbers, or there are
    /// other labels.
    fn check(&self, weights: &[f32], arena: &[f32], least: usize, labels: usize) {
        assert!(
            weights.len() >= self.weights && arena.len() >= least && labels == self.classifier.bias.len(),
            "the plan was made for other weights, another arena or other labels"
        );
    }

    /// Has `fill` fill the time steps `times` of each channel.
    fn fill(&self, arena: &mut [f32], times: Range<usize>, mut fill: impl FnMut(usize, usize, &mut [f32])) {
        for channel in 0..self.input.channels {
            let first = self.input.first + channel * self.input.row;
            fill(channel, times.start, &mut arena[first + times.start..first + times.end]);
        }
    }
}

#[cfg(test)]
mod tests;
