//! Armv7-M and rv32: four rows and one column a turn, each byte loaded by itself.
//!
//! The matrix is packed in columns ([`Packing::Columns`]): an input is loaded once for four weights that lie side by
//! side. That is 9 instructions for 4 products where one multiplies and adds (Armv7-M), 13 where it takes two (rv32).
//! Nothing is expanded and nothing padded but rows. Several turns stand in a row; the first round begins in their midst.

use core::arch::global_asm;

use crate::fixed::{Row, requant};
use crate::kernel::{Kernel, Layer, Matrix, Out, Packing, Portable, Sparse};

/// Kernels that read weights byte by byte.
pub struct Columns;

// r0 weights, r1 input, r2 turns, r3 where the four sums go. r4–r7 sums, r8 an input, r9–r11 weights.
#[cfg(smidgen_core = "armv7m")]
global_asm!(
    r#"
    .syntax unified
    .macro SMIDGEN_TURN j
    ldrsb.w r8, [r1, #\j]
    ldrsb.w r9, [r0, #4 * \j]
    ldrsb.w r10, [r0, #4 * \j + 1]
    ldrsb.w r11, [r0, #4 * \j + 2]
    mla r4, r9, r8, r4
    ldrsb.w r9, [r0, #4 * \j + 3]
    mla r5, r10, r8, r5
    mla r6, r11, r8, r6
    mla r7, r9, r8, r7
    .endm

    .section .text.smidgen_columns, "ax", %progbits
    .global smidgen_columns
    .type smidgen_columns, %function
    .thumb_func
    .balign 4
smidgen_columns:
    push {r4-r11, lr}
    @ Turns that the first round leaves out, at which weights and input begin so much earlier.
    rsbs r12, r2, #0
    and r12, r12, #15
    add r2, r2, r12
    sub r0, r0, r12, lsl #2
    sub r1, r1, r12
    mov r4, #36
    adr.w r5, 20f
    mla r12, r12, r4, r5
    orr r12, r12, #1
    movs r4, #0
    movs r5, #0
    movs r6, #0
    movs r7, #0
    bx r12
    .balign 4
20:
    .irp j, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    SMIDGEN_TURN \j
    .endr
    adds r0, r0, #64
    adds r1, r1, #16
    subs r2, r2, #16
    bne.w 20b
    stmia.w r3, {r4-r7}
    pop {r4-r11, pc}
"#,
    options(raw)
);

// a0 weights, a1 input, a2 turns, a3 where the four sums go. t3–t6 sums, a4 an input, a5 and t0–t2 weights.
#[cfg(smidgen_core = "rv32")]
global_asm!(
    r#"
    .macro SMIDGEN_TURN j
    lb a4, \j(a1)
    lb a5, 4 * \j(a0)
    lb t0, 4 * \j + 1(a0)
    lb t1, 4 * \j + 2(a0)
    lb t2, 4 * \j + 3(a0)
    mul a5, a5, a4
    mul t0, t0, a4
    mul t1, t1, a4
    mul t2, t2, a4
    add t3, t3, a5
    add t4, t4, t0
    add t5, t5, t1
    add t6, t6, t2
    .endm

    .section .text.smidgen_columns, "ax", %progbits
    .global smidgen_columns
    .type smidgen_columns, %function
    .option push
    .option arch, +m
    .option norvc
    .option norelax
    .balign 4
smidgen_columns:
    # Turns that the first round leaves out, at which weights and input begin so much earlier.
    neg t0, a2
    andi t0, t0, 7
    add a2, a2, t0
    sub a1, a1, t0
    slli t1, t0, 2
    sub a0, a0, t1
    # 52 bytes a turn.
    li t2, 52
    mul t0, t0, t2
    la t1, 20f
    add t0, t0, t1
    li t3, 0
    li t4, 0
    li t5, 0
    li t6, 0
    jr t0
20:
    .irp j, 0, 1, 2, 3, 4, 5, 6, 7
    SMIDGEN_TURN \j
    .endr
    addi a0, a0, 32
    addi a1, a1, 8
    addi a2, a2, -8
    bnez a2, 20b
    sw t3, 0(a3)
    sw t4, 4(a3)
    sw t5, 8(a3)
    sw t6, 12(a3)
    ret
    .option pop
"#,
    options(raw)
);

// SAFETY: the function above; what it may be given, its caller says.
unsafe extern "C" {
    fn smidgen_columns(weights: *const i8, x: *const i8, turns: usize, sums: *mut [i32; 4]);
}

/// Calls `each(i, sums)` for rows i to i + 3; sums beyond the last row mean nothing.
#[inline(always)]
fn fours(x: &[i8], matrix: &Matrix<'_>, mut each: impl FnMut(usize, &[i32; 4])) {
    let Some(x) = x.get(..matrix.n_in()).filter(|x| !x.is_empty()) else { return };
    // Not chunks: a length that is no constant divides.
    let mut rest = matrix.weights();
    let mut i = 0;
    while let Some((four, after)) = rest.split_at_checked(4 * x.len()) {
        rest = after;
        let mut sums = [0; 4];
        // SAFETY: it reads `x.len()` bytes of `x` and four times as many of `four`, and writes `sums`. Pointers that
        // start earlier are not followed before they have come to where these begin.
        unsafe { smidgen_columns(four.as_ptr(), x.as_ptr(), x.len(), &mut sums) };
        each(i, &sums);
        i += 4;
    }
}

impl Kernel for Columns {
    const PACKING: Packing = Packing::Columns;

    fn accumulate(x: &[i8], weights: &[i8], each: &mut dyn FnMut(usize, i32)) {
        Portable::accumulate(x, weights, each);
    }

    fn sums(x: &[i8], matrix: &Matrix<'_>, scratch: &mut [u32], each: &mut dyn FnMut(usize, i32)) {
        if matrix.packing() != Packing::Columns {
            return Portable::sums(x, matrix, scratch, each);
        }
        fours(x, matrix, |first, sums| {
            for (i, sum) in (first..matrix.n_out()).zip(sums) {
                each(i, *sum);
            }
        });
    }

    fn layer(x: &[i8], layer: &Layer<'_>, _scratch: &mut [u32], y: &mut Out<'_>) {
        let (matrix, rows) = (layer.matrix(), layer.words());
        if matrix.packing() != Packing::Columns {
            return;
        }
        let rows: &[Row] = bytemuck::try_cast_slice(rows).unwrap_or(&[]);
        fours(x, matrix, |first, sums| {
            let rows = rows.get(first..matrix.n_out()).unwrap_or(&[]);
            for (i, (row, sum)) in rows.iter().zip(sums).enumerate() {
                y.put(first + i, requant(sum.wrapping_add(row.bias), row.multiplier));
            }
        });
    }

    fn sparse(x: &[i8], matrix: &Sparse<'_>, each: impl FnMut(usize, &[i32])) {
        Portable::sparse(x, matrix, each);
    }
}
