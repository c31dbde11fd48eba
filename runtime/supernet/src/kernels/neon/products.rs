//! The products of the linear layer on aarch64, six classes at a time: a compiler adds to a pointer for each class.

use std::arch::asm;

use super::super::vector;
use super::Four;

/// [`vector::products`]
///
/// # Safety
/// As [`vector::products`].
#[inline(always)]
pub(super) unsafe fn add<const COUNT: usize>(
    sums: &mut [Four; COUNT],
    (features, steps, step): (*const f32, usize, usize),
    (weights, stride): (*const f32, usize),
    blocks: usize,
) {
    // SAFETY: the caller vouches for the places
    unsafe {
        if let ([a, b, c, d, e, f], 1, 1..) = (sums.as_mut_slice(), steps, blocks) {
            asm!(
                "2:",
                "ldr {x:q}, [{features}], #16",
                "ldp {u:q}, {v:q}, [{weights}]",
                "ldp {w:q}, {y:q}, [{weights}, #32]",
                "fmla {a:v}.4s, {u:v}.4s, {x:v}.4s",
                "fmla {b:v}.4s, {v:v}.4s, {x:v}.4s",
                "ldp {u:q}, {v:q}, [{weights}, #64]",
                "add {weights}, {weights}, {stride}",
                "subs {blocks}, {blocks}, #1",
                "fmla {c:v}.4s, {w:v}.4s, {x:v}.4s",
                "fmla {d:v}.4s, {y:v}.4s, {x:v}.4s",
                "fmla {e:v}.4s, {u:v}.4s, {x:v}.4s",
                "fmla {f:v}.4s, {v:v}.4s, {x:v}.4s",
                "b.ne 2b",
                a = inout(vreg) a.0,
                b = inout(vreg) b.0,
                c = inout(vreg) c.0,
                d = inout(vreg) d.0,
                e = inout(vreg) e.0,
                f = inout(vreg) f.0,
                x = out(vreg) _,
                u = out(vreg) _,
                v = out(vreg) _,
                w = out(vreg) _,
                y = out(vreg) _,
                features = inout(reg) features => _,
                weights = inout(reg) weights => _,
                blocks = inout(reg) blocks => _,
                stride = in(reg) size_of::<f32>() * stride,
                options(nostack, readonly),
            );
            return;
        }
        vector::products(sums, (features, steps, step), (weights, stride), blocks);
    }
}
