//! Numbers that begin where a cache line does, so that no vector of weights lies across two.

use std::ops::{Deref, DerefMut};

/// Numbers of a cache line, 64 bytes.
pub(crate) const LINE: usize = 16;

/// A fixed count of numbers, the first at the beginning of a cache line.
#[derive(Debug)]
pub(crate) struct Aligned {
    values: Vec<f32>,
    start: usize,
    length: usize,
}

impl Aligned {
    /// So many zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        let values = vec![0.0; length + LINE - 1];
        // what cannot be aligned is slower, and right
        let start = values.as_ptr().align_offset(size_of::<[f32; LINE]>()).min(LINE - 1);
        Self { values, start, length }
    }

    /// A copy of `values`.
    pub(crate) fn copy_of(values: &[f32]) -> Self {
        let mut copy = Self::zeros(values.len());
        copy.copy_from_slice(values);
        copy
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        (self.values.len() * size_of::<f32>()) as u64
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..self.start + self.length]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..self.start + self.length]
    }
}
