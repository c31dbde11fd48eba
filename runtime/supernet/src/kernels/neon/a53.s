// Eight outputs by nine positions for Cortex-A53 and A55, on which a load of 128 bits takes two cycles and pairs with no
// multiplication. So vectors are loaded in halves: one to its register, beside the insertion of the half that was loaded
// before, the other to a general register, beside a multiplication. Every load stands before three multiplications.
//
// Registers: sums as in a tile of two vectors; v2 to v9: weights of four channels; v10 to v12 and v13 to v15: inputs of three
// positions each, of which one is filled while the other is multiplied. x1 to x9: the positions' features; x10, x11: where
// the two halves of a vector of features stand; x12: weights, x13: their first; x14, x15: the next tap, and how many are
// left with this one; x16: how often four channels are left of it; x17: the half that waits for its insertion.

// three of the six products of a channel and three positions
.macro gaitd_three group, lane, inputs, half
    gaitd_fmla %((16 + 6 * \group + 3 * \half) & 31), %(2 + 2 * \lane + \half), %(\inputs + \half), \lane
    gaitd_fmla %((17 + 6 * \group + 3 * \half) & 31), %(3 + 2 * \lane - \half), %(\inputs + 2 * \half), \lane
    gaitd_fmla %((18 + 6 * \group + 3 * \half) & 31), %(2 + 2 * \lane + \half), %(\inputs + 1 + \half), \lane
.endm

// the same, while the vector at \first is loaded to \into, and the half of \before is inserted that has waited
.macro gaitd_three_and group, lane, inputs, half, into, before, base, first, second
    ldr d\into, [\base, \first]
    ins v\before\().d[1], x17
    gaitd_fmla %((16 + 6 * \group + 3 * \half) & 31), %(2 + 2 * \lane + \half), %(\inputs + \half), \lane
    ldr x17, [\base, \second]
    gaitd_fmla %((17 + 6 * \group + 3 * \half) & 31), %(3 + 2 * \lane - \half), %(\inputs + 2 * \half), \lane
    gaitd_fmla %((18 + 6 * \group + 3 * \half) & 31), %(2 + 2 * \lane + \half), %(\inputs + 1 + \half), \lane
.endm

// four channels of nine positions, those of the first three in the registers from \this on
.macro gaitd_narrow_step this, other
    gaitd_three_and 0, 0, \this, 0, 7, 6, x12, #80, #88
    gaitd_three_and 0, 0, \this, 1, 8, 7, x12, #96, #104
    gaitd_three_and 0, 1, \this, 0, 9, 8, x12, #112, #120
    gaitd_three_and 0, 1, \this, 1, \other, 9, x4, x10, x11
    gaitd_three 0, 2, \this, 0
    gaitd_three_and 0, 2, \this, 1, %(\other + 1), \other, x5, x10, x11
    gaitd_three 0, 3, \this, 0
    gaitd_three_and 0, 3, \this, 1, %(\other + 2), %(\other + 1), x6, x10, x11

    gaitd_three_and 1, 0, \other, 0, \this, %(\other + 2), x7, x10, x11
    gaitd_three 1, 0, \other, 1
    gaitd_three_and 1, 1, \other, 0, %(\this + 1), \this, x8, x10, x11
    gaitd_three 1, 1, \other, 1
    gaitd_three_and 1, 2, \other, 0, %(\this + 2), %(\this + 1), x9, x10, x11
    add x10, x10, #16
    gaitd_three 1, 2, \other, 1
    add x11, x11, #16
    gaitd_three 1, 3, \other, 0
    add x12, x12, #128
    subs x16, x16, #1
    b.ne 4f
    subs x15, x15, #1
    b.eq 3f
    // the next tap
    ldp w10, w12, [x14], #8
    ldr x16, [x0, #{fours}]
    lsl x10, x10, #2
    add x11, x10, #8
    add x12, x13, x12, lsl #2
    b 4f
    // what is loaded after the last four channels is not used: those once more
3:  sub x10, x10, #16
    sub x11, x11, #16
    sub x12, x12, #128
4:  gaitd_three 1, 3, \other, 1

    gaitd_three_and 2, 0, \this, 0, \other, %(\this + 2), x1, x10, x11
    gaitd_three_and 2, 0, \this, 1, %(\other + 1), \other, x2, x10, x11
    gaitd_three_and 2, 1, \this, 0, 2, %(\other + 1), x12, #0, #8
    gaitd_three_and 2, 1, \this, 1, 3, 2, x12, #16, #24
    gaitd_three_and 2, 2, \this, 0, 4, 3, x12, #32, #40
    gaitd_three_and 2, 2, \this, 1, 5, 4, x12, #48, #56
    gaitd_three_and 2, 3, \this, 0, %(\other + 2), 5, x3, x10, x11
    gaitd_three_and 2, 3, \this, 1, 6, %(\other + 2), x12, #64, #72
.endm

// x0: the job, of one tap and four channels at least, and of nothing but whole fours of them
.globl gaitd_supernet_neon_a53_2x9
.hidden gaitd_supernet_neon_a53_2x9
.type gaitd_supernet_neon_a53_2x9, %function
.p2align 4
gaitd_supernet_neon_a53_2x9:
    gaitd_keep 2
    gaitd_begin 2, 9
    ldp w10, w12, [x14], #8
    ldr x16, [x0, #{fours}]
    lsl x10, x10, #2
    add x11, x10, #8
    add x12, x13, x12, lsl #2
    ldr q10, [x1, x10]
    ldr q11, [x2, x10]
    ldr q12, [x3, x10]
    ldp q2, q3, [x12]
    ldp q4, q5, [x12, #32]
    ldr q6, [x12, #64]
    ldr x17, [x12, #72]
1:  gaitd_narrow_step 10, 13
    cbz x15, 2f
    gaitd_narrow_step 13, 10
    cbnz x15, 1b
2:  gaitd_end 2, 9
    gaitd_return 2
    gaitd_begun 2, 9
    .size gaitd_supernet_neon_a53_2x9, . - gaitd_supernet_neon_a53_2x9
