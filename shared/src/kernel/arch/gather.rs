//! Armv8.1-M with MVE: CSR matrices, five instructions a group of four weights, nine one of eight where a row is wide.
//!
//! A group is columns and weights ([`Sparse`]). Columns become the offsets of one load that gathers as many inputs;
//! VMLADAVA adds all products to the row's sum. A row's rounding follows at once, as in csr.rs.

use core::arch::global_asm;

use crate::fixed::Row;
use crate::kernel::sparse::window;
use crate::kernel::{Out, Sparse, WINDOW};
use crate::op::Layout;

/// What the instructions read of a layer besides its groups.
#[repr(C)]
struct Call {
    x: *const i8,
    counts: *const u16,
    rows: *const Row,
    /// elements of y, at least 1
    left: usize,
    y: *mut u8,
    /// limit of y, from below
    lo: i32,
    groups_end: *const u8,
    /// where the last window of a wide row starts
    last: usize,
}

// As in mve.rs.
global_asm!(".cpu cortex-m55");

// r0 groups, r1 input, r2 counts, r3 rows, r4 sum, r5 rows left, r6 y, r7 lo, r8 the groups' end, r9 multiplier,
// r10 a row's groups, r11 where they end, then where a window starts; r12 the last such start.
global_asm!(
    r#"
    .syntax unified
    .macro SMIDGEN_NARROW_END
    add.w r11, r0, r10, lsl #3
    .endm

    .macro SMIDGEN_NARROW
    vldrb.s32 q1, [r0, #4]
    vldrb.u32 q0, [r0], #8
    vldrb.s32 q2, [r1, q0]
    vmladava.s32 r4, q1, q2
    .endm

    @ 18 bytes a group.
    .macro SMIDGEN_WIDE_END
    add.w r11, r0, r10, lsl #4
    add.w r11, r11, r10, lsl #1
    .endm

    .macro SMIDGEN_WIDE
    ldrh r11, [r0], #2
    cmp r11, r12
    csel r11, r11, r12, ls
    add r11, r11, r1
    vldrb.s16 q1, [r0, #8]
    vldrb.u16 q0, [r0], #16
    vldrb.s16 q2, [r11, q0]
    vmladava.s16 r4, q1, q2
    .endm

    .macro SMIDGEN_GATHER name, group, bits, store, size
    .section .text.\name, "ax", %progbits
    .global \name
    .type \name, %function
    .thumb_func
    .balign 4
\name:
    push {r4-r11, lr}
    ldm.w r1, {r1-r3, r5-r8, r12}
    @ A row: no group is read beyond the last.
10: ldrh r10, [r2], #2
    ldrd r4, r9, [r3], #8
    \group\()_END
    cmp r11, r8
    bhi 99f
    wls lr, r10, 21f
20: \group
    le lr, 20b
21: lsls r4, r4, #8
    smmulr r4, r4, r9
    ssat r4, #\bits, r4
    cmp r4, r7
    csel r4, r7, r4, lt
    \store r4, [r6], #\size
    subs r5, r5, #1
    bne 10b
99: pop {r4-r11, pc}
    .endm

    SMIDGEN_GATHER smidgen_gather_bytes, SMIDGEN_NARROW, 8, strb, 1
    SMIDGEN_GATHER smidgen_gather_halves, SMIDGEN_NARROW, 16, strh, 2
    SMIDGEN_GATHER smidgen_gather_wide_bytes, SMIDGEN_WIDE, 8, strb, 1
    SMIDGEN_GATHER smidgen_gather_wide_halves, SMIDGEN_WIDE, 16, strh, 2
"#,
    options(raw)
);

// SAFETY: the four functions above; what they may be given, their caller says.
unsafe extern "C" {
    fn smidgen_gather_bytes(groups: *const u8, call: *const Call);
    fn smidgen_gather_halves(groups: *const u8, call: *const Call);
    fn smidgen_gather_wide_bytes(groups: *const u8, call: *const Call);
    fn smidgen_gather_wide_halves(groups: *const u8, call: *const Call);
}

/// A layer of as many rows as `y` has elements: `false`, and nothing done, where the matrix is no CSR, or where there are
/// fewer counts or rows. A row whose groups are missing ends it.
pub fn gather(x: &[i8], matrix: &Sparse<'_>, rows: &[Row], y: &mut Out<'_>) -> bool {
    let left = y.len();
    let enough = left > 0 && matrix.counts.len() >= left && rows.len() >= left;
    if matrix.layout != Layout::Csr || !enough {
        return false;
    }
    let mut copy = [0i8; WINDOW];
    let wide = x.len() > WINDOW;
    let x: &[i8] = if wide { x } else { window(x, &mut copy) };
    let groups = matrix.entries.as_ptr_range();
    let (counts, rows, last) = (matrix.counts.as_ptr(), rows.as_ptr(), x.len().wrapping_sub(WINDOW));
    let (lo, _) = y.limits();
    let (halves, y) = match y {
        Out::Relu(y) | Out::I8(y) => (false, y.as_mut_ptr().cast()),
        Out::I16(y) => (true, y.as_mut_ptr().cast()),
    };
    let call = Call { x: x.as_ptr(), counts, rows, left, y, lo, groups_end: groups.end, last };
    // SAFETY: they write `left` elements of `y`, as many as there are, and read a count and a row for each; groups up
    // to their end, of which they ask before each row; of `x`, which has at least 256 elements, what a byte can name
    // from its start, or from a start that leaves 256.
    unsafe {
        match (wide, halves) {
            (false, false) => smidgen_gather_bytes(groups.start, &call),
            (false, true) => smidgen_gather_halves(groups.start, &call),
            (true, false) => smidgen_gather_wide_bytes(groups.start, &call),
            (true, true) => smidgen_gather_wide_halves(groups.start, &call),
        }
    }
    true
}
