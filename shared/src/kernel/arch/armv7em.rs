//! Armv7E-M, and Armv8-M with DSP: four rows and four columns a turn, 14 instructions for 16 products.
//!
//! The matrix is packed high-low ([`Packing::HighLow`]): a word of it holds `256·H + L` of two pairs of columns. The
//! input is expanded once a layer into words of `x_H` and of `x' = 256·x_L − x_H`; then
//!
//! ```text
//! SMLAD sum, word, x_H     sum + (256·H + L)·x_H     SXTB16 word     L alone     SMLAD sum, word, x'
//! ```
//!
//! gives 256 times the products of four columns. Sums begin at the bias, stored shifted left by 8, and one SMMULR by
//! the row's multiplier is the whole rounding rule. 16 turns stand in a row; the first round begins in their midst.

use core::arch::global_asm;

use super::csr::csr;
use super::pairs::pairs;
use crate::fixed::Row;
use crate::kernel::sparse::window;
use crate::kernel::{Kernel, Layer, Matrix, Out, Packing, Portable, Sparse, WINDOW};
use crate::op::Layout;

/// Kernels by SMLAD.
pub struct Armv7em;

/// What becomes of sums.
#[repr(u32)]
#[derive(Clone, Copy)]
pub(super) enum Finish {
    /// int8 in [0, 127]
    Relu = 0,
    /// int8 in [−127, 127]
    Signed = 1,
    /// int16 in [−32767, 32767]
    Half = 2,
    /// int32, 256 times the sums, of four rows alone
    Sums = 3,
}

impl Finish {
    /// Of outputs, and where they begin.
    #[inline(always)]
    pub(super) fn of(y: &mut Out<'_>) -> (Finish, *mut u8) {
        match y {
            Out::Relu(y) => (Finish::Relu, y.as_mut_ptr().cast()),
            Out::I8(y) => (Finish::Signed, y.as_mut_ptr().cast()),
            Out::I16(y) => (Finish::Half, y.as_mut_ptr().cast()),
        }
    }
}

// Armv8-M has these instructions by an extension that the target's name does not say.
#[cfg(smidgen_core = "armv8m")]
global_asm!(".cpu cortex-m33");

