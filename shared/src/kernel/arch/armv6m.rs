//! Armv6-M: two rows and two columns a turn, 14 instructions for 4 products.
//!
//! The matrix is packed in pairs ([`Packing::Pairs`]): a word of it holds `256·H + L` of two rows. The input is expanded
//! once a layer into words of `x_H` and `x' = 256·x_L − x_H`; `(256·H + L)·x_H + L·x'` gives 256 times the products of
//! two columns. Sums begin at the bias, stored shifted left by 8. There is no long multiplication: the rounding rule's
//! upper word is put together from four products of halfwords. 16 turns stand in a row; the first round begins in
//! their midst.

use core::arch::global_asm;

use crate::kernel::{Kernel, Layer, Matrix, Out, Packing, Portable, Sparse};

/// Kernels of an Armv6-M.
pub struct Armv6m;

/// What the instructions read of a layer besides weights, input and rows.
#[repr(C)]
struct Call {
    /// columns / 2, at least 1
    turns: usize,
    /// 0: int8, 1: int16, 2: int32, 256 times the sums, of two rows alone
    finish: u32,
    y: *mut u8,
    /// rows that are written, at least 1
    left: usize,
    /// limits of y, both included
    lo: i32,
    hi: i32,
}

// r0 weights, r1 expanded input, r2 and r3 sums, r4 and r5 input, r6 and r7 weights; r8 the input's end, r11 rows'
// constants, r12 y. On the stack: input, address of the first turn, address of the finish, rows left, lo, hi.
global_asm!(
    r#"
    .syntax unified
    .macro SMIDGEN_PAIR
    ldmia r0!, {r6}
    ldmia r1!, {r4, r5}
    sxth r7, r6
    muls r7, r4, r7
    adds r2, r2, r7
    sxtb r7, r6
    muls r7, r5, r7
    adds r2, r2, r7
    asrs r6, r6, #16
    sxtb r7, r6
    muls r7, r5, r7
    adds r3, r3, r7
    muls r6, r4, r6
    adds r3, r3, r6
    .endm

    @ r5 = r2 times the next multiplier, the upper word, rounded half up, within the limits. Uses r0, r3-r7.
    .macro SMIDGEN_SCALE
    mov r4, r11
    ldmia r4!, {r3}
    mov r11, r4
    uxth r4, r2
    asrs r5, r2, #16
    uxth r6, r3
    asrs r7, r3, #16
    movs r0, r4
    muls r0, r6, r0
    lsrs r0, r0, #16
    muls r6, r5, r6
    adds r6, r6, r0
    muls r4, r7, r4
    uxth r0, r6
    adds r4, r4, r0
    muls r5, r7, r5
    asrs r6, r6, #16
    adds r5, r5, r6
    @ The carry is the highest bit of the lower word.
    asrs r4, r4, #16
    adcs r5, r5, r4
    ldr r0, [sp, #16]
    cmp r5, r0
    bge 71f
    movs r5, r0
71: ldr r0, [sp, #20]
    cmp r5, r0
    ble 72f
    movs r5, r0
72:
    .endm

    @ Both rows of a turn, stored by \store and counted.
    .macro SMIDGEN_FINISH store, size
    mov r9, r0
    mov r10, r3
    SMIDGEN_SCALE
    mov r6, r12
    \store r5, [r6]
    ldr r7, [sp, #12]
    cmp r7, #1
    beq 99f
    mov r2, r10
    SMIDGEN_SCALE
    mov r6, r12
    \store r5, [r6, #\size]
    adds r6, r6, #2 * \size
    mov r12, r6
    mov r0, r9
    ldr r7, [sp, #12]
    subs r7, r7, #2
    str r7, [sp, #12]
    beq 99f
    b 10b
    .endm

    .section .text.smidgen_pairs, "ax", %progbits
    .global smidgen_pairs
    .type smidgen_pairs, %function
    .thumb_func
    .balign 4
smidgen_pairs:
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r4-r7}
    mov r11, r2
    ldmia r3!, {r4-r7}
    mov r12, r6
    @ The input ends 8 bytes a turn behind its start.
    lsls r2, r4, #3
    adds r2, r2, r1
    mov r8, r2
    @ The first round leaves out the turns that 16 do not go into.
    negs r4, r4
    lsls r4, r4, #28
    lsrs r4, r4, #28
    movs r2, #28
    muls r4, r2, r4
    adr r2, 90f
    lsls r5, r5, #2
    ldr r5, [r2, r5]
    adr r2, 20f
    adds r4, r4, r2
    mov r2, r8
    ldmia r3!, {r2, r6}
    push {r2, r6}
    push {r1, r4, r5, r7}
    @ Two rows.
10: mov r4, r11
    ldmia r4!, {r2, r3}
    mov r11, r4
    ldr r1, [sp]
    ldr r4, [sp, #4]
    mov pc, r4
    .balign 4
90: .word 30f + 1
    .word 40f + 1
    .word 60f + 1
20:
    .rept 16
    SMIDGEN_PAIR
    .endr
    cmp r1, r8
    beq 21f
    b 20b
21: ldr r4, [sp, #8]
    bx r4
30: SMIDGEN_FINISH strb, 1
40: SMIDGEN_FINISH strh, 2
60: mov r4, r12
    stmia r4!, {r2, r3}
99: add sp, sp, #24
    pop {r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}

    @ r0 input, r1 where it is expanded to, r2 the end of its pairs, beyond r0.
    .section .text.smidgen_expand, "ax", %progbits
    .global smidgen_expand
    .type smidgen_expand, %function
    .thumb_func
smidgen_expand:
    push {r4, r5, lr}
11: ldrb r4, [r0, #1]
    ldrb r5, [r0]
    sxtb r4, r4
    lsls r5, r5, #24
    asrs r5, r5, #16
    subs r5, r5, r4
    stmia r1!, {r4, r5}
    adds r0, r0, #2
    cmp r0, r2
    bne 11b
    pop {r4, r5, pc}
"#,
    options(raw)
);

// SAFETY: the two functions above; what they may be given, their callers say.
unsafe extern "C" {
    fn smidgen_pairs(weights: *const i8, x: *const u32, rows: *const i32, call: *const Call);
    fn smidgen_expand(x: *const i8, to: *mut u32, end: *const i8);
}

/// Expands the input of a packed matrix into `scratch`; gives the turns it takes, or nothing where something is too short.
#[inline(always)]
fn prepare(x: &[i8], matrix: &Matrix<'_>, scratch: &mut [u32]) -> Option<usize> {
    let x = x.get(..matrix.n_in()).filter(|x| !x.is_empty())?;
    let turns = x.len().div_ceil(2);
    let scratch = scratch.get_mut(..2 * turns)?;
    let pairs = x.as_chunks::<2>().0.as_flattened();
    if !pairs.is_empty() {
        // SAFETY: it reads the bytes up to the end, and writes two words for each two: `scratch` has two a turn.
        unsafe { smidgen_expand(pairs.as_ptr(), scratch.as_mut_ptr(), pairs.as_ptr_range().end) };
    }
    if let (true, Some(last), Some(&x)) = (x.len() % 2 != 0, scratch.last_chunk_mut::<2>(), x.last()) {
        *last = [0, (256 * i32::from(x)) as u32];
    }
    Some(turns)
}

impl Kernel for Armv6m {
    const PACKING: Packing = Packing::Pairs;

    fn accumulate(x: &[i8], weights: &[i8], each: &mut dyn FnMut(usize, i32)) {
        Portable::accumulate(x, weights, each);
    }

    fn sums(x: &[i8], matrix: &Matrix<'_>, scratch: &mut [u32], each: &mut dyn FnMut(usize, i32)) {
        if matrix.packing() != Packing::Pairs {
            return Portable::sums(x, matrix, scratch, each);
        }
        let Some(turns) = prepare(x, matrix, scratch) else { return };
        let mut i = 0;
        // Not chunks: a length that is no constant divides.
        let mut rest = matrix.weights();
        while let Some((two, after)) = rest.split_at_checked(4 * turns) {
            rest = after;
            let mut sums = [0i32; 2];
            let call = Call { turns, finish: 2, y: sums.as_mut_ptr().cast(), left: 2, lo: 0, hi: 0 };
            // SAFETY: `two` has 4 bytes a turn at a multiple of 4, `scratch` two words a turn; two sums begin at the two
            // zeros, and `sums` takes two words.
            unsafe { smidgen_pairs(two.as_ptr(), scratch.as_ptr(), [0; 2].as_ptr(), &call) };
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
        if matrix.packing() != Packing::Pairs {
            return;
        }
        let left = matrix.n_out();
        if y.len() < left {
            return;
        }
        let Some(turns) = prepare(x, matrix, scratch) else { return };
        let (lo, hi) = y.limits();
        let (finish, y) = match y {
            Out::Relu(y) | Out::I8(y) => (0, y.as_mut_ptr().cast()),
            Out::I16(y) => (1, y.as_mut_ptr().cast()),
        };
        let call = Call { turns, finish, y, left, lo, hi };
        // SAFETY: the packed matrix has `left` rows, up to a multiple of two, of `turns` times two columns, and lies at a
        // multiple of 4; `scratch` has two words a turn, `rows` four words for two rows, `y` at least `left` elements at
        // a multiple of their size, and no more are written.
        unsafe { smidgen_pairs(matrix.weights().as_ptr(), scratch.as_ptr(), rows.as_ptr(), &call) };
    }

    fn sparse(x: &[i8], matrix: &Sparse<'_>, each: impl FnMut(usize, &[i32])) {
        Portable::sparse(x, matrix, each);
    }
}
