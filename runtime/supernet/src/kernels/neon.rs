//! Kernels for aarch64: thirty-two registers of four numbers, of which one multiplies by a lane of another.

pub(super) mod a53;
mod first;
mod products;
mod tile;

use std::arch::aarch64::*;

use super::job::{ClassifierJob, Job};
use super::vector::{self, Vector, classifier, passing};
use super::{Classifier, Form, Kernel, Set};
use tile::tiles;

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

    #[inline(always)]
    unsafe fn products<const COUNT: usize>(
        sums: &mut [Self; COUNT],
        features: (*const f32, usize, usize),
        weights: (*const f32, usize),
        blocks: usize,
    ) {
        // SAFETY: the caller vouches for the places
        unsafe { products::add(sums, features, weights, blocks) }
    }
}

/// Outputs of a panel.
const PANEL: usize = 8;

/// Of one vector, for what is left.
const NARROW: Form = Form {
    vectors: 1,
    lanes: 4,
    taps: None,
    kernels: tiles!(
        1 gaitd_supernet_neon_1x1,
        2 gaitd_supernet_neon_1x2,
        4 gaitd_supernet_neon_1x4,
        9 gaitd_supernet_neon_1x9,
        12 gaitd_supernet_neon_1x12,
    ),
};

/// For the first layer.
const FIRST: [Form; 4] = [
    Form { vectors: 2, lanes: 4, taps: Some(6), kernels: &[(4, Kernel::Raw(first::eight))] },
    Form { vectors: 1, lanes: 4, taps: Some(6), kernels: &[(4, Kernel::Raw(first::four))] },
    Form { vectors: 2, lanes: 4, taps: Some(9), kernels: passing!("neon", Four, 8, 2, 9, 2) },
    Form { vectors: 1, lanes: 4, taps: Some(9), kernels: passing!("neon", Four, 8, 1, 9, 3) },
];

const CLASSIFIER: Classifier = classifier!("neon", Four);

pub(crate) static SET: Set = Set {
    name: "neon",
    panel: PANEL,
    round: 4,
    lanes: 4,
    forms: &{
        let [a, b, c, d] = FIRST;
        let wide = Form {
            vectors: 4,
            lanes: 4,
            taps: None,
            kernels: tiles!(
                1 gaitd_supernet_neon_4x1,
                2 gaitd_supernet_neon_4x2,
                3 gaitd_supernet_neon_4x3,
                4 gaitd_supernet_neon_4x4,
                5 gaitd_supernet_neon_4x5,
            ),
        };
        let eight = Form {
            vectors: 2,
            lanes: 4,
            taps: None,
            kernels: tiles!(
                1 gaitd_supernet_neon_2x1,
                2 gaitd_supernet_neon_2x2,
                4 gaitd_supernet_neon_2x4,
                6 gaitd_supernet_neon_2x6,
                9 gaitd_supernet_neon_2x9,
            ),
        };
        [wide, eight, NARROW, a, b, c, d]
    },
    classify: CLASSIFIER,
};
