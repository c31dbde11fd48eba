//! Features that are added up, or rectified alone.

use std::ops::Range;

use super::place::Rows;

/// Features that are added up, or rectified alone.
pub(super) struct SumStep {
    pub(super) left: Rows,
    pub(super) right: Option<Rows>,
    pub(super) destination: Rows,
    /// The buffers of the three.
    pub(super) buffers: (usize, Option<usize>, usize),
    pub(super) relu: bool,
    pub(super) time: usize,
    /// Numbers of all axes of a time step, which lie together.
    pub(super) length: usize,
}

impl SumStep {
    /// Computes the time steps `times`.
    pub(super) fn run(&self, arena: &mut [f32], times: Range<usize>) {
        for time in times {
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
