//! Where features lie in the arena, with zeros around them.

use super::{Impossible, MOST};
use crate::aligned::LINE;
use crate::kernels::Set;
use crate::schedule::Buffer;

/// Where the rows of a buffer begin.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub(super) first: usize,
    /// From one time step to the next.
    pub(super) step: usize,
}

/// A buffer in the arena.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    /// Where it begins, its zeros included.
    pub(super) start: usize,
    /// From one time step, and one axis, to the next.
    pub(super) step: usize,
    pub(super) row: usize,
    pub(super) buffer: Buffer,
}

impl Placed {
    /// Where the features of a position begin that counts from the first zero.
    pub(super) fn at(&self, time: usize, axis: usize) -> usize {
        self.start + time * self.step + axis * self.row
    }

    /// Where the features of the first position begin.
    pub(super) fn first(&self) -> usize {
        self.at(self.buffer.padding.time, self.buffer.padding.axes)
    }

    pub(super) fn rows(&self) -> Rows {
        Rows { first: self.first(), step: self.step }
    }

    /// The zeros around the features, as ranges.
    pub(super) fn padding(&self, ranges: &mut Vec<(u32, u32)>) {
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

/// Where each buffer lies, and how many numbers the arena has.
pub(super) fn place(buffers: &[Buffer], set: &Set) -> Result<(Vec<Placed>, usize), Impossible> {
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
