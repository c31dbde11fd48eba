//! Tiles: which outputs and positions of a convolution one call of a kernel computes.

use crate::graph::Pair;
use crate::kernels::Set;

/// Some outputs by some positions with the same taps.
pub(crate) struct Tile {
    pub(super) form: u8,
    pub(super) size: u8,
    pub(super) output: u32,
    pub(super) position: u32,
    pub(super) positions: u32,
    pub(super) taps: (u32, u32),
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

/// Positions with the same taps.
pub(super) struct Group {
    pub(super) positions: Vec<Pair>,
    pub(super) taps: (u32, u32),
}

/// Tiles for a row of so many channels: the widest outside, so that weights are read from memory once.
pub(super) fn tiles(set: &Set, channels: usize, groups: &[Group], one_channel: Option<usize>) -> Box<[Tile]> {
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
