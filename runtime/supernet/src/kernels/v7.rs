//! A kernel for 32-bit ARM processors with NEON, in assembly: Rust has no vectors for them (rust-lang/rust#111800), and what
//! it compiles from arrays is scalar. The linear layer is plain.

use std::fs;

use super::job::Job;
use super::{Classifier, Form, Kernel, Set};

/// Output channels of a tile.
const OUTPUTS: usize = 8;
/// Positions of a tile; where there are fewer, the last one stands for the others, and its results go nowhere.
const POSITIONS: usize = 4;

// q8 to q15: the sums of eight outputs by four positions
std::arch::global_asm!(
    ".arch armv7-a",
    ".fpu neon",
    ".syntax unified",
    ".arm",
    ".p2align 3",
    ".globl gaitd_supernet_v7",
    ".hidden gaitd_supernet_v7",
    ".type gaitd_supernet_v7, %function",
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
    // scales, shifts, adds, rectifies and stores the sums \a and \b
    ".macro gaitd_finish a, b, added, to",
    "vmov q4, q2",
    "vmov q5, q3",
    "vmla.f32 q4, \\a, q0",
    "vmla.f32 q5, \\b, q1",
    "cmp r8, #0",
    "beq 1f",
    "vld1.32 {{d14-d15}}, [\\added]!",
    "vadd.f32 q4, q4, q7",
    "vld1.32 {{d14-d15}}, [\\added]",
    "vadd.f32 q5, q5, q7",
    "1: cmp r2, #0",
    "beq 2f",
    "vmax.f32 q4, q4, q6",
    "vmax.f32 q5, q5, q6",
    "2: vst1.32 {{d8-d11}}, [\\to]",
    ".endm",
    // r0: taps, r1: how many, r2: Starts, r3: Ends
    "gaitd_supernet_v7:",
    "push {{r4-r11, lr}}",
    "vpush {{d8-d15}}",
    "ldr r12, [r2, #20]",
    "ldr r4, [r2, #24]",
    "vldmia r4, {{d16-d31}}",
    "cmp r1, #0",
    "beq 8f",
    // a tap
    "3: ldmia r0!, {{r10, r11}}",
    "ldmia r2, {{r4-r8}}",
    "add r4, r4, r10, lsl #2",
    "add r5, r5, r10, lsl #2",
    "add r6, r6, r10, lsl #2",
    "add r7, r7, r10, lsl #2",
    "add r8, r8, r11, lsl #2",
    "subs r9, r12, #4",
    "blt 5f",
    // four channels
    "4: vld1.32 {{d0-d1}}, [r4]!",
    "vld1.32 {{d8-d11}}, [r8]!",
    "vld1.32 {{d2-d3}}, [r5]!",
    "vld1.32 {{d4-d5}}, [r6]!",
    "vld1.32 {{d6-d7}}, [r7]!",
    "vld1.32 {{d12-d15}}, [r8]!",
    "gaitd_multiply q4, q5, d0[0], d2[0], d4[0], d6[0]",
    "vld1.32 {{d8-d11}}, [r8]!",
    "gaitd_multiply q6, q7, d0[1], d2[1], d4[1], d6[1]",
    "vld1.32 {{d12-d15}}, [r8]!",
    "subs r9, r9, #4",
    "gaitd_multiply q4, q5, d1[0], d3[0], d5[0], d7[0]",
    "gaitd_multiply q6, q7, d1[1], d3[1], d5[1], d7[1]",
    "bge 4b",
    "5: adds r9, r9, #4",
    "beq 7f",
    // one channel
    "6: vld1.32 {{d8-d11}}, [r8]!",
    "vld1.32 {{d0[0]}}, [r4]!",
    "vld1.32 {{d2[0]}}, [r5]!",
    "vld1.32 {{d4[0]}}, [r6]!",
    "vld1.32 {{d6[0]}}, [r7]!",
    "subs r9, r9, #1",
    "gaitd_multiply q4, q5, d0[0], d2[0], d4[0], d6[0]",
    "bne 6b",
    "7: subs r1, r1, #1",
    "bne 3b",
    "8: ldmia r3, {{r0, r1, r2, r4-r7}}",
    "add r12, r3, #28",
    "ldmia r12, {{r8-r11}}",
    "vld1.32 {{d0-d3}}, [r0]",
    "vld1.32 {{d4-d7}}, [r1]",
    "vmov.i32 q6, #0",
    "gaitd_finish q8, q9, r8, r4",
    "gaitd_finish q10, q11, r9, r5",
    "gaitd_finish q12, q13, r10, r6",
    "gaitd_finish q14, q15, r11, r7",
    "vpop {{d8-d15}}",
    "pop {{r4-r11, pc}}",
    ".size gaitd_supernet_v7, . - gaitd_supernet_v7",
    ".purgem gaitd_multiply",
    ".purgem gaitd_finish",
);

