//! Armv7E-M, and Armv8-M with DSP: pairs of columns, 13 instructions a group of four pairs, eight weights.
//!
//! x is laid out as halfwords in the matrix's order ([`Sparse`]), so that the word at a position holds two neighbours:
//! `SMLAD sum, (x_p, x_p+1), (w_p, w_p+1)`. A row's groups are entered in the midst of eight that stand in a row;
//! rounding follows at once. A matrix of more than 256 columns has a run of groups in each window of its order.
//!
//! What is read lies inside whatever the bytes: columns of the order are compared with the last one, counts are summed
//! beforehand, and a position is a byte in a window that has 257 halfwords.

use core::arch::global_asm;

use super::armv7em::Finish;
use crate::fixed::Row;
use crate::kernel::{Out, Sparse, WINDOW, order_len, windows};

/// What the instructions read of a layer besides its groups, in the order in which they do.
#[repr(C)]
struct Call {
    x: *const i8,
    order: *const u16,
    to: *mut u32,
    /// last column, in both halves
    last: u32,
    /// of eight columns
    turns: usize,
    counts: *const u16,
    /// of sixteen counts
    sums: usize,
    groups: usize,
    rows: *const Row,
    finish: Finish,
    rows_end: *const Row,
    /// largest output
    limit: i32,
    windows: usize,
    table: *const u32,
    y: *mut u8,
}

