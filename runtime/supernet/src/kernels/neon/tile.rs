//! The tiles of aarch64, in assembly: what a compiler makes of them takes a pointer addition for each load, and keeps the
//! sums in memory while it finishes them.
//!
//! A step multiplies four input channels, whose numbers of one position are loaded at once and taken lane by lane. Vectors of
//! weights pass outside, positions inside, so that weights are loaded a while before they are needed.

use std::mem::offset_of;

use super::super::job::Job;
use crate::plan::Tap;

// that both are loaded at once
const _: () = assert!(offset_of!(Job, rest) == offset_of!(Job, fours) + 8 && size_of::<Tap>() == 8);
const _: () = assert!(offset_of!(Job, bias) == offset_of!(Job, scale) + 8);
const _: () = assert!(offset_of!(Job, from) == offset_of!(Job, features) + 8);
const _: () = assert!(offset_of!(Job, count) == offset_of!(Job, taps) + 8);
const _: () = assert!(offset_of!(Job, added) == offset_of!(Job, results) + 8);

std::arch::global_asm!(
    include_str!("tile.s"),
    include_str!("a53.s"),
    ".noaltmacro",
    weights = const offset_of!(Job, weights),
    panel = const offset_of!(Job, panel),
    taps = const offset_of!(Job, taps),
    fours = const offset_of!(Job, fours),
    features = const offset_of!(Job, features),
    to = const offset_of!(Job, to),
    scale = const offset_of!(Job, scale),
    results = const offset_of!(Job, results),
    relu = const offset_of!(Job, relu),
    begun = const offset_of!(Job, begun),
);

/// Kernels by their positions.
macro_rules! tiles {
    ($($positions:literal $symbol:ident),+ $(,)?) => {
        &[$(($positions, {
            /// # Safety
            /// The job must be of so many outputs and positions and within its memory.
            unsafe fn kernel(job: &Job) {
                unsafe extern "C" {
                    fn $symbol(job: *const Job);
                }
                // SAFETY: the caller vouches for the job, and every aarch64 has the instructions
                unsafe { $symbol(job) }
            }
            Kernel::Raw(kernel)
        })),+]
    };
}

pub(super) use tiles;
