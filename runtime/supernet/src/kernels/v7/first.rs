//! The first layer of 32-bit ARM, whose only input channel lies sample by sample: a position's taps are loaded together.

use std::mem::offset_of;

use super::super::job::Job;
use super::tile::tile;

/// Taps, whose scaled weights fill twelve of the sixteen registers.
const TAPS: usize = 6;

// q4 to q15: weights of eight outputs, tap by tap; q0, d2: a position's inputs, d3: below which nothing is let; q2, q3: sums
std::arch::global_asm!(
    ".arch armv7-a",
    ".fpu neon",
    ".syntax unified",
    ".arm",
    ".p2align 3",
    ".globl gaitd_supernet_v7_first",
    ".hidden gaitd_supernet_v7_first",
    ".type gaitd_supernet_v7_first, %function",
    // the weights of the next tap, scaled
    ".macro gaitd_weights a, b, first, last",
    "ldr r4, [r2, #4]",
    "add r2, r2, #8",
    "add r4, r1, r4, lsl #2",
    "vld1.32 {{\\first-\\last}}, [r4]",
    "vmul.f32 \\a, \\a, q0",
    "vmul.f32 \\b, \\b, q1",
    ".endm",
    ".macro gaitd_multiply a, b, input",
    "vmla.f32 q2, \\a, \\input",
    "vmla.f32 q3, \\b, \\input",
    ".endm",
    // r0: the job
    "gaitd_supernet_v7_first:",
    "push {{r4-r8, lr}}",
    "vpush {{d8-d15}}",
    "ldr r1, [r0, #{scale}]",
    "vld1.32 {{d0-d3}}, [r1]",
    "ldr r1, [r0, #{weights}]",
    "ldr r2, [r0, #{taps}]",
    "ldr r3, [r0, #{features}]",
    "ldr r4, [r2]",
    "add r3, r3, r4, lsl #2",
    "gaitd_weights q4, q5, d8, d11",
    "gaitd_weights q6, q7, d12, d15",
    "gaitd_weights q8, q9, d16, d19",
    "gaitd_weights q10, q11, d20, d23",
    "gaitd_weights q12, q13, d24, d27",
    "gaitd_weights q14, q15, d28, d31",
    "ldr r1, [r0, #{positions}]",
    "ldr r2, [r0, #{from}]",
    "ldr r4, [r0, #{to}]",
    "ldr r5, [r0, #{results}]",
    "ldr r6, [r0, #{bias}]",
    "ldrb r7, [r0, #{relu}]",
    "cmp r7, #0",
    "mov r7, #0",
    "moveq r7, #0xff000000",
    "orreq r7, r7, #0x800000",
    "vdup.32 d3, r7",
    "cmp r1, #0",
    "beq 2f",
    // a position
    "1: ldr r7, [r2], #4",
    "add r7, r3, r7, lsl #2",
    "vld1.32 {{d0-d2}}, [r7]",
    "vld1.32 {{d4-d7}}, [r6]",
    "gaitd_multiply q4, q5, d0[0]",
    "gaitd_multiply q6, q7, d0[1]",
    "gaitd_multiply q8, q9, d1[0]",
    "gaitd_multiply q10, q11, d1[1]",
    "gaitd_multiply q12, q13, d2[0]",
    "gaitd_multiply q14, q15, d2[1]",
    "ldr r8, [r4], #4",
    "subs r1, r1, #1",
    "add r8, r5, r8, lsl #2",
    "vmax.f32 d4, d4, d3",
    "vmax.f32 d5, d5, d3",
    "vmax.f32 d6, d6, d3",
    "vmax.f32 d7, d7, d3",
    "vst1.32 {{d4-d7}}, [r8]",
    "bne 1b",
    "2: vpop {{d8-d15}}",
    "pop {{r4-r8, pc}}",
    ".size gaitd_supernet_v7_first, . - gaitd_supernet_v7_first",
    ".purgem gaitd_weights",
    ".purgem gaitd_multiply",
    weights = const offset_of!(Job, weights),
    taps = const offset_of!(Job, taps),
    features = const offset_of!(Job, features),
    from = const offset_of!(Job, from),
    to = const offset_of!(Job, to),
    positions = const offset_of!(Job, positions),
    scale = const offset_of!(Job, scale),
    bias = const offset_of!(Job, bias),
    results = const offset_of!(Job, results),
    relu = const offset_of!(Job, relu),
);

unsafe extern "C" {
    fn gaitd_supernet_v7_first(job: *const Job);
}

/// Eight outputs of six taps by any number of positions.
///
/// # Safety
/// The job must have one channel, so many taps and nothing that is added, and be within its memory; and the processor must
/// have NEON.
pub(super) unsafe fn first(job: &Job) {
    // SAFETY: the caller vouches for the job
    unsafe {
        let input = |place: usize| (*job.taps.add(place)).input();
        if (1..TAPS).all(|place| input(place) == input(0) + place) {
            return gaitd_supernet_v7_first(job);
        }
        for place in (0..job.positions).step_by(4) {
            let positions = (job.positions - place).min(4);
            tile(&Job { from: job.from.add(place), to: job.to.add(place), positions, ..*job });
        }
    }
}