// r0 groups, r1 the window's halfwords, r2 counts, r3 rows, r4 sum, r5 groups left, r6 positions, r7–r10 weights, r11 x,
// r12 y, lr multiplier. On the stack: where a run's end goes on, end of the rows, limit, windows left, all halfwords,
// windows, where a row's end goes on.
global_asm!(
    r#"
    .syntax unified
    .macro SMIDGEN_PAIRS
    ldmia.w r0!, {r6-r10}
    uxtb.w r11, r6
    ldr.w r11, [r1, r11, lsl #1]
    smlad r4, r11, r7, r4
    uxtb.w r11, r6, ror #8
    ldr.w r11, [r1, r11, lsl #1]
    smlad r4, r11, r8, r4
    uxtb.w r11, r6, ror #16
    ldr.w r11, [r1, r11, lsl #1]
    smlad r4, r11, r9, r4
    lsr.w r6, r6, #24
    ldr.w r6, [r1, r6, lsl #1]
    smlad r4, r6, r10, r4
    .endm

    .section .text.smidgen_pairs, "ax", %progbits
    .global smidgen_pairs
    .type smidgen_pairs, %function
    .thumb_func
    .balign 4
smidgen_pairs:
    push {r4-r11, lr}
    @ x as halfwords in the order of its columns, eight a turn: r2–r5 columns, r11 the last one twice, r12 turns.
    ldmia.w r1!, {r4, r5, r7, r11, r12}
    push {r0, r1}
    mov r0, r4
    mov r1, r5
    mov lr, r7
10: ldmia.w r1!, {r2-r5}
    uqsub16 r6, r2, r11
    uqsub16 r7, r3, r11
    uqsub16 r8, r4, r11
    uqsub16 r9, r5, r11
    orr r6, r6, r7
    orr r8, r8, r9
    orrs r6, r6, r8
    bne 98f
    uxth r6, r2
    ldrsb.w r6, [r0, r6]
    lsrs r2, r2, #16
    ldrsb.w r2, [r0, r2]
    pkhbt r6, r6, r2, lsl #16
    uxth r7, r3
    ldrsb.w r7, [r0, r7]
    lsrs r3, r3, #16
    ldrsb.w r3, [r0, r3]
    pkhbt r7, r7, r3, lsl #16
    uxth.w r8, r4
    ldrsb.w r8, [r0, r8]
    lsrs r4, r4, #16
    ldrsb.w r4, [r0, r4]
    pkhbt r8, r8, r4, lsl #16
    uxth.w r9, r5
    ldrsb.w r9, [r0, r9]
    lsrs r5, r5, #16
    ldrsb.w r5, [r0, r5]
    pkhbt r9, r9, r5, lsl #16
    stmia.w lr!, {r6-r9}
    subs r12, r12, #1
    bne 10b
    @ Counts, 16 a turn, are in sum at most as many as there are groups.
    pop {r0, r1}
    ldmia.w r1!, {r2, r3, r4}
    mov r5, r2
    movs r6, #0
    mov r11, r4
    mov r12, #0
11: ldmia.w r5!, {r7-r10}
    usada8 r6, r7, r12, r6
    usada8 r6, r8, r12, r6
    usada8 r6, r9, r12, r6
    usada8 r6, r10, r12, r6
    subs r3, r3, #1
    bne 11b
    cmp r6, r11
    bhi 99f
    ldmia.w r1, {r3, r5, r6, r7, r8, r9, r12}
    mov r1, r9
    adr.w r10, 90f
    ldr.w r11, [r10, r5, lsl #2]
    mov r5, r11
    cmp r8, #1
    it ne
    ldrne.w r5, [r10, #12]
    mov r10, r8
    push {r5-r11}
    @ A row, and a window of it: first what is left of eight groups.
20: ldrd r4, lr, [r3], #8
21: ldrb r5, [r2], #1
    and r6, r5, #7
    tbh [pc, r6, lsl #1]
22: .hword (40f - 22b) / 2
    .hword (39f - 22b) / 2
    .hword (38f - 22b) / 2
    .hword (37f - 22b) / 2
    .hword (36f - 22b) / 2
    .hword (35f - 22b) / 2
    .hword (34f - 22b) / 2
    .hword (33f - 22b) / 2
32: SMIDGEN_PAIRS
33: SMIDGEN_PAIRS
34: SMIDGEN_PAIRS
35: SMIDGEN_PAIRS
36: SMIDGEN_PAIRS
37: SMIDGEN_PAIRS
38: SMIDGEN_PAIRS
39: SMIDGEN_PAIRS
40: subs r5, r5, #8
    bge.w 32b
    ldr.w pc, [sp]

    .balign 4
90: .word 50f + 1
    .word 60f + 1
    .word 70f + 1
    .word 80f + 1

50: lsls r4, r4, #8
    smmulr r4, r4, lr
    usat r4, #7, r4
    ldr r6, [sp, #4]
    strb r4, [r12], #1
    cmp r3, r6
    bne.w 20b
    b 97f
60: lsls r4, r4, #8
    smmulr r4, r4, lr
    ssat r4, #8, r4
    ldrd r6, r7, [sp, #4]
    adds r7, r4, r7
    sub.w r4, r4, r7, asr #31
    strb r4, [r12], #1
    cmp r3, r6
    bne.w 20b
    b 97f
70: lsls r4, r4, #8
    smmulr r4, r4, lr
    ssat r4, #16, r4
    ldrd r6, r7, [sp, #4]
    adds r7, r4, r7
    sub.w r4, r4, r7, asr #31
    strh r4, [r12], #2
    cmp r3, r6
    bne.w 20b
97: add sp, sp, #28
    pop {r4-r11, pc}
    @ The next window, or the row's end.
80: ldr r6, [sp, #12]
    add r1, r1, #512
    subs r6, r6, #1
    str r6, [sp, #12]
    bne.w 21b
    ldrd r1, r6, [sp, #16]
    str r6, [sp, #12]
    ldr.w pc, [sp, #24]
98: add sp, sp, #8
99: pop {r4-r11, pc}
"#,
    options(raw)
);

// SAFETY: the function above; what it may be given, its caller says.
unsafe extern "C" {
    fn smidgen_pairs(groups: *const u8, call: *const Call);
}

/// A layer of as many rows as `y` has elements. Nothing is done where something is too short or not at a multiple of 4.
pub fn pairs(x: &[i8], matrix: &Sparse<'_>, rows: &[Row], scratch: &mut [u32], y: &mut Out<'_>) {
    let (n_in, n_out, windows) = (x.len(), y.len(), windows(x.len()));
    let order = order_len(n_in);
    let (Some(last @ 0..0x1_0000), Some(runs)) = (n_in.checked_sub(1), n_out.checked_mul(windows)) else { return };
    let sums = runs.div_ceil(16);
    let aligned = |at: *const u8| at.addr().is_multiple_of(4);
    let fits = n_out > 0
        && rows.len() >= n_out
        && matrix.counts.len() >= order
        && matrix.counts.len() - order >= 8 * sums
        && scratch.len() > windows * (WINDOW / 2)
        && aligned(matrix.counts.as_ptr().cast())
        && aligned(matrix.entries.as_ptr());
    if !fits {
        return;
    }
    let (_, limit) = y.limits();
    let (finish, y) = Finish::of(y);
    let to = scratch.as_mut_ptr();
    let call = Call {
        x: x.as_ptr(),
        order: matrix.counts.as_ptr(),
        to,
        last: last as u32 * 0x1_0001,
        turns: order / 8,
        // SAFETY: `counts` has at least `order` elements.
        counts: unsafe { matrix.counts.as_ptr().add(order) },
        sums,
        groups: matrix.entries.len() / 20,
        rows: rows.as_ptr(),
        finish,
        // SAFETY: `rows` has at least `n_out` elements.
        rows_end: unsafe { rows.as_ptr().add(n_out) },
        limit,
        windows,
        table: to,
        y,
    };
    // SAFETY: it reads `turns` times eight columns of the order and no x beyond the last, and writes as many halfwords,
    // which `scratch` has in whole windows and one word; 16 counts for each of `sums`; a row for each output, and a count
    // for each row and window. Counts are in sum no more than `groups`, or nothing more is done. A position takes two
    // halfwords of 257 from its window's start.
    unsafe { smidgen_pairs(matrix.entries.as_ptr(), &call) };
}
