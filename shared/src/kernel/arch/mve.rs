//! Armv8.1-M with MVE: four rows and sixteen columns a turn, 10 instructions for 64 products.
//!
//! The matrix is packed in vectors ([`Packing::Vectors`]): sixteen weights of a row, then of the next. VMLADAVA adds
//! sixteen products to a row's sum at once; DLSTP and LETP predicate the last turn, so that nothing is read beyond the
//! input's end. Four sums become one vector, and VRMULH, 32 bits by 32 bits, the upper word rounded half up, is the
//! whole rounding rule for it. Sums begin at the bias.
//!
//! Vectors are the FPU's registers, which the start-up code turns on; an interrupt stacks them, predicates included, as
//! it does floats.

use core::arch::global_asm;

use super::gather::gather;
use crate::fixed::Row;
use crate::kernel::{Kernel, Layer, Matrix, Out, Packing, Portable, Sparse};

/// Kernels by vectors of 128 bits.
pub struct Mve;

/// What the instructions read of a layer besides weights, input and rows.
#[repr(C)]
struct Call {
    /// at least 1
    columns: usize,
    y: *mut u8,
    /// limits of y, both included
    lo: i32,
    hi: i32,
    /// rows that are written, at least 1
    left: usize,
}

// Where symbols are collected for link-time optimisation nothing knows the core.
global_asm!(".cpu cortex-m55");

