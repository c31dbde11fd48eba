//! Tiles: which outputs and positions of a convolution one call of a kernel computes.

use crate::kernels::Set;

/// Some outputs by some positions with the same taps.
pub(crate) struct Tile {
    pub(super) form: u8,
    pub(super) size: u8,
    pub(super) part: Part,
    pub(super) output: u32,
    pub(super) position: u32,
    pub(super) positions: u32,
    pub(super) taps: (u32, u32),
}

/// Which of its positions' taps a tile computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All.
    Whole,
    /// The first ones, whose sums are left as they are.
    First,
    /// The last ones, from the sums of the first ones on.
    Last,
}

impl Tile {
    pub(crate) fn form(&self) -> usize {
        self.form.into()
    }

    pub(crate) fn size(&self) -> usize {
        self.size.into()
    }

    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// The first output channel.
    pub(crate) fn output(&self) -> usize {
        self.output as usize
    }

    pub(crate) fn positions(&self) -> usize {
        self.positions as usize
    }

    /// Multiply-accumulates, where the form is one of `set`.
    pub(super) fn macs(&self, set: &Set, channels: usize) -> u64 {
        let taps = u64::from(self.positions) * u64::from(self.taps.1);
        taps * channels as u64 * set.forms[self.form()].channels() as u64
    }
}

/// Positions that stand one behind the other in a convolution's tables, and of which the same taps are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: u32,
    pub(super) positions: u32,
    pub(super) taps: (u32, u32),
    pub(super) part: Part,
}

/// Appends tiles for a row of so many channels: the widest outside, so that weights are read from memory once.
pub(super) fn cover(set: &Set, channels: usize, runs: &[Run], one_channel: Option<usize>, tiles: &mut Vec<Tile>) {
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
        for run in runs {
            let (mut position, end) = (run.first as usize, (run.first + run.positions) as usize);
            let mut tile = |size: usize, position: usize, positions: usize| {
                tiles.push(Tile {
                    form: form as u8,
                    size: size as u8,
                    part: run.part,
                    output: output as u32,
                    position: position as u32,
                    positions: positions as u32,
                    taps: run.taps,
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
}
