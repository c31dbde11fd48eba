// The macros of all tiles, and those that are for every processor. Names in braces are places in a `Job`, which the Rust
// file of the same name puts in.
//
// Numbers of vector registers count from v16 on, so that those that a function has to keep, v8 to v15, come last: first the
// sums, those of a position together, then one register for each position's inputs, then four for weights.

.altmacro
.macro gaitd_zero sum
    movi v\sum\().2d, #0
.endm
.macro gaitd_fmla sum, weight, input, lane
    fmla v\sum\().4s, v\weight\().4s, v\input\().s[\lane]
.endm

// vector number `vector` of the sums of all positions, by the weights in `weight`
.macro gaitd_column vectors, positions, vector, weight, lane
    .set .Lposition, 0
    .rept \positions
        gaitd_fmla %((16 + .Lposition * \vectors + \vector) & 31), %((16 + \vectors * \positions + \positions + \weight) & 31), %((16 + \vectors * \positions + .Lposition) & 31), \lane
        .set .Lposition, .Lposition + 1
    .endr
.endm

// two vectors or one from \place on
.macro gaitd_two one, other, place:vararg
    ldp q\one, q\other, \place
.endm
.macro gaitd_one one, place:vararg
    ldr q\one, \place
.endm
.macro gaitd_weights vectors, positions, first, place:vararg
    .if \vectors == 1
        gaitd_one %((16 + \vectors * \positions + \positions + \first) & 31), \place
    .else
        gaitd_two %((16 + \vectors * \positions + \positions + \first) & 31), %((17 + \vectors * \positions + \positions + \first) & 31), \place
    .endif
.endm

// the inputs of a position: `width` is q for four of them, s for one
.macro gaitd_input_at width, input, pointer, bytes
    ldr \width\input, [x\pointer], #\bytes
.endm
.macro gaitd_input_of width, input, pointer
    ldr \width\input, [x\pointer, x16]
.endm
.macro gaitd_inputs vectors, positions, width, bytes
    .set .Lposition, 0
    .rept \positions
        .if \vectors == 4
            gaitd_input_at \width, %((16 + \vectors * \positions + .Lposition) & 31), %(.Lposition + 6), \bytes
        .else
            gaitd_input_of \width, %((16 + \vectors * \positions + .Lposition) & 31), %(.Lposition + 1)
        .endif
        .set .Lposition, .Lposition + 1
    .endr
    .if \vectors != 4
        add x16, x16, #\bytes
    .endif
.endm

// a tile's pointers: x1 and so on to the positions' features, and of four vectors x6 and so on to a tap's
.macro gaitd_from pointer
    ldr w\pointer, [x15], #4
    add x\pointer, x16, x\pointer, lsl #2
.endm
.macro gaitd_from_two pointer, next
    ldp w\pointer, w\next, [x15], #8
    add x\pointer, x16, x\pointer, lsl #2
    add x\next, x16, x\next, lsl #2
.endm
.macro gaitd_tap_at pointer, base
    add x\pointer, x\base, x16, lsl #2
.endm

.macro gaitd_scaled sum, scale, bias
    fmul v\sum\().4s, v\sum\().4s, v\scale\().4s
    fadd v\sum\().4s, v\sum\().4s, v\bias\().4s
.endm
.macro gaitd_rectified sum, floor
    fmax v\sum\().4s, v\sum\().4s, v\floor\().4s