// r0 weights, r1 input, r2 rows' constants, r3 columns, r4, r6, r8 and r10 sums, r5 y, r7 the input's start, r11 rows
// left. q0 input, then sums; q1 weights, then multipliers; q2 and q3 limits.
global_asm!(
    r#"
    .syntax unified

    @ Sums of four rows.
    .macro SMIDGEN_SUMS columns
    dlstp.8 lr, \columns
70: vldrb.u8 q0, [r1], #16
    vldrb.u8 q1, [r0], #16
    vmladava.s8 r4, q0, q1
    vldrb.u8 q1, [r0], #16
    vmladava.s8 r6, q0, q1
    vldrb.u8 q1, [r0], #16
    vmladava.s8 r8, q0, q1
    vldrb.u8 q1, [r0], #16
    vmladava.s8 r10, q0, q1
    letp lr, 70b
    .endm

    .macro SMIDGEN_LAYER name, store, size
    .section .text.\name, "ax", %progbits
    .global \name
    .type \name, %function
    .thumb_func
    .balign 4
\name:
    push {r4-r11, lr}
    ldm.w r3, {r3, r5, r7, r9, r11}
    vdup.32 q2, r7
    vdup.32 q3, r9
    mov r7, r1
10: ldrd r4, r6, [r2], #8
    ldrd r8, r10, [r2], #8
    mov r1, r7
    SMIDGEN_SUMS r3
    vldrw.u32 q1, [r2], #16
    vmov q0[2], q0[0], r4, r8
    vmov q0[3], q0[1], r6, r10
    vshl.i32 q0, q0, #8
    vrmulh.s32 q0, q0, q1
    vmax.s32 q0, q0, q2
    vmin.s32 q0, q0, q3
    subs r11, r11, #4
    blt 20f
    \store\().32 q0, [r5], #4 * \size
    bne 10b
    pop {r4-r11, pc}
    @ One to three rows are left.
20: adds r11, r11, #4
    vctp.32 r11
    vpst
    \store\()t.32 q0, [r5]
    pop {r4-r11, pc}
    .endm

    SMIDGEN_LAYER smidgen_vectors_bytes, vstrb, 1
    SMIDGEN_LAYER smidgen_vectors_halves, vstrh, 2

    @ r2 columns, r3 where the four sums go.
    .section .text.smidgen_vectors_sums, "ax", %progbits
    .global smidgen_vectors_sums
    .type smidgen_vectors_sums, %function
    .thumb_func
    .balign 4
smidgen_vectors_sums:
    push {r4, r6, r8, r10, r11, lr}
    movs r4, #0
    movs r6, #0
    mov r8, r4
    mov r10, r4
    SMIDGEN_SUMS r2
    strd r4, r6, [r3]
    strd r8, r10, [r3, #8]
    pop {r4, r6, r8, r10, r11, pc}
"#,
    options(raw)
);

// SAFETY: the three functions above; what they may be given, their callers say.
unsafe extern "C" {
    fn smidgen_vectors_bytes(weights: *const i8, x: *const i8, rows: *const i32, call: *const Call);
    fn smidgen_vectors_halves(weights: *const i8, x: *const i8, rows: *const i32, call: *const Call);
    fn smidgen_vectors_sums(weights: *const i8, x: *const i8, columns: usize, sums: *mut [i32; 4]);
}

/// The input of a packed matrix, as long as it is wide; nothing where something is empty or too short.
#[inline(always)]
fn input<'a>(x: &'a [i8], matrix: &Matrix<'_>) -> Option<&'a [i8]> {
    x.get(..matrix.n_in()).filter(|x| !x.is_empty())
}

impl Kernel for Mve {
    const PACKING: Packing = Packing::Vectors;

    fn accumulate(x: &[i8], weights: &[i8], each: &mut dyn FnMut(usize, i32)) {
        Portable::accumulate(x, weights, each);
    }

    fn sums(x: &[i8], matrix: &Matrix<'_>, scratch: &mut [u32], each: &mut dyn FnMut(usize, i32)) {
        if matrix.packing() != Packing::Vectors {
            return Portable::sums(x, matrix, scratch, each);
        }
        let Some(x) = input(x, matrix) else { return };
        let four_bytes = 4 * Packing::Vectors.padded(0, x.len()).1;
        let mut i = 0;
        // Not chunks: a length that is no constant divides.
        let mut rest = matrix.weights();
        while let Some((four, after)) = rest.split_at_checked(four_bytes) {
            rest = after;
            let mut sums = [0; 4];
            // SAFETY: it reads `x.len()` bytes of `x`, of `four` no more than four times as many up to a multiple of
            // 16, and writes `sums`.
            unsafe { smidgen_vectors_sums(four.as_ptr(), x.as_ptr(), x.len(), &mut sums) };
            for sum in sums {
                if i < matrix.n_out() {
                    each(i, sum);
                }
                i += 1;
            }
        }
    }

    fn layer(x: &[i8], layer: &Layer<'_>, _scratch: &mut [u32], y: &mut Out<'_>) {
        let (matrix, rows) = (layer.matrix(), layer.words());
        if matrix.packing() != Packing::Vectors {
            return;
        }
        let left = matrix.n_out();
        if y.len() < left {
            return;
        }
        let Some(x) = input(x, matrix) else { return };
        let (weights, rows) = (matrix.weights().as_ptr(), rows.as_ptr());
        let call = |lo, hi, y| Call { columns: x.len(), y, lo, hi, left };
        // SAFETY: the packed matrix has `left` rows, up to a multiple of four, of `x.len()` columns, up to a multiple of 16;
        // `rows` has eight words for four rows, `y` at least `left` elements, and no more are written; of `x` no more
        // is read than there is.
        let (lo, hi) = y.limits();
        match y {
            Out::Relu(y) | Out::I8(y) => unsafe {
                smidgen_vectors_bytes(weights, x.as_ptr(), rows, &call(lo, hi, y.as_mut_ptr().cast()));
            },
            Out::I16(y) => unsafe {
                smidgen_vectors_halves(weights, x.as_ptr(), rows, &call(lo, hi, y.as_mut_ptr().cast()));
            },
        }
    }

    fn sparse(x: &[i8], matrix: &Sparse<'_>, each: impl FnMut(usize, &[i32])) {
        Portable::sparse(x, matrix, each);
    }

    fn sparse_layer(x: &[i8], matrix: &Sparse<'_>, rows: &[Row], scratch: &mut [u32], y: &mut Out<'_>) {
        if !gather(x, matrix, rows, y) {
            Portable::sparse_layer(x, matrix, rows, scratch, y);
        }
    }
}
