//! What one configuration does for an inference: tables of places in the arena and among the weights, made and proven once.
//!
//! The fields are private, and [`Plan::new`] gives none whose tables point beyond the arena and the weights that it asks
//! for; kernels without bounds checks rely on that.

use std::collections::HashMap;

use crate::aligned::LINE;
use crate::graph::{Conv, Graph, Operation, Pair};
use crate::kernels::{self, Form, Set};
use crate::pack::{ClassifierPanels, Packer, Panels};
use crate::schedule::{Buffer, Schedule, Step as Scheduled};

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

/// A convolution, its scale and bias for each output, what is added to it, and its rectification.
pub(crate) struct ConvStep {
    channels: usize,
    taps: Box<[Tap]>,
    /// For each position where it reads, and where it writes from `destination` on.
    from: Box<[u32]>,
    to: Box<[u32]>,
    scale: Box<[f32]>,
    bias: Box<[f32]>,
    weights: usize,
    panel: usize,
    width: usize,
    destination: usize,
    added: Option<usize>,
    relu: bool,
    tiles: Box<[Tile]>,
}

/// A tap of a convolution: what it adds to where a position reads, and where its weights are in a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub(crate) struct Tap {
    input: u32,
    weight: u32,
}

/// Some outputs by some positions with the same taps.
pub(crate) struct Tile {
    form: u8,
    size: u8,
    output: u32,
    position: u32,
    positions: u32,
    taps: (u32, u32),
}

/// Features that are added up, or rectified alone.
struct SumStep {
    left: Rows,
    right: Option<Rows>,
    destination: Rows,
    relu: bool,
    time: usize,
    /// Numbers of all axes of a time step, which lie together.
    length: usize,
}

/// Where the rows of a buffer begin.
#[derive(Clone, Copy)]
struct Rows {
    first: usize,
    /// From one time step to the next.
    step: usize,
}

/// The pooled linear layer.
pub(crate) struct ClassifierPlan {
    /// Where the features of the first time step begin.
    features: usize,
    step: usize,
    row: usize,
    windows: Box<[(u32, u32)]>,
    axes: usize,
    blocks: usize,
    weights: usize,
    /// From the weights of one axis of a window to the next.
    stride: usize,
    bias: Box<[f32]>,
}

/// Features over which the largest is taken.
pub(crate) struct Pooled {
    /// Those of the first step.
    pub(crate) first: usize,
    pub(crate) steps: usize,
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

impl Tile {
    pub(crate) fn form(&self) -> usize {
        self.form.into()
    }

    pub(crate) fn size(&self) -> usize {
        self.size.into()
    }

    /// The first output channel.
    pub(crate) fn output(&self) -> usize {
        self.output as usize
    }

    pub(crate) fn positions(&self) -> usize {
        self.positions as usize
    }
}

impl ConvStep {
    pub(crate) fn tiles(&self) -> &[Tile] {
        &self.tiles
    }

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
        self.weights + tile.output() / self.width * self.panel + tile.output() % self.width
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

    /// Whether all that its tiles read and write lies in an arena of `arena` numbers, among `weights` weights and in its own
    /// tables.
    fn is_within(&self, set: &Set, arena: usize, weights: usize) -> bool {
        let (arena, weights) = (arena as u64, weights as u64);
        let most = |values: &[u32]| values.iter().copied().max().unwrap_or_default() as usize;
        let rows = [Some(self.destination), self.added].into_iter().flatten().max().unwrap_or_default();
        self.channels > 0
            && self.tiles.iter().all(|tile| {
                let Some(form) = set.forms.get(tile.form()) else { return false };
                let Some(&(size, _)) = form.kernels.get(tile.size()) else { return false };
                let fits = |length: usize, from: u32, count: u32| from as usize + count as usize <= length;
                if !fits(self.from.len(), tile.position, tile.positions)
                    || !fits(self.to.len(), tile.position, tile.positions)
                    || !fits(self.taps.len(), tile.taps.0, tile.taps.1)
                {
                    return false;
                }
                let taps = self.taps(tile);
                let sized = match form.taps {
                    None => tile.positions() == size,
                    // it goes back to positions that it has computed already, to which nothing may be added
                    Some(count) => {
                        tile.positions() >= size && (self.channels, taps.len(), self.added) == (1, count, None)
                    }
                };
                let (input, weight) =
                    taps.iter().fold((0, 0), |(input, weight), tap| (input.max(tap.input()), weight.max(tap.weight())));
                let last = (form.vectors - 1) * form.lanes;
                let place = tile.output() % set.panel;
                let panels = self.weights_of(tile) + last / set.panel * self.panel + last % set.panel;
                let read = most(self.from(tile)) as u64 + input as u64 + self.channels as u64;
                let written = rows as u64 + (tile.output() + most(self.to(tile)) + form.channels()) as u64;
                let weighed =
                    panels as u64 + weight as u64 + (self.channels as u64 - 1) * set.panel as u64 + form.lanes as u64;
                sized
                    && self.width == set.panel
                    // vectors stand in whole panels
                    && (place == 0 || place + form.channels() <= set.panel)
                    && tile.output() + form.channels() <= self.scale.len().min(self.bias.len())
                    && read <= arena
                    && written <= arena
                    && weighed <= weights
            })
    }
}

impl SumStep {
    fn run(&self, arena: &mut [f32]) {
        for time in 0..self.time {
            let [left, destination] = [self.left, self.destination].map(|rows| rows.first + time * rows.step);
            let right = self.right.map(|rows| rows.first + time * rows.step);
            for place in 0..self.length {
                let sum = arena[left + place] + right.map_or(0.0, |right| arena[right + place]);
                // what is not a number stays none
                arena[destination + place] = if self.relu && sum < 0.0 { 0.0 } else { sum };
            }
        }
    }
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

