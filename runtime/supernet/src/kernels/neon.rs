//! Kernels for aarch64: thirty-two registers of four numbers, of which one multiplies by a lane of another.

use std::arch::aarch64::*;

use super::job::{ClassifierJob, Job};
use super::vector::{self, Vector, classifier, passing};
use super::{Classifier, Form, Kernel, Set};

/// Four numbers.
#[derive(Clone, Copy)]
pub(super) struct Four(float32x4_t);

// SAFETY: loads and stores are of 128 bits
unsafe impl Vector for Four {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the processor has the instructions
        unsafe { Self(vdupq_n_f32(0.0)) }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller vouches for the place
        unsafe { Self(vld1q_f32(at)) }
    }

    #[inline(always)]
    unsafe fn splat(at: *const f32) -> Self {
        // SAFETY: the caller vouches for the place
        unsafe { Self(vld1q_dup_f32(at)) }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: the caller vouches for the place
        unsafe { vst1q_f32(at, self.0) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, one: Self, other: Self) -> Self {
        // SAFETY: the processor has the instructions
        unsafe { Self(vfmaq_f32(self.0, one.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the processor has the instructions
        unsafe { Self(vaddq_f32(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn rectified(self) -> Self {
        // SAFETY: the processor has the instructions; what is no number stays none
        unsafe { Self(vmaxq_f32(self.0, vdupq_n_f32(0.0))) }
    }

    #[inline(always)]
    unsafe fn larger(self, other: Self) -> Self {
        // SAFETY: the processor has the instructions; what is no number stays none
        unsafe { Self(vmaxq_f32(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: the processor has the instructions
        unsafe { vaddvq_f32(self.0) }
    }
}

/// Outputs of a panel.
const PANEL: usize = 8;

/// As [`vector::tile`], but that four inputs of a position are loaded at once, and multiplied lane by lane.
///
/// # Safety
/// As [`vector::tile`].
#[inline(always)]
unsafe fn by_lane<const VECTORS: usize, const POSITIONS: usize>(job: &Job) {
    // SAFETY: the caller vouches for the job; four inputs are loaded only where there are so many
    unsafe {
        let mut sums = vector::start::<Four, VECTORS, POSITIONS>(job);
        let features: [*const f32; POSITIONS] =
            std::array::from_fn(|position| job.features.add(*job.from.add(position) as usize));
        for tap in 0..job.count {
            let tap = &*job.taps.add(tap);
            // all that advances are pointers, which loads can take along; those of more panels than there are stay unused
            let mut inputs: [*const f32; POSITIONS] =
                std::array::from_fn(|position| features[position].add(tap.input()));
            let mut panels: [*const f32; VECTORS] =
                std::array::from_fn(|panel| job.weights.wrapping_add(panel * job.panel + tap.weight()));
            for _ in 0..job.fours {
                let four: [float32x4_t; POSITIONS] = std::array::from_fn(|position| vld1q_f32(inputs[position]));
                inputs = inputs.map(|input| input.wrapping_add(4));
                macro_rules! lane {
                    ($lane:literal) => {
                        let weights: [float32x4_t; VECTORS] = std::array::from_fn(|vector| {
                            vld1q_f32(panels[vector / 2].add(vector % 2 * Four::LANES + $lane * PANEL))
                        });
                        for position in 0..POSITIONS {
                            for vector in 0..VECTORS {
                                let sum = &mut sums[position][vector].0;
                                *sum = vfmaq_laneq_f32::<$lane>(*sum, weights[vector], four[position]);
                            }
                        }
                    };
                }
                lane!(0);
                lane!(1);
                lane!(2);
                lane!(3);
                panels = panels.map(|panel| panel.wrapping_add(4 * PANEL));
            }
            for _ in 0..job.rest {
                for position in 0..POSITIONS {
                    let input = Four::splat(inputs[position]);
                    for vector in 0..VECTORS {
                        let weights = Four::load(panels[vector / 2].add(vector % 2 * Four::LANES));
                        sums[position][vector] = sums[position][vector].multiply_add(input, weights);
                    }
                }
                inputs = inputs.map(|input| input.wrapping_add(1));
                panels = panels.map(|panel| panel.wrapping_add(PANEL));
            }
        }
        let ends = vector::ends::<Four, VECTORS>(job);
        for (position, sums) in sums.into_iter().enumerate() {
            vector::finish(job, position, sums, ends);
        }
    }
}

/// Tiles by lane.
macro_rules! lanes {
    ($vectors:literal, $($positions:literal)+) => {
        &[$(($positions, {
            /// # Safety
            /// As [`by_lane`].
            unsafe fn kernel(job: &Job) {
                // SAFETY: the caller vouches for the job, and every aarch64 has the instructions
                unsafe { by_lane::<$vectors, $positions>(job) }
            }
            Kernel::Raw(kernel)
        })),+]
    };
}

pub(crate) static SET: Set = Set {
    name: "neon",
    panel: PANEL,
    round: 4,
    lanes: 4,
    forms: &[
        Form { vectors: 4, lanes: 4, taps: None, kernels: lanes!(4, 1 2 3 4 5) },
        Form { vectors: 2, lanes: 4, taps: None, kernels: lanes!(2, 1 2 4 6 9) },
        Form { vectors: 1, lanes: 4, taps: None, kernels: lanes!(1, 1 2 4 9 12) },
        Form { vectors: 2, lanes: 4, taps: Some(6), kernels: passing!("neon", Four, 8, 2, 6, 3) },
        Form { vectors: 1, lanes: 4, taps: Some(6), kernels: passing!("neon", Four, 8, 1, 6, 3) },
        Form { vectors: 2, lanes: 4, taps: Some(9), kernels: passing!("neon", Four, 8, 2, 9, 2) },
        Form { vectors: 1, lanes: 4, taps: Some(9), kernels: passing!("neon", Four, 8, 1, 9, 3) },
    ],
    classify: classifier!("neon", Four),
};
