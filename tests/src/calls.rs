//! Where an image calls given functions: reads branch instructions of Thumb and RISC-V.
//!
//! Every two bytes are tried as an instruction. A constant that looks like a branch to exactly one of a handful of
//! addresses is unlikely, and would be seen: its place in the source is printed.

use std::collections::BTreeSet;

/// Addresses of branches in Thumb code `code` at `base` whose target is in `targets`
/// (ARMv7-M Architecture Reference Manual, A7.7: B T1–T4, BL T1).
pub fn thumb(code: &[u8], base: u64, targets: &BTreeSet<u64>) -> Vec<u64> {
    let half = |at: usize| code.get(at..at + 2).map(|b| u32::from(u16::from_le_bytes([b[0], b[1]])));
    let mut found = Vec::new();
    for at in (0..code.len()).step_by(2) {
        let (Some(a), b) = (half(at), half(at + 2).unwrap_or(0)) else { break };
        let (s, j1, j2) = (a >> 10 & 1, b >> 13 & 1, b >> 11 & 1);
        let offset = if a >> 11 == 0b11110 && b >> 15 == 1 && b >> 12 & 1 == 1 {
            let (i1, i2) = (1 ^ j1 ^ s, 1 ^ j2 ^ s);
            Some(extend(s << 24 | i1 << 23 | i2 << 22 | (a & 0x3ff) << 12 | (b & 0x7ff) << 1, 25))
        } else if a >> 11 == 0b11110 && b >> 14 == 0b10 && b >> 12 & 1 == 0 {
            Some(extend(s << 20 | j2 << 19 | j1 << 18 | (a & 0x3f) << 12 | (b & 0x7ff) << 1, 21))
        } else if a >> 11 == 0b11100 {
            Some(extend((a & 0x7ff) << 1, 12))
        } else if a >> 12 == 0b1101 {
            Some(extend((a & 0xff) << 1, 9))
        } else {
            None
        };
        let from = base + at as u64;
        found.extend(offset.filter(|o| targets.contains(&from.wrapping_add_signed(o + 4))).map(|_| from));
    }
    found
}

/// The same for RISC-V (Unprivileged ISA: JAL, AUIPC with JALR; C.JAL, C.J).
pub fn riscv(code: &[u8], base: u64, targets: &BTreeSet<u64>) -> Vec<u64> {
    // Zeros follow the end: a compressed instruction may be the last.
    let byte = |at: usize| code.get(at).copied().unwrap_or(0);
    let word = |at: usize| u32::from_le_bytes([byte(at), byte(at + 1), byte(at + 2), byte(at + 3)]);
    let mut found = Vec::new();
    for at in (0..code.len().saturating_sub(1)).step_by(2) {
        let w = word(at);
        let next = word(at + 4);
        let offset = match w & 0x7f {
            0x6f => {
                Some(extend(w >> 31 << 20 | (w >> 12 & 0xff) << 12 | (w >> 20 & 1) << 11 | (w >> 21 & 0x3ff) << 1, 21))
            }
            0x17 if next & 0x7f == 0x67 && next >> 15 & 31 == w >> 7 & 31 => {
                Some(i64::from((w & 0xffff_f000) as i32) + extend(next >> 20, 12))
            }
            _ if w & 3 == 1 && matches!(w >> 13 & 7, 0b001 | 0b101) => {
                let bit = |from: u32, to: u32| (w >> from & 1) << to;
                let bits = bit(12, 11) | bit(11, 4) | (w >> 9 & 3) << 8 | bit(8, 10) | bit(7, 6) | bit(6, 7);
                Some(extend(bits | (w >> 3 & 7) << 1 | bit(2, 5), 12))
            }
            _ => None,
        };
        let from = base + at as u64;
        let to = offset.map(|o| (from as u32).wrapping_add(o as u32));
        found.extend(to.filter(|to| targets.contains(&u64::from(*to))).map(|_| from));
    }
    found
}

/// The low `bits` of `value` as a signed number.
fn extend(value: u32, bits: u32) -> i64 {
    i64::from((value << (32 - bits)) as i32 >> (32 - bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As llvm-mc assembles them at 0x1000, all to 0x1100.
    #[test]
    fn branches_are_read() {
        let to = BTreeSet::from([0x1100]);
        for code in [&[0x00, 0xf0, 0x7e, 0xf8][..], &[0x00, 0xf0, 0x7e, 0xb8], &[0x7e, 0xe0], &[0x00, 0xf0, 0x7e, 0x80]]
        {
            assert_eq!(thumb(code, 0x1000, &to), [0x1000], "{code:x?}");
            assert_eq!(thumb(code, 0x1004, &to), [0u64; 0], "{code:x?}");
        }
        for code in
            [&[0xef, 0x00, 0x00, 0x10][..], &[0x01, 0x22], &[0x01, 0xa2], &[0x97, 0, 0, 0, 0xe7, 0x80, 0x00, 0x10]]
        {
            assert_eq!(riscv(code, 0x1000, &to), [0x1000], "{code:x?}");
        }
        // Backwards.
        assert_eq!(thumb(&[0xff, 0xf7, 0x7e, 0xff], 0x1200, &to), [0x1200]);
    }
}
