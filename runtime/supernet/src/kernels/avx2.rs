//! Kernels for x86-64 processors with AVX2 and FMA: sixteen registers of eight numbers.

use std::arch::x86_64::*;

use super::job::{ClassifierJob, Job};
use super::vector::{self, Vector, classifier, passing, tiles};
use super::{Classifier, Form, Kernel, Set};

/// Eight numbers.
#[derive(Clone, Copy)]
pub(crate) struct Eight(__m256);

// SAFETY: loads and stores are of 256 bits
unsafe impl Vector for Eight {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the processor has the instructions
        unsafe { Self(_mm256_setzero_ps()) }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller vouches for the place
        unsafe { Self(_mm256_loadu_ps(at)) }
    }

    #[inline(always)]
    unsafe fn splat(at: *const f32) -> Self {
        // SAFETY: the caller vouches for the place
        unsafe { Self(_mm256_set1_ps(*at)) }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: the caller vouches for the place
        unsafe { _mm256_storeu_ps(at, self.0) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, one: Self, other: Self) -> Self {
        // SAFETY: the processor has the instructions
        unsafe { Self(_mm256_fmadd_ps(one.0, other.0, self.0)) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the processor has the instructions
        unsafe { Self(_mm256_add_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn rectified(self) -> Self {
        // SAFETY: the processor has the instructions; of two that do not compare it gives the second
        unsafe { Self(_mm256_max_ps(_mm256_setzero_ps(), self.0)) }
    }

    #[inline(always)]
    unsafe fn larger(self, other: Self) -> Self {
        // SAFETY: the processor has the instructions; of two that do not compare `max` gives the second
        unsafe {
            let nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(self.0, self.0);
            Self(_mm256_blendv_ps(_mm256_max_ps(self.0, other.0), self.0, nan))
        }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let mut lanes = [0.0; 8];
        // SAFETY: there is room for eight
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes.iter().sum()
    }
}

pub(crate) static SET: Set = Set {
    name: "avx2",
    panel: 8,
    round: 8,
    lanes: 8,
    forms: &[
        Form { vectors: 2, lanes: 8, taps: None, kernels: tiles!("avx2,fma", Eight, 8, 2, 1 2 3 4 5 6) },
        Form { vectors: 1, lanes: 8, taps: None, kernels: tiles!("avx2,fma", Eight, 8, 1, 1 2 4 6 9 12) },
        Form { vectors: 1, lanes: 8, taps: Some(6), kernels: passing!("avx2,fma", Eight, 8, 1, 6, 3) },
        Form { vectors: 1, lanes: 8, taps: Some(9), kernels: passing!("avx2,fma", Eight, 8, 1, 9, 3) },
    ],
    classify: classifier!("avx2,fma", Eight),
};