    fn is_within(&self, set: &Set, arena: usize, weights: usize) -> bool {
        let row = self.blocks * set.lanes;
        self.windows.iter().all(|(from, to)| from < to)
            && self.groups().all(|(pooled, group)| {
                pooled.first + (pooled.steps - 1) * self.step + row <= arena && group + row * self.bias.len() <= weights
            })
    }
}

/// A buffer in the arena.
#[derive(Clone, Copy)]
struct Placed {
    /// Where it begins, its zeros included.
    start: usize,
    /// From one time step, and one axis, to the next.
    step: usize,
    row: usize,
    buffer: Buffer,
}

impl Placed {
    /// Where the features of a position begin that counts from the first zero.
    fn at(&self, time: usize, axis: usize) -> usize {
        self.start + time * self.step + axis * self.row
    }

    /// Where the features of the first position begin.
    fn first(&self) -> usize {
        self.at(self.buffer.padding.time, self.buffer.padding.axes)
    }

    fn rows(&self) -> Rows {
        Rows { first: self.first(), step: self.step }
    }

    /// The zeros around the features, as ranges.
    fn padding(&self, ranges: &mut Vec<(u32, u32)>) {
        let Buffer { shape, padding } = self.buffer;
        let (mut rows, width) = (Vec::new(), self.row.min(self.step));
        for time in 0..shape.time + 2 * padding.time {
            for axis in 0..shape.axes + 2 * padding.axes {
                let inside = (padding.time..padding.time + shape.time).contains(&time)
                    && (padding.axes..padding.axes + shape.axes).contains(&axis);
                if !inside {
                    rows.push(self.at(time, axis) as u32);
                }
            }
        }
        rows.sort_unstable();
        for start in rows {
            match ranges.last_mut() {
                Some((_, end)) if *end == start => *end += width as u32,
                _ => ranges.push((start, start + width as u32)),
            }
        }
    }
}

impl Plan {
    /// A plan for `graph` on `set`, whose weights are packed by `packer`.
    ///
    /// # Errors
    /// When it would be too large, or something of it would point beyond its memory, which is a mistake of this crate's.
    pub(crate) fn new(graph: &Graph, set: &'static Set, packer: &mut Packer) -> Result<Self, Impossible> {
        let schedule = Schedule::new(graph);
        let (buffers, arena) = place(&schedule.buffers, set)?;
        let mut steps = Vec::with_capacity(schedule.steps.len());
        for step in &schedule.steps {
            steps.push(match *step {
                Scheduled::Conv { value, source, destination, added, relu } => {
                    let Operation::Conv(conv) = &graph.values[value].operation else {
                        return Err(Impossible::OutOfBounds);
                    };
                    let (panels, scale) = packer.conv(value, conv);
                    let ends = Ends { source: &buffers[source], destination: &buffers[destination] };
                    let added = added.map(|added| &buffers[added]);
                    Step::Conv(conv_step(set, conv, panels, &scale, &ends, added, relu))
                }
                Scheduled::Sum { left, right, destination, relu } => {
                    let to = &buffers[destination];
                    let shape = to.buffer.shape;
                    Step::Sum(SumStep {
                        left: buffers[left].rows(),
                        right: right.map(|right| buffers[right].rows()),
                        destination: to.rows(),
                        relu,
                        time: shape.time,
                        length: shape.axes * to.row,
                    })
                }
            });
        }
        let features = &buffers[schedule.features];
        let panels = packer.classifier(&graph.classifier, features.buffer.shape);
        let classifier = classifier_plan(graph, set, panels, features);
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

    /// Whether all that the kernels read and write lies in an arena and among weights of the lengths that this plan asks for.
    fn is_within(&self) -> bool {
        let convolutions = self.steps.iter().all(|step| match step {
            Step::Conv(step) => step.is_within(self.set, self.arena, self.weights),
            // in safe Rust
            Step::Sum(_) => true,
        });
        convolutions && self.classifier.is_within(self.set, self.arena, self.weights)
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

    /// One inference: `fill` gets each channel's place, and the row that it has to fill with its time steps. The arena must
    /// be ready for this plan ([`Plan::enter`]).
    ///
    /// # Panics
    /// When the weights or the arena are shorter than those that the plan was made for.
    pub(crate) fn run(
        &self,
        weights: &[f32],
        arena: &mut [f32],
        logits: &mut [f32],
        mut fill: impl FnMut(usize, &mut [f32]),
    ) {
        assert!(
            weights.len() >= self.weights && arena.len() >= self.arena && logits.len() == self.classifier.bias.len(),
            "the plan was made for other weights, another arena or other labels"
        );
        for channel in 0..self.input.channels {
            let first = self.input.first + channel * self.input.row;
            fill(channel, &mut arena[first..first + self.input.time]);
        }
        for step in &self.steps {
            match step {
                Step::Conv(step) => kernels::convolve(self.set, step, weights, arena),
                Step::Sum(step) => step.run(arena),
            }
        }
        kernels::classify(self.set, &self.classifier, weights, arena, logits);
    }
}

/// Where each buffer lies, and how many numbers the arena has.
fn place(buffers: &[Buffer], set: &Set) -> Result<(Vec<Placed>, usize), Impossible> {
    let mut end = 0;
    let mut placed = Vec::with_capacity(buffers.len());
    for (index, buffer) in buffers.iter().enumerate() {
        let Buffer { shape, padding } = *buffer;
        let (time, axes) = (shape.time + 2 * padding.time, shape.axes + 2 * padding.axes);
        // the window lies as it comes, all time steps of an axis together; everything else position by position
        let (step, row, length) = if index == 0 {
            (1, time, (time as u64).saturating_mul(axes as u64))
        } else {
            let row = shape.channels.next_multiple_of(set.round);
            (axes * row, row, (time as u64 * row as u64).saturating_mul(axes as u64))
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= MOST).ok_or(Impossible::TooLarge)?;
        placed.push(Placed { start: end, step, row, buffer: *buffer });
        end += length.next_multiple_of(LINE);
        if end > MOST {
            return Err(Impossible::TooLarge);
        }
    }
    Ok((placed, end))
}

/// What a convolution reads and writes.
struct Ends<'a> {
    source: &'a Placed,
    destination: &'a Placed,
}

fn conv_step(
    set: &Set,
    conv: &Conv,
    panels: Panels,
    scale: &[f32],
    ends: &Ends<'_>,
    added: Option<&Placed>,
    relu: bool,
) -> ConvStep {
    let Ends { source, destination } = *ends;
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
    ConvStep {
        channels: conv.inputs,
        tiles: tiles(set, destination.row, &groups, whole.then_some(count)),
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

/// Positions with the same taps.
struct Group {
    positions: Vec<Pair>,
    taps: (u32, u32),
}

/// Tiles for a row of so many channels: the widest outside, so that weights are read from memory once.
fn tiles(set: &Set, channels: usize, groups: &[Group], one_channel: Option<usize>) -> Box<[Tile]> {
    let mut tiles = Vec::new();
    let mut output = 0;
    while output < channels {
        let left = channels - output;
        let usable = |form: &usize| set.forms[*form].taps == one_channel && set.forms[*form].channels() <= left;
        // the first of a kind is preferred
        let preferred = (0..set.forms.len()).find(|form| set.forms[*form].taps == one_channel).filter(usable);
        let widest = || {
            (0..set.forms.len()).filter(usable).max_by_key(|form| {
                // of two that are equally wide the one of longer vectors
                (set.forms[*form].channels(), set.forms[*form].lanes)
            })
        };
        let Some(form) = preferred.or_else(widest) else { break };
        let shape = &set.forms[form];
        let mut end = 0;
        for group in groups {
            let mut position = end;
            end += group.positions.len();
            let mut tile = |size: usize, position: usize, positions: usize| {
                tiles.push(Tile {
                    form: form as u8,
                    size: size as u8,
                    output: output as u32,
                    position: position as u32,
                    positions: positions as u32,
                    taps: group.taps,
                });
            };
            if one_channel.is_some() {
                tile(0, position, end - position);
                continue;
            }
            while position < end {
                let left = end - position;
                let most = shape.kernels.last().map_or(1, |kernel| kernel.0);
                // evenly divided: the fewest tiles, and none much smaller than the others
                let wanted = left.div_ceil(left.div_ceil(most));
                let fits = |size: &usize| shape.kernels[*size].0 <= left;
                let enough = |size: &usize| shape.kernels[*size].0 >= wanted;
                let sizes = || (0..shape.kernels.len()).filter(fits);
                let Some(size) = sizes().find(enough).or_else(|| sizes().next_back()) else { break };
                tile(size, position, shape.kernels[size].0);
                position += shape.kernels[size].0;
            }
        }
        output += shape.channels();
    }
    tiles.into()
}

fn classifier_plan(graph: &Graph, set: &Set, panels: ClassifierPanels, features: &Placed) -> ClassifierPlan {
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

#[cfg(test)]
mod tests;