// r0 weights, r1 expanded input, r2 rows' constants, r3 rounds left, r4–r7 sums, r8–r11 weights, r12 and lr input.
// On the stack: expanded input, rounds, address of the first turn, address of the finish; nine registers; then what the
// caller put there: finish, y, rows left, input, its columns that are to be expanded.
global_asm!(
    r#"
    .syntax unified
    .macro SMIDGEN_TURN
    ldmia.w r0!, {r8-r11}
    ldrd r12, lr, [r1], #8
    smlad r4, r8, r12, r4
    sxtb16 r8, r8
    smlad r5, r9, r12, r5
    sxtb16 r9, r9
    smlad r6, r10, r12, r6
    sxtb16 r10, r10
    smlad r7, r11, r12, r7
    sxtb16 r11, r11
    smlad r4, r8, lr, r4
    smlad r5, r9, lr, r5
    smlad r6, r10, lr, r6
    smlad r7, r11, lr, r7
    .endm

    .macro SMIDGEN_SCALE
    ldmia.w r2!, {r8-r11}
    smmulr r4, r4, r8
    smmulr r5, r5, r9
    smmulr r6, r6, r10
    smmulr r7, r7, r11
    .endm

    .section .text.smidgen_high_low, "ax", %progbits
    .global smidgen_high_low
    .type smidgen_high_low, %function
    .thumb_func
    .balign 4
smidgen_high_low:
    push {r4-r11, lr}
    ldr r5, [sp, #36]
    adr.w r9, 90f
    ldr.w r5, [r9, r5, lsl #2]
    @ The first turn stands so many before the last of 16, at an address that is odd, as of all Thumb.
    adds r3, #15
    and r4, r3, #15
    lsrs r3, r3, #4
    mov r8, #56
    adr.w r9, 20f + 15 * 56 + 1
    mls r4, r4, r8, r9
    push {r1, r3, r4, r5}
    @ The input, 16 columns a turn where it lies at a multiple of 4: lr input, r12 columns left.
    ldrd lr, r12, [sp, #64]
    subs r12, r12, #16
    blt 12f
    tst lr, #3
    bne 12f
11: ldmia.w lr!, {r5, r7, r9, r11}
    sxtb16 r4, r5
    sxtb16 r6, r7
    sxtb16 r8, r9
    sxtb16 r10, r11
    bic r5, r5, #0x00ff00ff
    bic r7, r7, #0x00ff00ff
    bic r9, r9, #0x00ff00ff
    bic r11, r11, #0x00ff00ff
    ssub16 r5, r5, r4
    ssub16 r7, r7, r6
    ssub16 r9, r9, r8
    ssub16 r11, r11, r10
    stmia.w r1!, {r4-r11}
    subs r12, r12, #16
    bge 11b
12: adds r12, r12, #16
    beq 10f
    subs r12, r12, #4
    blt 14f
13: ldr r5, [lr], #4
    sxtb16 r4, r5
    bic r5, r5, #0x00ff00ff
    ssub16 r5, r5, r4
    stmia r1!, {r4, r5}
    subs r12, r12, #4
    bge 13b
14: adds r12, r12, #4
    beq 10f
    @ The last turn has one to three columns.
    ldrsb.w r4, [lr]
    movs r5, #0
    movs r6, #0
    cmp r12, #2
    it ge
    ldrbge.w r5, [lr, #1]
    it gt
    ldrsbgt.w r6, [lr, #2]
    pkhbt r4, r4, r6, lsl #16
    lsls r5, r5, #8
    ssub16 r5, r5, r4
    stmia r1!, {r4, r5}

    @ Four rows.
10: ldmia.w r2!, {r4-r7}
    ldmia.w sp, {r1, r3, pc}
    .balign 4
20:
    .rept 16
    SMIDGEN_TURN
    .endr
    subs r3, r3, #1
    bne.w 20b
    ldr.w pc, [sp, #12]

    .balign 4
90: .word 30f + 1
    .word 40f + 1
    .word 50f + 1
    .word 60f + 1

40: SMIDGEN_SCALE
    ssat r4, #8, r4
    ssat r5, #8, r5
    ssat r6, #8, r6
    ssat r7, #8, r7
    pkhbt r4, r4, r6, lsl #16
    pkhbt r5, r5, r7, lsl #16
    uxtb16 r4, r4
    uxtb16 r5, r5
    orr r4, r4, r5, lsl #8
    @ One down and up again makes -127 of -128.
    mov r5, #0x01010101
    qsub8 r4, r4, r5
    qadd8 r4, r4, r5
    b 31f

30: SMIDGEN_SCALE
    usat r4, #7, r4
    usat r5, #7, r5
    usat r6, #7, r6
    usat r7, #7, r7
    orr r4, r4, r5, lsl #8
    orr r6, r6, r7, lsl #8
    orr r4, r4, r6, lsl #16
31: ldrd r6, r7, [sp, #56]
    subs r7, r7, #4
    blt 32f
    str r4, [r6], #4
    strd r6, r7, [sp, #56]
    bne.w 10b
    b 99f
    @ One to three rows are left.
32: strb r4, [r6]
    cmn r7, #2
    blt 99f
    lsr.w r4, r4, #8
    strb r4, [r6, #1]
    beq 99f
    lsr.w r4, r4, #8
    strb r4, [r6, #2]
    b 99f

50: SMIDGEN_SCALE
    ssat r4, #16, r4
    ssat r5, #16, r5
    ssat r6, #16, r6
    ssat r7, #16, r7
    pkhbt r4, r4, r5, lsl #16
    pkhbt r6, r6, r7, lsl #16
    mov r5, #0x00010001
    qsub16 r4, r4, r5
    qsub16 r6, r6, r5
    qadd16 r4, r4, r5
    qadd16 r6, r6, r5
    ldrd r8, r9, [sp, #56]
    subs r9, r9, #4
    blt 52f
    str r4, [r8], #4
    str r6, [r8], #4
    strd r8, r9, [sp, #56]
    bne.w 10b
    b 99f
52: strh r4, [r8]
    cmn r9, #2
    blt 99f
    lsr.w r4, r4, #16
    strh r4, [r8, #2]
    beq 99f
    strh r6, [r8, #4]
    b 99f

60: ldr r8, [sp, #56]
    stmia.w r8, {r4-r7}
99: add sp, sp, #16
    pop {r4-r11, pc}
"#,
    options(raw)
);

// SAFETY: the function above; what it may be given, its callers say.
unsafe extern "C" {
    /// `turns`: ⌈columns / 4⌉, at least 1; `left`: rows that are written, at least 1; `columns`: bytes of `x`, or 0 where
    /// it already is expanded.
    fn smidgen_high_low(
        weights: *const i8,
        expanded: *mut u32,
        rows: *const i32,
        turns: usize,
        finish: Finish,
        y: *mut u8,
        left: usize,
        x: *const i8,
        columns: usize,
    );
}

impl Kernel for Armv7em {
    const PACKING: Packing = Packing::HighLow;

    fn accumulate(x: &[i8], weights: &[i8], each: &mut dyn FnMut(usize, i32)) {
        Portable::accumulate(x, weights, each);
    }

    fn sums(x: &[i8], matrix: &Matrix<'_>, scratch: &mut [u32], each: &mut dyn FnMut(usize, i32)) {
        if matrix.packing() != Packing::HighLow {
            return Portable::sums(x, matrix, scratch, each);
        }
        let (n_in, turns) = (matrix.n_in(), matrix.n_in().div_ceil(4));
        if n_in == 0 || x.len() < n_in || scratch.len() / 2 < turns {
            return;
        }
        let (mut i, mut columns) = (0, n_in);
        // Not chunks: a length that is no constant divides.
        let mut rest = matrix.weights();
        while let Some((four, after)) = rest.split_at_checked(16 * turns) {
            rest = after;
            let mut sums = [0i32; 4];
            let y = sums.as_mut_ptr().cast();
            let (four, zeros) = (four.as_ptr(), [0; 4]);
            // SAFETY: `four` has 16 bytes a turn at a multiple of 4, as a packed matrix has; `x` has at least `n_in`
            // bytes and `scratch` two words a turn; four sums begin at the four zeros, and `sums` takes four words.
            unsafe {
                let (x, to, rows) = (x.as_ptr(), scratch.as_mut_ptr(), zeros.as_ptr());
                smidgen_high_low(four, to, rows, turns, Finish::Sums, y, 4, x, columns);
            }
            columns = 0;
            for sum in sums {
                if i < matrix.n_out() {
                    each(i, sum >> 8);
                }
                i += 1;
            }
        }
    }

    fn layer(x: &[i8], layer: &Layer<'_>, scratch: &mut [u32], y: &mut Out<'_>) {
        let (matrix, rows) = (layer.matrix(), layer.words());
        let (left, n_in, len) = (matrix.n_out(), matrix.n_in(), y.len());
        // No input has so many columns that this wraps.
        let turns = n_in.wrapping_add(3) / 4;
        let (finish, y) = Finish::of(y);
        let fits = n_in <= x.len() && 2 * turns <= scratch.len() && left <= len;
        if !fits || matrix.packing() != Packing::HighLow {
            return;
        }
        let (weights, to, rows) = (matrix.weights().as_ptr(), scratch.as_mut_ptr(), rows.as_ptr());
        // SAFETY: the packed matrix has `left` rows, at least one, up to a multiple of four, of `turns` times four
        // columns, and lies at a multiple of 4; `x` has as many columns, `scratch` two words a turn, `rows`, packed as
        // it is, eight words for four rows, `y` at least `left` elements, and no more are written.
        unsafe { smidgen_high_low(weights, to, rows, turns, finish, y, left, x.as_ptr(), n_in) };
    }

    fn sparse(x: &[i8], matrix: &Sparse<'_>, each: impl FnMut(usize, &[i32])) {
        Portable::sparse(x, matrix, each);
    }

    fn sparse_layer(x: &[i8], matrix: &Sparse<'_>, rows: &[Row], scratch: &mut [u32], y: &mut Out<'_>) {
        if matrix.layout == Layout::Pairs {
            return pairs(x, matrix, rows, scratch, y);
        }
        let (lo, _) = y.limits();
        if let (Layout::Csr, Out::Relu(y) | Out::I8(y), Some(_)) = (matrix.layout, &mut *y, WINDOW.checked_sub(x.len()))
        {
            let groups = matrix.entries.as_chunks::<8>().0;
            let mut copy = [0i8; WINDOW];
            let x = window(x, &mut copy);
            if csr(x, groups, matrix.counts, rows, y, lo) {
                return;
            }
        }
        Portable::sparse_layer(x, matrix, rows, scratch, y);
    }
}
