//! The first layer of aarch64, whose only input channel lies sample by sample: a position's taps are loaded together.

use std::arch::aarch64::*;

use super::super::job::Job;
use super::super::vector;
use super::{Four, PANEL};

/// Taps, of which the first four are loaded as one vector and the others as half of one.
const TAPS: usize = 6;
/// Positions at a time.
const AT_ONCE: usize = 4;

/// [`vector::one_channel`], but that weights are scaled before the positions pass, and sums begin with the bias.
///
/// # Safety
/// As [`vector::one_channel`], of [`AT_ONCE`] positions at least.
#[inline(always)]
unsafe fn consecutive<const VECTORS: usize>(job: &Job) {
    // SAFETY: the caller vouches for the job; what is loaded together are a position's taps
    unsafe {
        let tap = |place: usize| *job.taps.add(place);
        if (1..TAPS).any(|place| tap(place).input() != tap(0).input() + place) {
            return vector::one_channel::<Four, PANEL, VECTORS, TAPS, AT_ONCE>(job);
        }
        let bias: [float32x4_t; VECTORS] = std::array::from_fn(|vector| vld1q_f32(job.bias.add(vector * 4)));
        let weights: [[float32x4_t; VECTORS]; TAPS] = std::array::from_fn(|place| {
            std::array::from_fn(|vector| {
                let weights = vld1q_f32(job.weights.add(tap(place).weight() + vector * 4));
                vmulq_f32(weights, vld1q_f32(job.scale.add(vector * 4)))
            })
        });
        let floor = vdupq_n_f32(if job.relu { 0.0 } else { f32::NEG_INFINITY });
        let features = job.features.add(tap(0).input());
        let mut done = 0;
        while done < job.positions {
            // the last ones are computed twice where they do not go up
            let first = done.min(job.positions - AT_ONCE);
            let inputs: [(float32x4_t, float32x2_t); AT_ONCE] = std::array::from_fn(|position| {
                let at = features.add(*job.from.add(first + position) as usize);
                (vld1q_f32(at), vld1_f32(at.add(4)))
            });
            for (position, (four, two)) in inputs.into_iter().enumerate() {
                let to = job.results.add(*job.to.add(first + position) as usize);
                for vector in 0..VECTORS {
                    let mut sum = bias[vector];
                    sum = vfmaq_laneq_f32::<0>(sum, weights[0][vector], four);
                    sum = vfmaq_laneq_f32::<1>(sum, weights[1][vector], four);
                    sum = vfmaq_laneq_f32::<2>(sum, weights[2][vector], four);
                    sum = vfmaq_laneq_f32::<3>(sum, weights[3][vector], four);
                    sum = vfmaq_lane_f32::<0>(sum, weights[4][vector], two);
                    sum = vfmaq_lane_f32::<1>(sum, weights[5][vector], two);
                    vst1q_f32(to.add(vector * 4), vmaxq_f32(sum, floor));
                }
            }
            done = first + AT_ONCE;
        }
    }
}

/// Eight outputs.
///
/// # Safety
/// As [`consecutive`].
pub(super) unsafe fn eight(job: &Job) {
    // SAFETY: the caller vouches for the job, and every aarch64 has the instructions
    unsafe { consecutive::<2>(job) }
}

/// Four outputs.
///
/// # Safety
/// As [`consecutive`].
pub(super) unsafe fn four(job: &Job) {
    // SAFETY: the caller vouches for the job, and every aarch64 has the instructions
    unsafe { consecutive::<1>(job) }
}
