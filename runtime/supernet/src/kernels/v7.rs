//! Kernels for 32-bit ARM processors with NEON, in assembly: Rust has no vectors for them (rust-lang/rust#111800), and what
//! it compiles from arrays is scalar.

mod classifier;
mod first;
mod tile;

use std::fs;

use super::{Form, Kernel, Set};

/// Output channels of a tile.
const OUTPUTS: usize = 8;

const TILE: Kernel = Kernel::Raw(tile::tile);

pub(crate) static SET: Set = Set {
    name: "neon",
    panel: OUTPUTS,
    round: OUTPUTS,
    lanes: 4,
    forms: &[
        Form { vectors: 1, lanes: OUTPUTS, taps: None, kernels: &[(1, TILE), (2, TILE), (3, TILE), (4, TILE)] },
        Form { vectors: 1, lanes: OUTPUTS, taps: Some(6), kernels: &[(1, Kernel::Raw(first::first))] },
    ],
    classify: classifier::CLASSIFIER,
};

/// Whether this processor has NEON, as the kernel says to each program.
pub(crate) fn is_there() -> bool {
    /// `AT_HWCAP`, and its bit for NEON.
    const CAPABILITIES: usize = 16;
    const NEON: usize = 1 << 12;
    let auxiliary = fs::read("/proc/self/auxv").unwrap_or_default();
    let words = auxiliary.as_chunks().0.iter().copied().map(usize::from_ne_bytes);
    let words: Vec<usize> = words.collect();
    words.chunks_exact(2).any(|entry| entry[0] == CAPABILITIES && entry[1] & NEON != 0)
}
