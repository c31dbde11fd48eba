//! An inference in two halves: what needs none of a window's last time steps, and the rest.
//!
//! A position of a layer is known where all that it reads is. Those that are not get the sums over their first taps, which
//! are known, in the head, and the rest in the tail. Sums stand where the results will, but where something stands there
//! already that is to be added. Both halves add up in the order of the whole, so that they give the same to the bit.

use std::sync::Arc;

use super::classifier::Share;
use super::conv::ConvStep;
use super::tile::{Part, Run, Tile, cover};
use super::{Impossible, MOST, Plan, Step};
use crate::aligned::LINE;
use crate::kernels::{self, Set};

/// Multiply-accumulates after which it is asked whether to go on.
const PACE: u64 = 100_000;

/// Both halves of a plan.
pub(crate) struct Split {
    pub(super) plan: Arc<Plan>,
    /// Time steps that are known of the window, and of what each step makes.
    known: usize,
    made: Box<[usize]>,
    /// For each step where the sums of first taps stand, from which positions count as they do from its destination.
    pub(super) sums: Box<[usize]>,
    pub(super) head: Half,
    pub(super) tail: Half,
    /// Windows of the classifier whose features are known.
    pub(super) windows: usize,
    /// How many numbers its arena has at least: the plan's, and sums behind it.
    pub(super) arena: usize,
    tail_macs: u64,
}

/// The tiles of one half.
#[derive(Default)]
pub(super) struct Half {
    pub(super) tiles: Box<[Tile]>,
    /// For each step where its tiles end.
    ends: Box<[usize]>,
}

impl Half {
    fn new(tiles: Vec<Tile>, ends: Vec<usize>) -> Self {
        Self { tiles: tiles.into(), ends: ends.into() }
    }

    /// Those of the step of the place `step`.
    pub(super) fn tiles(&self, step: usize) -> &[Tile] {
        let start = if step == 0 { 0 } else { self.ends[step - 1] };
        &self.tiles[start..self.ends[step]]
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.tiles) + size_of_val(&*self.ends)
    }
}

impl Split {
    /// The halves of `plan` where the first `known` time steps of the (resampled) window are there before the others, or
    /// nothing where there is nothing to do for the first.
    ///
    /// # Errors
    /// When it would be too large, or something of it would point beyond its memory, which is a mistake of this crate's.
    pub(crate) fn new(plan: &Arc<Plan>, known: usize) -> Result<Option<Self>, Impossible> {
        let mut buffers = vec![0; plan.steps.len() + 1];
        buffers[0] = known;
        let mut split = Self {
            plan: Arc::clone(plan),
            known,
            made: Box::default(),
            sums: Box::default(),
            head: Half::default(),
            tail: Half::default(),
            windows: 0,
            arena: plan.arena,
            tail_macs: 0,
        };
        let (mut made, mut sums) = (Vec::new(), Vec::new());
        let ([mut head, mut tail], [mut head_ends, mut tail_ends]) = ([vec![], vec![]], [vec![], vec![]]);
        for step in &plan.steps {
            let (destination, steps) = match step {
                Step::Conv(conv) => {
                    let steps = conv.known(plan.set, &buffers);
                    let [first, last] = conv.halves(plan.set, steps, buffers[conv.reach.source]);
                    sums.push(split.sums(conv, steps));
                    let row = conv.scale.len();
                    cover(plan.set, row, &first, conv.reach.one_channel, &mut head);
                    cover(plan.set, row, &last, conv.reach.one_channel, &mut tail);
                    let taps: u64 = last.iter().map(|run| u64::from(run.positions) * u64::from(run.taps.1)).sum();
                    split.tail_macs += taps * (conv.channels * conv.reach.outputs) as u64;
                    (conv.reach.destination, steps)
                }
                Step::Sum(sum) => {
                    sums.push(0);
                    let (left, right, destination) = sum.buffers;
                    (destination, buffers[left].min(right.map_or(sum.time, |right| buffers[right])))
                }
            };
            buffers[destination] = steps;
            made.push(steps);
            head_ends.push(head.len());
            tail_ends.push(tail.len());
        }
        let classifier = &plan.classifier;
        let features = buffers[classifier.buffer];
        split.windows = classifier.windows.iter().take_while(|(_, to)| *to as usize <= features).count();
        split.tail_macs += classifier.macs * (classifier.windows.len() - split.windows) as u64;
        split.made = made.into();
        split.sums = sums.into();
        split.head = Half::new(head, head_ends);
        split.tail = Half::new(tail, tail_ends);
        if split.arena > MOST {
            return Err(Impossible::TooLarge);
        }
        if !split.is_within() {
            return Err(Impossible::OutOfBounds);
        }
        Ok((!split.head.tiles.is_empty()).then_some(split))
    }

    /// Where the sums of `conv` stand, of which so many time steps are known.
    fn sums(&mut self, conv: &ConvStep, known: usize) -> usize {
        let reach = &conv.reach;
        if reach.added != Some(reach.destination) || known == reach.time {
            return conv.destination;
        }
        // as far apart as the results, the first that is not known in the first place
        let start = self.arena;
        self.arena += ((reach.time - known) * reach.to.step).next_multiple_of(LINE);
        start - (reach.to.first + known * reach.to.step)
    }

    /// Numbers of its arena.
    pub(crate) fn arena(&self) -> usize {
        self.arena
    }

