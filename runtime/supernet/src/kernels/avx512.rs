//! Kernels for x86-64 processors with AVX-512: thirty-two registers of sixteen numbers, or of eight for what is left of
//! the channels.

use std::arch::x86_64::*;

use super::avx2::Eight;
use super::job::{ClassifierJob, Job};
use super::vector::{self, Vector, classifier, passing, tiles};
use super::{Classifier, Form, Kernel, Set};

/// Sixteen numbers.
#[derive(Clone, Copy)]
pub(super) struct Sixteen(__m512);

// SAFETY: loads and stores are of 512 bits
unsafe impl Vector for Sixteen {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the processor has the instructions
        unsafe { Self(_mm512_setzero_ps()) }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller vouches for the place
        unsafe { Self(_mm512_loadu_ps(at)) }
    }

    #[inline(always)]
    unsafe fn splat(at: *const f32) -> Self {
        // SAFETY: the caller vouches for the place
        unsafe { Self(_mm512_set1_ps(*at)) }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: the caller vouches for the place
        unsafe { _mm512_storeu_ps(at, self.0) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, one: Self, other: Self) -> Self {
        // SAFETY: the processor has the instructions
        unsafe { Self(_mm512_fmadd_ps(one.0, other.0, self.0)) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the processor has the instructions
        unsafe { Self(_mm512_add_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn rectified(self) -> Self {
        // SAFETY: the processor has the instructions; of two that do not compare it gives the second
        unsafe { Self(_mm512_max_ps(_mm512_setzero_ps(), self.0)) }
    }

    #[inline(always)]
    unsafe fn larger(self, other: Self) -> Self {
        // SAFETY: the processor has the instructions; of two that do not compare `max` gives the second
        unsafe {
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self.0, self.0);
            Self(_mm512_mask_mov_ps(_mm512_max_ps(self.0, other.0), nan, self.0))
        }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let mut lanes = [0.0; 16];
        // SAFETY: there is room for sixteen
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes.iter().sum()
    }
}

pub(crate) static SET: Set = Set {
    name: "avx512",
    panel: 16,
    round: 8,
    lanes: 8,
    forms: &[
        Form {
            vectors: 2,
            lanes: 16,
            taps: None,
            kernels: tiles!("avx512f,avx512vl,fma", Sixteen, 16, 2, 1 2 3 4 6 8 9 10 11 12 13 14),
        },
        Form {
            vectors: 1,
            lanes: 16,
            taps: None,
            kernels: tiles!("avx512f,avx512vl,fma", Sixteen, 16, 1, 1 2 4 6 9 12 14),
        },
        Form { vectors: 3, lanes: 8, taps: None, kernels: tiles!("avx512f,avx512vl,fma", Eight, 16, 3, 1 2 4 6 9) },
        Form {
            vectors: 1,
            lanes: 8,
            taps: None,
            kernels: tiles!("avx512f,avx512vl,fma", Eight, 16, 1, 1 2 4 6 9 12 14),
        },
        Form { vectors: 2, lanes: 16, taps: Some(6), kernels: passing!("avx512f,avx512vl,fma", Sixteen, 16, 2, 6, 3) },
        Form { vectors: 1, lanes: 16, taps: Some(6), kernels: passing!("avx512f,avx512vl,fma", Sixteen, 16, 1, 6, 3) },
        Form { vectors: 1, lanes: 8, taps: Some(6), kernels: passing!("avx512f,avx512vl,fma", Eight, 16, 1, 6, 3) },
        Form { vectors: 2, lanes: 16, taps: Some(9), kernels: passing!("avx512f,avx512vl,fma", Sixteen, 16, 2, 9, 3) },
        Form { vectors: 1, lanes: 16, taps: Some(9), kernels: passing!("avx512f,avx512vl,fma", Sixteen, 16, 1, 9, 3) },
        Form { vectors: 1, lanes: 8, taps: Some(9), kernels: passing!("avx512f,avx512vl,fma", Eight, 16, 1, 9, 3) },
    ],
    classify: classifier!("avx512f,avx512vl,fma", Eight),
};
