//! The tile of 32-bit ARM: eight outputs by up to four positions.

use std::mem::offset_of;

use super::super::job::Job;
use crate::plan::Tap;

/// That the fields stand one behind the other, and so can be loaded at once.
const fn are_consecutive(places: &[usize]) -> bool {
    let mut next = 1;
    while next < places.len() {
        if places[next] != places[next - 1] + size_of::<usize>() {
            return false;
        }
        next += 1;
    }
    true
}

const _: () = assert!(offset_of!(Job, weights) == 0 && size_of::<Tap>() == 8);
const _: () = assert!(are_consecutive(&[
    offset_of!(Job, weights),
    offset_of!(Job, panel),
    offset_of!(Job, taps),
    offset_of!(Job, count),
    offset_of!(Job, fours),
    offset_of!(Job, rest),
    offset_of!(Job, features),
    offset_of!(Job, from),
    offset_of!(Job, to),
    offset_of!(Job, positions),
    offset_of!(Job, scale),
    offset_of!(Job, bias),
    offset_of!(Job, results),
    offset_of!(Job, added),
]));

// q8 to q15: the sums of eight outputs by four positions; where there are fewer, the last one stands for the others
std::arch::global_asm!(
    ".arch armv7-a",
    ".fpu neon",
    ".syntax unified",
    ".arm",
    ".p2align 3",
    ".globl gaitd_supernet_v7_tile",
    ".hidden gaitd_supernet_v7_tile",
    ".type gaitd_supernet_v7_tile, %function",
    // one input channel of four positions, by the weights in \a and \b
    ".macro gaitd_multiply a, b, w, x, y, z",
    "vmla.f32 q8, \\a, \\w",
    "vmla.f32 q9, \\b, \\w",
    "vmla.f32 q10, \\a, \\x",
    "vmla.f32 q11, \\b, \\x",
    "vmla.f32 q12, \\a, \\y",
    "vmla.f32 q13, \\b, \\y",
    "vmla.f32 q14, \\a, \\z",
    "vmla.f32 q15, \\b, \\z",
    ".endm",
    // the sums of a position to go on from, which are the registers \\first to \\last
    ".macro gaitd_begun first, last",
    "ldr r1, [r10], #4",
    "subs r11, r11, #1",
    "add r1, r12, r1, lsl #2",
    "vld1.32 {{\\first-\\last}}, [r1]",
    ".endm",
    // scales, shifts, adds, rectifies and stores the sums \\a and \\b, which are the registers \\first to \\last
    ".macro gaitd_finish a, b, first, last",
    "ldr r7, [r1], #4",
    "vmul.f32 \\a, \\a, q0",
    "vmul.f32 \\b, \\b, q1",
    "cmp r6, #0",
    "vadd.f32 \\a, \\a, q2",
    "vadd.f32 \\b, \\b, q3",
    "beq 1f",
    "add r8, r6, r7, lsl #2",
    "vld1.32 {{d8-d11}}, [r8]",
    "vadd.f32 \\a, \\a, q4",
    "vadd.f32 \\b, \\b, q5",
    "1: vmax.f32 \\a, \\a, q6",
    "add r7, r5, r7, lsl #2",
    "vmax.f32 \\b, \\b, q6",
    "vst1.32 {{\\first-\\last}}, [r7]",
    ".endm",
    // r0: the job
    "gaitd_supernet_v7_tile:",
    "push {{r4-r11, lr}}",
    "vpush {{d8-d15}}",
    "sub sp, sp, #16",
    // r8: features, r9: from, r10: to, r11: positions
    "add r8, r0, #{features}",
    "ldmia r8, {{r8-r11}}",
    "ldr r12, [r0, #{begun}]",
    "cmp r11, #3",
    "ldmiahi r9, {{r4-r7}}",
    "bhi 2f",
    "ldr r4, [r9]",
    "mov r5, r4",
    "ldrhs r5, [r9, #4]",
    "mov r6, r5",
    "ldrhs r6, [r9, #8]",
    "mov r7, r6",
    "cmp r11, #2",
    "ldreq r5, [r9, #4]",
    "2: add r4, r8, r4, lsl #2",
    "add r5, r8, r5, lsl #2",
    "add r6, r8, r6, lsl #2",
    "add r7, r8, r7, lsl #2",
    "stmia sp, {{r4-r7}}",
    "cmp r12, #0",
    "bne 10f",
    "vmov.i32 q8, #0",
    "vmov.i32 q9, #0",
    "vmov.i32 q10, #0",
    "vmov.i32 q11, #0",
    "vmov.i32 q12, #0",
    "vmov.i32 q13, #0",
    "vmov.i32 q14, #0",
    "vmov.i32 q15, #0",
    // r1: the first weight; r12: how many taps are left, of which r3 is the first
    "11: ldmia r0, {{r1, r2, r3, r12}}",
    "cmp r12, #0",
    "beq 8f",
    // r2, r4 to r7: where the tap reads; r8, r9: steps of four channels and of one
    "3: ldmia r3!, {{r10, r11}}",
    "ldmia sp, {{r4-r7}}",
    "ldrd r8, r9, [r0, #{fours}]",
    "add r4, r4, r10, lsl #2",
    "add r5, r5, r10, lsl #2",
    "add r6, r6, r10, lsl #2",
    "add r7, r7, r10, lsl #2",
    "add r2, r1, r11, lsl #2",
    "cmp r8, #0",
    "beq 5f",
    // four channels
    "4: vld1.32 {{d0-d1}}, [r4]!",
    "vld1.32 {{d8-d11}}, [r2]!",
    "vld1.32 {{d2-d3}}, [r5]!",
    "vld1.32 {{d4-d5}}, [r6]!",
    "vld1.32 {{d6-d7}}, [r7]!",
    "vld1.32 {{d12-d15}}, [r2]!",
    "gaitd_multiply q4, q5, d0[0], d2[0], d4[0], d6[0]",
    "vld1.32 {{d8-d11}}, [r2]!",
    "gaitd_multiply q6, q7, d0[1], d2[1], d4[1], d6[1]",
    "vld1.32 {{d12-d15}}, [r2]!",
    "subs r8, r8, #1",
    "gaitd_multiply q4, q5, d1[0], d3[0], d5[0], d7[0]",
    "gaitd_multiply q6, q7, d1[1], d3[1], d5[1], d7[1]",
    "bne 4b",
    "5: cmp r9, #0",
    "beq 7f",
    // one channel
    "6: vld1.32 {{d8-d11}}, [r2]!",
    "vld1.32 {{d0[0]}}, [r4]!",
    "vld1.32 {{d2[0]}}, [r5]!",
    "vld1.32 {{d4[0]}}, [r6]!",
    "vld1.32 {{d6[0]}}, [r7]!",
    "subs r9, r9, #1",
    "gaitd_multiply q4, q5, d0[0], d2[0], d4[0], d6[0]",
    "bne 6b",
    "7: subs r12, r12, #1",
    "bne 3b",
    // r1: to, r2: positions, r3: scale, r4: bias, r5: results, r6: added
    "8: ldrb r7, [r0, #{relu}]",
    "add r1, r0, #{to}",
    "ldmia r1, {{r1-r6}}",
    "vld1.32 {{d0-d3}}, [r3]",
    "vld1.32 {{d4-d7}}, [r4]",
    // below which nothing is let
    "vmov.i32 q6, #0",
    "cmp r7, #0",
    "moveq r7, #0xff000000",
    "orreq r7, r7, #0x800000",
    "vdupeq.32 q6, r7",
    "gaitd_finish q8, q9, d16, d19",
    "subs r2, r2, #1",
    "beq 9f",
    "gaitd_finish q10, q11, d20, d23",
    "subs r2, r2, #1",
    "beq 9f",
    "gaitd_finish q12, q13, d24, d27",
    "subs r2, r2, #1",
    "beq 9f",
    "gaitd_finish q14, q15, d28, d31",
    "9: add sp, sp, #16",
    "vpop {{d8-d15}}",
    "pop {{r4-r11, pc}}",
    // sums of no position stay what they were: none is stored
    "10: gaitd_begun d16, d19",
    "beq 11b",
    "gaitd_begun d20, d23",
    "beq 11b",
    "gaitd_begun d24, d27",
    "beq 11b",
    "gaitd_begun d28, d31",
    "b 11b",
    ".size gaitd_supernet_v7_tile, . - gaitd_supernet_v7_tile",
    ".purgem gaitd_multiply",
    ".purgem gaitd_begun",
    ".purgem gaitd_finish",
    fours = const offset_of!(Job, fours),
    features = const offset_of!(Job, features),
    to = const offset_of!(Job, to),
    relu = const offset_of!(Job, relu),
    begun = const offset_of!(Job, begun),
);

unsafe extern "C" {
    fn gaitd_supernet_v7_tile(job: *const Job);
}

/// Eight outputs by one to four positions.
///
/// # Safety
/// The job must be of so many positions and within its memory, and the processor must have NEON.
pub(super) unsafe fn tile(job: &Job) {
    // SAFETY: the caller vouches for the job
    unsafe { gaitd_supernet_v7_tile(job) }
}
