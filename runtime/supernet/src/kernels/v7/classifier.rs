//! The linear layer of 32-bit ARM.

use super::super::Classifier;
use super::super::job::ClassifierJob;
use super::super::vector::{self, Vector};

/// Four numbers. All but the products of six classes is scalar.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Four([f32; 4]);

/// Classes of a pass.
const CLASSES: usize = 6;

// q8 to q13: the sums; q0: features; q1 to q3, q14, q15: weights
std::arch::global_asm!(
    ".arch armv7-a",
    ".fpu neon",
    ".syntax unified",
    ".arm",
    ".p2align 3",
    ".globl gaitd_supernet_v7_products",
    ".hidden gaitd_supernet_v7_products",
    ".type gaitd_supernet_v7_products, %function",
    // r0: sums, r1: features, r2: weights, r3: blocks; on the stack bytes from one block's weights to the next, and steps and
    // bytes from one to the next
    "gaitd_supernet_v7_products:",
    "push {{r4-r8, lr}}",
    "ldr r4, [sp, #24]",
    "ldr r5, [sp, #28]",
    "ldr r6, [sp, #32]",
    "vldmia r0, {{d16-d27}}",
    "sub r4, r4, #64",
    "cmp r3, #0",
    "beq 4f",
    "1: mov r7, r1",
    "vld1.32 {{d0-d1}}, [r1]!",
    "subs r8, r5, #1",
    "beq 3f",
    "2: add r7, r7, r6",
    "subs r8, r8, #1",
    "vld1.32 {{d2-d3}}, [r7]",
    "vmax.f32 q0, q0, q1",
    "bne 2b",
    "3: vld1.32 {{d2-d5}}, [r2]!",
    "subs r3, r3, #1",
    "vld1.32 {{d28-d31}}, [r2]!",
    "vmla.f32 q8, q1, q0",
    "vmla.f32 q9, q2, q0",
    "vld1.32 {{d2-d5}}, [r2], r4",
    "vmla.f32 q10, q14, q0",
    "vmla.f32 q11, q15, q0",
    "vmla.f32 q12, q1, q0",
    "vmla.f32 q13, q2, q0",
    "bne 1b",
    "4: vstmia r0, {{d16-d27}}",
    "pop {{r4-r8, pc}}",
    ".size gaitd_supernet_v7_products, . - gaitd_supernet_v7_products",
);

unsafe extern "C" {
    fn gaitd_supernet_v7_products(
        sums: *mut Four,
        features: *const f32,
        weights: *const f32,
        blocks: usize,
        stride: usize,
        steps: usize,
        step: usize,
    );
}

// SAFETY: loads are of four numbers
unsafe impl Vector for Four {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; 4])
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller vouches for the place
        Self(unsafe { at.cast::<[f32; 4]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: the caller vouches for the place
        unsafe { at.cast::<[f32; 4]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, one: Self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] + one.0[lane] * other.0[lane]))
    }

    #[inline(always)]
    unsafe fn larger(self, other: Self) -> Self {
        // what is no number stays none
        let larger = |one: f32, other: f32| if one >= other || one.is_nan() { one } else { other };
        Self(std::array::from_fn(|lane| larger(self.0[lane], other.0[lane])))
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        self.0.iter().sum()
    }

    #[inline(always)]
    unsafe fn products<const COUNT: usize>(
        sums: &mut [Self; COUNT],
        (features, steps, step): (*const f32, usize, usize),
        (weights, stride): (*const f32, usize),
        blocks: usize,
    ) {
        // SAFETY: the caller vouches for the places
        unsafe {
            if COUNT == CLASSES {
                let [stride, step] = [stride, step].map(|numbers| numbers * size_of::<f32>());
                gaitd_supernet_v7_products(sums.as_mut_ptr(), features, weights, blocks, stride, steps, step);
                return;
            }
            vector::products(sums, (features, steps, step), (weights, stride), blocks);
        }
    }
}

/// Computes a share.
///
/// # Safety
/// As [`vector::classify`], and the processor must have NEON.
unsafe fn classify(job: &mut ClassifierJob<'_>) {
    // SAFETY: the caller vouches for the job
    unsafe { vector::classify::<Four>(job) }
}

pub(super) const CLASSIFIER: Classifier = Classifier::Raw(classify);
