//! A convolution's tables: where its positions read and write, and which taps they have.

use std::collections::HashMap;

use super::place::{Placed, Rows};
use super::tile::{Part, Run, Tile, cover};
use crate::graph::{Conv, Pair};
use crate::kernels::{Form, Set};
use crate::pack::Panels;

/// A convolution, its scale and bias for each output, what is added to it, and its rectification.
pub(crate) struct ConvStep {
    pub(super) channels: usize,
    pub(super) taps: Box<[Tap]>,
    /// For each position where it reads, and where it writes from `destination` on.
    pub(super) from: Box<[u32]>,
    pub(super) to: Box<[u32]>,
    pub(super) scale: Box<[f32]>,
    pub(super) bias: Box<[f32]>,
    pub(super) weights: usize,
    pub(super) panel: usize,
    pub(super) width: usize,
    pub(super) destination: usize,
    pub(super) added: Option<usize>,
    pub(super) relu: bool,
    pub(super) tiles: Box<[Tile]>,
    /// All positions by their taps, and in each run by time.
    pub(super) runs: Box<[Run]>,
    pub(super) reach: Reach,
}

/// How a convolution reaches through time.
pub(super) struct Reach {
    /// The buffers that it reads and writes, and the one that is added.
    pub(super) source: usize,
    pub(super) destination: usize,
    pub(super) added: Option<usize>,
    /// Along time.
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
    /// Time steps of the source and of the destination.
    pub(super) source_time: usize,
    pub(super) time: usize,
    /// Where the first position writes, and from one time step to the next.
    pub(super) to: Rows,
    /// From the weights of the taps of one time step to those of the next.
    pub(super) weights: usize,
    /// Output channels, without those that only fill a row.
    pub(super) outputs: usize,
    /// The taps of a single input channel, of which all positions have all.
    pub(super) one_channel: Option<usize>,
}

/// A tap of a convolution: what it adds to where a position reads, and where its weights are in a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub(crate) struct Tap {
    pub(super) input: u32,
    pub(super) weight: u32,
}

impl Tap {
    /// A tap whose inputs and weights stand so far behind a position's and a panel's first.
    #[cfg(test)]
    pub(crate) fn new(input: usize, weight: usize) -> Self {
        Self { input: input as u32, weight: weight as u32 }
    }

    pub(crate) fn input(&self) -> usize {
        self.input as usize
    }

    pub(crate) fn weight(&self) -> usize {
        self.weight as usize
    }
}

impl ConvStep {
    /// Input channels.
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// Where the positions of `tile` read.
    pub(crate) fn from(&self, tile: &Tile) -> &[u32] {
        &self.from[tile.position as usize..][..tile.positions()]
    }

    /// Where they write, from the destination on.
    pub(crate) fn to(&self, tile: &Tile) -> &[u32] {
        &self.to[tile.position as usize..][..tile.positions()]
    }

    pub(crate) fn taps(&self, tile: &Tile) -> &[Tap] {
        &self.taps[tile.taps.0 as usize..][..tile.taps.1 as usize]
    }

    /// Where the weights of the first outputs of `tile` begin.
    pub(crate) fn weights_of(&self, tile: &Tile) -> usize {
        // the width is a power of two, and 32-bit ARM may have no division
        let panels = tile.output() >> self.width.trailing_zeros();
        self.weights + panels * self.panel + (tile.output() & (self.width - 1))
    }

    /// From one panel of weights to the next.
    pub(crate) fn panel(&self) -> usize {
        self.panel
    }

    /// For each channel of a row.
    pub(crate) fn scale(&self) -> &[f32] {
        &self.scale
    }

    /// For each channel of a row.
    pub(crate) fn bias(&self) -> &[f32] {
        &self.bias
    }

    pub(crate) fn destination(&self) -> usize {
        self.destination
    }

    /// What stands in the place of the destination for what is added.
    pub(crate) fn added(&self) -> Option<usize> {
        self.added
    }

    pub(crate) fn relu(&self) -> bool {
        self.relu
    }
}

/// What a convolution reads and writes.
pub(super) struct Ends<'a> {
    pub(super) buffers: &'a [Placed],
    pub(super) source: usize,
    pub(super) destination: usize,
    pub(super) added: Option<usize>,
}

