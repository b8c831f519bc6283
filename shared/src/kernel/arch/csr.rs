//! Armv7E-M, and Armv8-M with DSP: a narrow CSR matrix, 15 instructions a group of four weights.
//!
//! A group is two words: four columns, four weights ([`Sparse`]). Weights are taken apart two at a time and multiplied
//! as halfwords; a row's groups are entered in the midst of eight that stand in a row; rounding follows at once.

use core::arch::global_asm;

use crate::fixed::Row;
use crate::kernel::WINDOW;

/// What the instructions read of a layer besides its groups.
#[repr(C)]
struct Call {
    x: *const i8,
    counts: *const u16,
    rows: *const Row,
    y: *mut i8,
    /// limit of y, from below
    lo: i32,
    y_end: *mut i8,
    groups_end: *const [u8; 8],
}

// r0 groups, r1 input, r2 counts, r3 rows, r4 sum, r5 groups left, r6 columns, r7 weights, r8 an input, r9 multiplier,
// r10 the end of the groups' code, r11 its bytes a group, r12 y. On the stack: lo, the ends of y and of the groups.
global_asm!(
    r#"
    .syntax unified
    .macro SMIDGEN_GROUP
    ldrd r6, r7, [r0], #8
    uxtb.w r8, r6
    ldrsb.w r8, [r1, r8]
    sxtb16 lr, r7
    smlabb r4, r8, lr, r4
    uxtb.w r8, r6, ror #16
    ldrsb.w r8, [r1, r8]
    sxtb16 r7, r7, ror #8
    smlabt r4, r8, lr, r4
    uxtb.w r8, r6, ror #8
    ldrsb.w r8, [r1, r8]
    lsr.w r6, r6, #24
    smlabb r4, r8, r7, r4
    ldrsb.w r6, [r1, r6]
    smlabt r4, r6, r7, r4
    .endm

    .section .text.smidgen_csr, "ax", %progbits
    .global smidgen_csr
    .type smidgen_csr, %function
    .thumb_func
    .balign 4
smidgen_csr:
    push {r4-r11, lr}
    ldmia.w r1, {r1-r7}
    mov r12, r4
    push {r5-r7}
    adr.w r10, 21f
    orr r10, r10, #1
    mov r11, #60
    @ A row: no group is read beyond the last.
10: ldrh r5, [r2], #2
    ldrd r4, r9, [r3], #8
    ldr r6, [sp, #8]
    add.w r7, r0, r5, lsl #3
    cmp r7, r6
    bhi 99f
    and r6, r5, #7
    mls r6, r6, r11, r10
    bx r6
    .balign 4
20:
    .rept 8
    SMIDGEN_GROUP
    .endr
21: subs r5, r5, #8
    bge.w 20b
    lsls r4, r4, #8
    smmulr r4, r4, r9
    ssat r4, #8, r4
    ldrd r6, r7, [sp]
    cmp r4, r6
    it lt
    movlt r4, r6
    strb r4, [r12], #1
    cmp r12, r7
    bne.w 10b
99: add sp, sp, #12
    pop {r4-r11, pc}
"#,
    options(raw)
);

// SAFETY: the function above; what it may be given, its caller says.
unsafe extern "C" {
    fn smidgen_csr(groups: *const [u8; 8], call: *const Call);
}

/// A layer of as many rows as `y` has elements, `lo` its lower limit. `groups` lie at a multiple of 4: `false`, and
/// nothing done, where they do not, or where there are fewer counts or rows. A row whose groups are missing ends it.
pub fn csr(x: &[i8; WINDOW], groups: &[[u8; 8]], counts: &[u16], rows: &[Row], y: &mut [i8], lo: i32) -> bool {
    if !groups.as_ptr().addr().is_multiple_of(4) || counts.len() < y.len() || rows.len() < y.len() || y.is_empty() {
        return false;
    }
    let (from, to) = (groups.as_ptr_range(), y.as_mut_ptr_range());
    let call = Call {
        x: x.as_ptr(),
        counts: counts.as_ptr(),
        rows: rows.as_ptr(),
        y: to.start,
        lo,
        y_end: to.end,
        groups_end: from.end,
    };
    // SAFETY: it writes `y` once from its start to its end, which is beyond it, and reads a count and a row for each;
    // groups up to their end, of which it asks before each row; of `x` what a byte can name.
    unsafe { smidgen_csr(from.start, &call) };
    true
}