    /// Bytes of its tables.
    pub(crate) fn bytes(&self) -> u64 {
        (size_of::<Self>()
            + size_of_val(&*self.made)
            + size_of_val(&*self.sums)
            + self.head.bytes()
            + self.tail.bytes()) as u64
    }

    /// Multiply-accumulates of the tail.
    pub(crate) fn tail_macs(&self) -> u64 {
        self.tail_macs
    }

    /// The head, with `fill` as for [`Plan::run`]. `go_on` is asked every now and then; returns whether it always agreed, and
    /// so the head is done.
    ///
    /// # Panics
    /// When the weights or the arena are shorter than those that the split was made for.
    pub(crate) fn head(
        &self,
        weights: &[f32],
        arena: &mut [f32],
        fill: impl FnMut(usize, usize, &mut [f32]),
        go_on: &mut dyn FnMut() -> bool,
    ) -> bool {
        let plan = &*self.plan;
        plan.check(weights, arena, self.arena, plan.classifier.bias.len());
        plan.fill(arena, 0..self.known, fill);
        // it is asked before anything is computed, and then before what would make too many
        let mut since = PACE;
        let mut goes_on = |macs: u64| {
            since += macs;
            since <= PACE || {
                since = macs;
                go_on()
            }
        };
        for (place, step) in plan.steps.iter().enumerate() {
            match step {
                Step::Conv(step) => {
                    for tile in self.head.tiles(place) {
                        if !goes_on(tile.macs(plan.set, step.channels)) {
                            return false;
                        }
                        kernels::compute(plan.set, step, tile, self.sums[place], weights, arena);
                    }
                }
                Step::Sum(step) => {
                    if !goes_on((step.length * self.made[place]) as u64) {
                        return false;
                    }
                    step.run(arena, 0..self.made[place]);
                }
            }
        }
        if !goes_on(plan.classifier.macs * self.windows as u64) {
            return false;
        }
        kernels::classify(plan.set, &plan.classifier, Share::First(self.windows), weights, arena, &mut []);
        true
    }

    /// The tail, in the arena of a head that is done.
    ///
    /// # Panics
    /// As [`Split::head`].
    pub(crate) fn tail(
        &self,
        weights: &[f32],
        arena: &mut [f32],
        logits: &mut [f32],
        fill: impl FnMut(usize, usize, &mut [f32]),
    ) {
        let plan = &*self.plan;
        plan.check(weights, arena, self.arena, logits.len());
        plan.fill(arena, self.known..plan.input.time, fill);
        for (place, step) in plan.steps.iter().enumerate() {
            match step {
                Step::Conv(step) => {
                    let tiles = self.tail.tiles(place).iter();
                    tiles.for_each(|tile| kernels::compute(plan.set, step, tile, self.sums[place], weights, arena));
                }
                Step::Sum(step) => step.run(arena, self.made[place]..step.time),
            }
        }
        kernels::classify(plan.set, &plan.classifier, Share::Last(self.windows), weights, arena, logits);
    }
}

impl ConvStep {
    /// How many of its time steps are known, where so many of each buffer are.
    fn known(&self, set: &Set, buffers: &[usize]) -> usize {
        let reach = &self.reach;
        let behind = reach.padding + reach.source_time;
        let seen = reach.padding + buffers[reach.source];
        let ready = (0..reach.time).take_while(|time| (time * reach.stride + reach.kernel).min(behind) <= seen).count();
        let ready = ready.min(reach.added.map_or(reach.time, |added| buffers[added]));
        if ready * self.from.len() / reach.time < self.fewest(set) { 0 } else { ready }
    }

    /// The fewest positions that its kernels take at once.
    fn fewest(&self, set: &Set) -> usize {
        let forms =
            set.forms.iter().filter(|form| self.reach.one_channel.is_some() && form.taps == self.reach.one_channel);
        forms.flat_map(|form| form.kernels).map(|kernel| kernel.0).max().unwrap_or_default()
    }

    /// What both halves compute, where so many of its time steps, and so many of the source's, are known.
    fn halves(&self, set: &Set, known: usize, source: usize) -> [Vec<Run>; 2] {
        let reach = &self.reach;
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        for run in &self.runs {
            let (start, end) = (run.first as usize, (run.first + run.positions) as usize);
            let between =
                |first: usize, end: usize| Run { first: first as u32, positions: (end - first) as u32, ..*run };
            let time = |position: usize| (self.to[position] as usize - reach.to.first) / reach.to.step;
            let mut first = (start..end).find(|position| time(*position) >= known).unwrap_or(end);
            if first > start {
                head.push(between(start, first));
            }
            if reach.one_channel.is_some() {
                if first < end {
                    // those that are known already are computed once more where there would be too few
                    tail.push(between(first.min(end - self.fewest(set).min(end - start)), end));
                }
                continue;
            }
            let seen = |position: usize| {
                let (start, count) = run.taps;
                let taps = self.taps[start as usize..][..count as usize].iter();
                let before = time(position) * reach.stride;
                taps.take_while(|tap| before + tap.weight() / reach.weights < reach.padding + source).count() as u32
            };
            while first < end {
                let count = seen(first);
                let next = (first..end).find(|position| seen(*position) != count).unwrap_or(end);
                let same = between(first, next);
                if count == 0 {
                    tail.push(same);
                } else {
                    let (start, all) = run.taps;
                    head.push(Run { taps: (start, count), part: Part::First, ..same });
                    tail.push(Run { taps: (start + count, all - count), part: Part::Last, ..same });
                }
                first = next;
            }
        }
        [head, tail]
    }
}