.endm
.macro gaitd_add_one sum, other, offset
    ldr q\other, [x2, #\offset]
    fadd v\sum\().4s, v\sum\().4s, v\other\().4s
.endm
.macro gaitd_store_one sum, offset
    str q\sum, [x1, #\offset]
.endm
.macro gaitd_store_two sum, next, offset
    stp q\sum, q\next, [x1, #\offset]
.endm

// scales, shifts, adds where `added`, rectifies and stores the sums of all positions
.macro gaitd_finish vectors, positions, added
    .set .Lposition, 0
    .rept \positions
        ldr w1, [x15], #4
        .if \added
            add x2, x17, x1, lsl #2
        .endif
        add x1, x16, x1, lsl #2
        .set .Lvector, 0
        .rept \vectors
            gaitd_scaled %((16 + .Lposition * \vectors + .Lvector) & 31), %((16 + \positions * \vectors + .Lvector) & 31), %((16 + (\positions + 1) * \vectors + .Lvector) & 31)
            .set .Lvector, .Lvector + 1
        .endr
        .set .Lvector, 0
        .rept \vectors
            .if \added
                gaitd_add_one %((16 + .Lposition * \vectors + .Lvector) & 31), %((17 + (\positions + 2) * \vectors) & 31), %(16 * .Lvector)
            .endif
            gaitd_rectified %((16 + .Lposition * \vectors + .Lvector) & 31), %((16 + (\positions + 2) * \vectors) & 31)
            .set .Lvector, .Lvector + 1
        .endr
        .if \vectors == 1
            gaitd_store_one %((16 + .Lposition) & 31), 0
        .else
            .set .Lvector, 0
            .rept \vectors / 2
                gaitd_store_two %((16 + .Lposition * \vectors + .Lvector) & 31), %((17 + .Lposition * \vectors + .Lvector) & 31), %(16 * .Lvector)
                .set .Lvector, .Lvector + 2
            .endr
        .endif
        .set .Lposition, .Lposition + 1
    .endr
.endm

// scale and bias, from x13 and x14 on, and below which nothing is let
.macro gaitd_ends vectors, positions
    .set .Lvector, 0
    .rept \vectors
        gaitd_one %((16 + \positions * \vectors + .Lvector) & 31), [x13], #16
        gaitd_one %((16 + (\positions + 1) * \vectors + .Lvector) & 31), [x14], #16
        .set .Lvector, .Lvector + 1
    .endr
    gaitd_zero %((16 + (\positions + 2) * \vectors) & 31)
.endm
.macro gaitd_no_floor vectors, positions
    gaitd_lowest %((16 + (\positions + 2) * \vectors) & 31)
.endm
.macro gaitd_lowest register
    mov w1, #0xff800000
    dup v\register\().4s, w1
.endm

// keeps the registers that a function must keep: of vectors all, and two general ones where \vectors is not 2
.macro gaitd_keep vectors
    stp d8, d9, [sp, #-80]!
    stp d10, d11, [sp, #16]
    stp d12, d13, [sp, #32]
    stp d14, d15, [sp, #48]
    .if \vectors != 2
        stp x19, x20, [sp, #64]
    .endif
.endm
.macro gaitd_return vectors
    .if \vectors != 2
        ldp x19, x20, [sp, #64]
    .endif
    ldp d14, d15, [sp, #48]
    ldp d12, d13, [sp, #32]
    ldp d10, d11, [sp, #16]
    ldp d8, d9, [sp], #80
    ret
.endm

// sums of nothing, or at gaitd_begun those to go on from; x1 and so on: the positions' features; x13: weights, x14: taps,
// x15: how many
.macro gaitd_begin vectors, positions
    ldr x17, [x0, #{begun}]
    cbnz x17, 15f
    .set .Lnumber, 0
    .rept \vectors * \positions
        gaitd_zero %((16 + .Lnumber) & 31)
        .set .Lnumber, .Lnumber + 1
    .endr
16: ldp x16, x15, [x0, #{features}]
    .set .Lnumber, 1
    .rept \positions / 2
        gaitd_from_two %(.Lnumber), %(.Lnumber + 1)
        .set .Lnumber, .Lnumber + 2
    .endr
    .if \positions % 2
        gaitd_from \positions
    .endif
    ldr x13, [x0, #{weights}]
    ldp x14, x15, [x0, #{taps}]
.endm

// behind a function's end, so that sums of nothing need no jump: loads those at x17 and goes back to gaitd_begin
.macro gaitd_begun vectors, positions
15: ldr x15, [x0, #{to}]
    .set .Lnumber, 0
    .rept \positions
        ldr w1, [x15], #4
        add x1, x17, x1, lsl #2
        .if \vectors == 1
            gaitd_one %((16 + .Lnumber) & 31), [x1]
            .set .Lnumber, .Lnumber + 1
        .else
            .rept \vectors / 2
                gaitd_two %((16 + .Lnumber) & 31), %((17 + .Lnumber) & 31), [x1], #32
                .set .Lnumber, .Lnumber + 2
            .endr
        .endif
    .endr
    b 16b
.endm

// scales, shifts, adds, rectifies and stores
.macro gaitd_end vectors, positions
    ldp x13, x14, [x0, #{scale}]
    gaitd_ends \vectors, \positions
    ldrb w1, [x0, #{relu}]
    ldr x15, [x0, #{to}]
    ldp x16, x17, [x0, #{results}]
    cbnz w1, 12f
    gaitd_no_floor \vectors, \positions
12: cbnz x17, 13f
    gaitd_finish \vectors, \positions, 0
    b 14f
13: gaitd_finish \vectors, \positions, 1
14:
.endm

// x0: the job. x13: weights, x14: taps, x15: how many are left, x16: a tap's place, x17: its weights, and of a second panel
// in x11, which is x12 bytes behind. \fours, \rest: steps of four channels and of one that are left
.macro gaitd_tile vectors, positions, fours, rest
    .globl gaitd_supernet_neon_\vectors\()x\positions
    .hidden gaitd_supernet_neon_\vectors\()x\positions
    .type gaitd_supernet_neon_\vectors\()x\positions, %function
    .p2align 4
gaitd_supernet_neon_\vectors\()x\positions:
    .set .Lkept, (\vectors * \positions + \positions + 4 > 24) || ((\positions + 2) * \vectors + 2 > 24)
    .if .Lkept
        gaitd_keep \vectors
    .elseif \vectors != 2
        stp x19, x20, [sp, #-16]!
    .endif
    gaitd_begin \vectors, \positions
    .if \vectors == 4
        ldr x12, [x0, #{panel}]
        lsl x12, x12, #2
    .endif
    cbz x15, 8f

2:  ldp w16, w17, [x14], #8
    ldp \fours, \rest, [x0, #{fours}]
    add x17, x13, x17, lsl #2
    .if \vectors == 4
        add x11, x17, x12
        .set .Lnumber, 1
        .rept \positions
            gaitd_tap_at %(.Lnumber + 5), %(.Lnumber)
            .set .Lnumber, .Lnumber + 1
        .endr
    .else
        lsl x16, x16, #2
    .endif
    cbz \fours, 5f

3:  .if \vectors == 4
        gaitd_weights 4, \positions, 0, [x17], #128
        gaitd_inputs 4, \positions, q, 16
        gaitd_weights 4, \positions, 2, [x11], #128
        .set .Llane, 0
        .rept 4
            gaitd_lane_of_four \positions, %(.Llane), %(32 * .Llane - 96)
            .set .Llane, .Llane + 1
        .endr
    .elseif \vectors == 2
        gaitd_weights 2, \positions, 0, [x17], #128
        gaitd_inputs 2, \positions, q, 16
        gaitd_weights 2, \positions, 2, [x17, #-96]
        gaitd_column 2, \positions, 0, 0, 0
        gaitd_column 2, \positions, 1, 1, 0
        gaitd_weights 2, \positions, 0, [x17, #-64]
        gaitd_column 2, \positions, 0, 2, 1
        gaitd_column 2, \positions, 1, 3, 1
        gaitd_weights 2, \positions, 2, [x17, #-32]
        gaitd_column 2, \positions, 0, 0, 2
        gaitd_column 2, \positions, 1, 1, 2
        gaitd_column 2, \positions, 0, 2, 3
        gaitd_column 2, \positions, 1, 3, 3
    .else
        gaitd_weights 1, \positions, 0, [x17], #128
        gaitd_inputs 1, \positions, q, 16
        gaitd_weights 1, \positions, 1, [x17, #-96]
        gaitd_weights 1, \positions, 2, [x17, #-64]
        gaitd_weights 1, \positions, 3, [x17, #-32]
        gaitd_column 1, \positions, 0, 0, 0
        gaitd_column 1, \positions, 0, 1, 1
        gaitd_column 1, \positions, 0, 2, 2
        gaitd_column 1, \positions, 0, 3, 3
    .endif
    subs \fours, \fours, #1
    b.ne 3b

5:  cbz \rest, 7f
6:  gaitd_weights \vectors, \positions, 0, [x17], #32
    .if \vectors == 4
        gaitd_weights 4, \positions, 2, [x11], #32
    .endif
    gaitd_inputs \vectors, \positions, s, 4
    .set .Lnumber, 0
    .rept \vectors
        gaitd_column \vectors, \positions, %(.Lnumber), %(.Lnumber), 0
        .set .Lnumber, .Lnumber + 1
    .endr
    subs \rest, \rest, #1
    b.ne 6b
7:  subs x15, x15, #1
    b.ne 2b

8:  gaitd_end \vectors, \positions
    .if .Lkept
        gaitd_return \vectors
    .else
        .if \vectors != 2
            ldp x19, x20, [sp], #16
        .endif
        ret
    .endif
    gaitd_begun \vectors, \positions
    .size gaitd_supernet_neon_\vectors\()x\positions, . - gaitd_supernet_neon_\vectors\()x\positions
.endm

// one channel of two panels; the weights of the next one are loaded as soon as these are used
.macro gaitd_lane_of_four positions, lane, next
    gaitd_column 4, \positions, 0, 0, \lane
    gaitd_column 4, \positions, 1, 1, \lane
    .if \lane < 3
        gaitd_weights 4, \positions, 0, [x17, #\next]
    .endif
    gaitd_column 4, \positions, 2, 2, \lane
    gaitd_column 4, \positions, 3, 3, \lane
    .if \lane < 3
        gaitd_weights 4, \positions, 2, [x11, #\next]
    .endif
.endm

.irp positions, 1, 2, 3, 4, 5
    gaitd_tile 4, \positions, x19, x20
.endr
.irp positions, 1, 2, 4, 6, 9
    gaitd_tile 2, \positions, x10, x11
.endr
.irp positions, 1, 2, 4, 9, 12
    gaitd_tile 1, \positions, x19, x20
.endr
