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
use crate::kernel::{Kernel, Matrix, Out, Packing, Portable, Rows, Sparse, WINDOW};
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
            Out::I8(y, 0) => (Finish::Relu, y.as_mut_ptr().cast()),
            Out::I8(y, _) => (Finish::Signed, y.as_mut_ptr().cast()),
            Out::I16(y) => (Finish::Half, y.as_mut_ptr().cast()),
        }
    }
}

/// What the instructions read of a layer besides weights, input and rows.
#[repr(C)]
struct Call {
    /// columns / 4, at least 1
    turns: usize,
    finish: Finish,
    y: *mut u8,
    /// rows that are written, at least 1
    left: usize,
}

// Armv8-M has these instructions by an extension that the target's name does not say.
#[cfg(smidgen_core = "armv8m")]
global_asm!(".cpu cortex-m33");

// r0 weights, r1 expanded input, r2 rows' constants, r3 rounds left, r4–r7 sums, r8–r11 weights, r12 and lr input.
// On the stack: input, rounds, address of the first turn, address of the finish, y, rows left.
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
    ldmia.w r3, {r4-r7}
    adds r3, r4, #15
    lsrs r3, r3, #4
    rsbs r4, r4, #0
    and r4, r4, #15
    mov r8, #56
    adr.w r9, 20f
    mla r4, r4, r8, r9
    orr r4, r4, #1
    adr.w r9, 90f
    ldr.w r5, [r9, r5, lsl #2]
    push.w {r1, r3-r7}

    @ Four rows.
10: ldmia.w r2!, {r4-r7}
    ldrd r1, r3, [sp]
    ldr.w pc, [sp, #8]
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
31: ldrd r6, r7, [sp, #16]
    subs r7, r7, #4
    blt 32f
    str r4, [r6], #4
    strd r6, r7, [sp, #16]
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
    ldrd r8, r9, [sp, #16]
    subs r9, r9, #4
    blt 52f
    str r4, [r8], #4
    str r6, [r8], #4
    strd r8, r9, [sp, #16]
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

60: ldr r8, [sp, #16]
    stmia.w r8, {r4-r7}
99: add sp, sp, #24
    pop {r4-r11, pc}

    @ r0 input, r1 where it is expanded to, r2 groups of four columns, at least 1.
    .section .text.smidgen_expand, "ax", %progbits
    .global smidgen_expand
    .type smidgen_expand, %function
    .thumb_func
smidgen_expand:
    push {r4-r11, lr}
    subs r2, r2, #4
    blt 12f
11: ldr r5, [r0], #4
    ldr r7, [r0], #4
    ldr r9, [r0], #4
    ldr r11, [r0], #4
    sxtb16 r4, r5, ror #8
    sxtb16 r6, r7, ror #8
    sxtb16 r8, r9, ror #8
    sxtb16 r10, r11, ror #8
    lsls r5, r5, #8
    lsls r7, r7, #8
    lsl r9, r9, #8
    lsl r11, r11, #8
    bic r5, r5, #0x00ff00ff
    bic r7, r7, #0x00ff00ff
    bic r9, r9, #0x00ff00ff
    bic r11, r11, #0x00ff00ff
    ssub16 r5, r5, r4
    ssub16 r7, r7, r6
    ssub16 r9, r9, r8
    ssub16 r11, r11, r10
    stmia.w r1!, {r4-r11}
    subs r2, r2, #4
    bge 11b
12: adds r2, r2, #4
    beq 14f
13: ldr r5, [r0], #4
    sxtb16 r4, r5, ror #8
    lsls r5, r5, #8
    bic r5, r5, #0x00ff00ff
    ssub16 r5, r5, r4
    stmia r1!, {r4, r5}
    subs r2, r2, #1
    bne 13b
14: pop {r4-r11, pc}
"#,
    options(raw)
);

// SAFETY: the two functions above; what they may be given, their callers say.
unsafe extern "C" {
    fn smidgen_high_low(weights: *const i8, x: *const u32, rows: *const i32, call: *mut Call);
    fn smidgen_expand(x: *const i8, to: *mut u32, groups: usize);
}

/// `x_H` and `x'` of four columns.
fn expanded([a, b, c, d]: [i8; 4]) -> [u32; 2] {
    let pair = |low: i32, high: i32| (low as u32 & 0xffff) | (high as u32) << 16;
    let prime = |low: i8, high: i8| 256 * i32::from(low) - i32::from(high);
    [pair(b.into(), d.into()), pair(prime(a, b), prime(c, d))]
}

/// Expands the input of a packed matrix into `scratch`; gives the turns it takes, or nothing where something is too short.
#[inline(always)]
fn prepare(x: &[i8], matrix: &Matrix<'_>, scratch: &mut [u32]) -> Option<usize> {
    let x = x.get(..matrix.n_in).filter(|x| !x.is_empty())?;
    let turns = x.len().div_ceil(4);
    // In 64 bits, so that no product wraps.
    let bytes = matrix.n_out.div_ceil(4) as u64 * (16 * turns as u64);
    if matrix.weights.len() as u64 != bytes || !matrix.weights.as_ptr().addr().is_multiple_of(4) {
        return None;
    }
    let scratch = scratch.get_mut(..2 * turns)?;
    if x.len() >= 4 {
        // SAFETY: it reads so many groups of four bytes, and writes two words for each: `scratch` has two a turn.
        unsafe { smidgen_expand(x.as_ptr(), scratch.as_mut_ptr(), x.len() / 4) };
    }
    if x.len() % 4 != 0 {
        expand_rest(x, scratch);
    }
    Some(turns)
}

/// The last turn, where it has fewer than four columns.
#[inline(never)]
fn expand_rest(x: &[i8], scratch: &mut [u32]) {
    let mut four = [0; 4];
    for (to, &from) in four.iter_mut().zip(x.as_chunks::<4>().1) {
        *to = from;
    }
    if let Some(last) = scratch.last_chunk_mut::<2>() {
        *last = expanded(four);
    }
}

impl Kernel for Armv7em {
    const PACKING: Packing = Packing::HighLow;

    fn accumulate(x: &[i8], weights: &[i8], each: &mut dyn FnMut(usize, i32)) {
        Portable::accumulate(x, weights, each);
    }

    fn sums(x: &[i8], matrix: &Matrix<'_>, scratch: &mut [u32], each: &mut dyn FnMut(usize, i32)) {
        if matrix.packing != Packing::HighLow {
            return Portable::sums(x, matrix, scratch, each);
        }
        let Some(turns) = prepare(x, matrix, scratch) else { return };
        let mut i = 0;
        // Not chunks: a length that is no constant divides.
        let mut rest = matrix.weights;
        while let Some((four, after)) = rest.split_at_checked(16 * turns) {
            rest = after;
            let mut sums = [0i32; 4];
            let mut call = Call { turns, finish: Finish::Sums, y: sums.as_mut_ptr().cast(), left: 4 };
            // SAFETY: `four` has 16 bytes a turn at a multiple of 4, `scratch` two words a turn; four sums begin at the
            // four zeros, and `sums` takes four words.
            unsafe { smidgen_high_low(four.as_ptr(), scratch.as_ptr(), [0; 4].as_ptr(), &mut call) };
            for sum in sums {
                if i < matrix.n_out {
                    each(i, sum >> 8);
                }
                i += 1;
            }
        }
    }

    fn layer(x: &[i8], matrix: &Matrix<'_>, rows: Rows<'_>, scratch: &mut [u32], y: &mut Out<'_>) {
        if matrix.packing != Packing::HighLow {
            return Portable::layer(x, matrix, rows, scratch, y);
        }
        let left = matrix.n_out;
        let fits = left > 0 && y.len() >= left && rows.words.len() >= Packing::HighLow.row_words(left);
        if !fits || rows.packing != Packing::HighLow {
            return;
        }
        let Some(turns) = prepare(x, matrix, scratch) else { return };
        let (finish, y) = Finish::of(y);
        let mut call = Call { turns, finish, y, left };
        // SAFETY: the matrix has `left` rows, up to a multiple of four, of `turns` times four columns, its bytes lie at
        // a multiple of 4; `scratch` has two words a turn, `rows` eight words for four rows, `y` at least `left`
        // elements, and no more are written.
        unsafe { smidgen_high_low(matrix.weights.as_ptr(), scratch.as_ptr(), rows.words.as_ptr(), &mut call) };
    }

    fn sparse(x: &[i8], matrix: &Sparse<'_>, each: impl FnMut(usize, &[i32])) {
        Portable::sparse(x, matrix, each);
    }

    fn sparse_layer(x: &[i8], matrix: &Sparse<'_>, rows: &[Row], scratch: &mut [u32], y: &mut Out<'_>) {
        if matrix.layout == Layout::Pairs {
            return pairs(x, matrix, rows, scratch, y);
        }
        if let (Layout::Csr, Out::I8(y, lo), Some(_)) = (matrix.layout, &mut *y, WINDOW.checked_sub(x.len())) {
            let groups = matrix.entries.as_chunks::<8>().0;
            let mut copy = [0i8; WINDOW];
            let x = window(x, &mut copy);
            if csr(x, groups, matrix.counts, rows, y, *lo) {
                return;
            }
        }
        Portable::sparse_layer(x, matrix, rows, scratch, y);
    }
}