/// Where a tile reads.
#[repr(C)]
struct Starts {
    features: [*const f32; POSITIONS],
    weights: *const f32,
    channels: usize,
    sums: *const [[f32; OUTPUTS]; POSITIONS],
}

/// What becomes of the sums.
#[repr(C)]
struct Ends {
    scale: *const f32,
    bias: *const f32,
    relu: usize,
    results: [*mut f32; POSITIONS],
    /// Null where nothing is added.
    added: [*const f32; POSITIONS],
}

unsafe extern "C" {
    fn gaitd_supernet_v7(taps: *const crate::plan::Tap, count: usize, starts: *const Starts, ends: *const Ends);
}

/// Eight outputs by `COUNT` positions.
///
/// # Safety
/// The job must be of so many positions and within its memory, and the processor must have NEON.
unsafe fn tile<const COUNT: usize>(job: &Job) {
    let mut nowhere = [0.0_f32; OUTPUTS];
    let nowhere = nowhere.as_mut_ptr();
    static ZEROS: [[f32; OUTPUTS]; POSITIONS] = [[0.0; OUTPUTS]; POSITIONS];
    let begun;
    // SAFETY: the caller vouches for the job; what has no position of its own reads where the last one does
    unsafe {
        let place = |position: usize| *job.from.add(position.min(COUNT - 1)) as usize;
        let to = |position: usize| *job.to.add(position) as usize;
        let sums = if job.begun.is_null() {
            &raw const ZEROS
        } else {
            begun = std::array::from_fn(|at| {
                if at < COUNT { job.begun.add(to(at)).cast::<[f32; OUTPUTS]>().read() } else { [0.0; OUTPUTS] }
            });
            &raw const begun
        };
        let starts = Starts {
            features: std::array::from_fn(|position| job.features.add(place(position))),
            weights: job.weights,
            channels: 4 * job.fours + job.rest,
            sums,
        };
        let ends = Ends {
            scale: job.scale,
            bias: job.bias,
            relu: job.relu.into(),
            results: std::array::from_fn(|at| if at < COUNT { job.results.add(to(at)) } else { nowhere }),
            added: std::array::from_fn(|at| match (job.added.is_null(), at < COUNT) {
                (true, _) => std::ptr::null(),
                (false, true) => job.added.add(to(at)),
                (false, false) => nowhere.cast_const(),
            }),
        };
        gaitd_supernet_v7(job.taps, job.count, &raw const starts, &raw const ends);
    }
}

pub(crate) static SET: Set = Set {
    name: "neon",
    panel: OUTPUTS,
    round: OUTPUTS,
    lanes: super::plain::LANES,
    forms: &[Form {
        vectors: 1,
        lanes: OUTPUTS,
        taps: None,
        kernels: &[
            (1, Kernel::Raw(tile::<1>)),
            (2, Kernel::Raw(tile::<2>)),
            (3, Kernel::Raw(tile::<3>)),
            (4, Kernel::Raw(tile::<4>)),
        ],
    }],
    classify: Classifier::Plain,
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