/// Positions with the same taps.
struct Group {
    positions: Vec<Pair>,
    taps: (u32, u32),
}

pub(super) fn conv_step(
    set: &Set,
    conv: &Conv,
    panels: Panels,
    scale: &[f32],
    ends: &Ends<'_>,
    relu: bool,
) -> ConvStep {
    let [source, destination] = [ends.source, ends.destination].map(|buffer| &ends.buffers[buffer]);
    let added = ends.added.map(|added| &ends.buffers[added]);
    let Pair { time: times, axes } = Pair { time: destination.buffer.shape.time, axes: destination.buffer.shape.axes };
    let positions: Vec<Pair> = (0..times).flat_map(|time| (0..axes).map(move |axes| Pair { time, axes })).collect();
    // from the first zero of the source to the first one that this convolution reads
    let (before, padding) = (source.buffer.padding, conv.padding);
    let (late, deep) = (before.time - padding.time, before.axes - padding.axes);
    let from = |it: &Pair| source.at(it.time * conv.stride.time + late, it.axes * conv.stride.axes + deep) as u32;
    // in whatever buffer of this form
    let first = destination.first() - destination.start;
    let to = |it: &Pair| (first + it.time * destination.step + it.axes * destination.row) as u32;
    let count = conv.kernel.time * conv.kernel.axes;
    let passes = |form: &&Form| form.taps == Some(count) && form.kernels.iter().all(|it| it.0 <= positions.len());
    let whole = conv.inputs == 1 && added.is_none() && set.forms.iter().any(|form| passes(&form));
    let meets = |it: &Pair, tap: Pair| {
        let inside = |place: usize, padding: usize, length: usize| (padding..padding + length).contains(&place);
        let shape = source.buffer.shape;
        inside(it.time * conv.stride.time + tap.time, padding.time, shape.time)
            && inside(it.axes * conv.stride.axes + tap.axes, padding.axes, shape.axes)
    };
    // positions that read the same taps stand together; taps that meet nothing but padding are left out
    let (mut taps, mut groups) = (Vec::new(), Vec::<Group>::new());
    let mut known = HashMap::new();
    for position in &positions {
        let read: Vec<Tap> = conv
            .taps()
            .enumerate()
            .filter(|(_, tap)| whole || meets(position, *tap))
            .map(|(place, tap)| Tap {
                input: (tap.time * source.step + tap.axes * source.row) as u32,
                weight: (place * panels.tap) as u32,
            })
            .collect();
        let group = *known.entry(read).or_insert_with_key(|read| {
            groups.push(Group { positions: Vec::new(), taps: (taps.len() as u32, read.len() as u32) });
            taps.extend(read);
            groups.len() - 1
        });
        groups[group].positions.push(*position);
    }
    let ordered = || groups.iter().flat_map(|group| &group.positions);
    let padded = |values: &[f32]| {
        let mut values = values.to_vec();
        // the surplus channels of a row are zeros
        values.resize(destination.row, 0.0);
        values.into_boxed_slice()
    };
    let mut runs = Vec::with_capacity(groups.len());
    for Group { positions, taps } in &groups {
        let first = runs.last().map_or(0, |run: &Run| run.first + run.positions);
        runs.push(Run { first, positions: positions.len() as u32, taps: *taps, part: Part::Whole });
    }
    let one_channel = whole.then_some(count);
    let mut tiles = Vec::new();
    cover(set, destination.row, &runs, one_channel, &mut tiles);
    ConvStep {
        channels: conv.inputs,
        tiles: tiles.into(),
        runs: runs.into(),
        reach: Reach {
            source: ends.source,
            destination: ends.destination,
            added: ends.added,
            kernel: conv.kernel.time,
            stride: conv.stride.time,
            padding: padding.time,
            source_time: source.buffer.shape.time,
            time: times,
            to: Rows { first, step: destination.step },
            weights: conv.kernel.axes * panels.tap,
            outputs: conv.outputs(),
            one_channel,
        },
        taps: taps.into(),
        from: ordered().map(from).collect(),
        to: ordered().map(to).collect(),
        scale: padded(scale),
        bias: padded(&conv.bias),
        weights: panels.start,
        panel: panels.panel,
        width: set.panel,
        destination: destination.start,
        added: added.map(|added| added.start),
        relu,
    }
}
