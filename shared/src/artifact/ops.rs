//! Decodes operators one by one from postcard, by hand: serde's decoder of [`Op`] is 2 KB of code more.
//!
//! postcard: an enum's tag and a u16 or u32 is a varint (7 bits a byte, lowest first), an i32 is zigzag,
//! an i8 or bool a byte, an option a byte 0 or 1 and its value; fields stand in their order.

use crate::op::{Layout, Op, Region, Width};

/// The operators of a manifest, in order. Ends early where one does not decode.
#[derive(Clone, Copy, Debug)]
pub struct Ops<'a> {
    bytes: &'a [u8],
    left: u8,
}

impl<'a> Ops<'a> {
    /// `count` operators.
    pub fn new(bytes: &'a [u8], count: u8) -> Self {
        Ops { bytes, left: count }
    }

    /// Whether all operators decoded and no byte is left.
    pub fn is_done(&self) -> bool {
        self.left == 0 && self.bytes.is_empty()
    }
}

impl Iterator for Ops<'_> {
    type Item = Op;

    fn next(&mut self) -> Option<Op> {
        self.left = self.left.checked_sub(1)?;
        // The last call, so that the operator is built where it is wanted, and not copied.
        self.op()
    }
}

/// The fields. Each is `None`, and the operators end, where it does not decode.
impl Ops<'_> {
    /// Ends: [`Ops::is_done`] says that something is left.
    fn fail<T>(&mut self) -> Option<T> {
        self.left = 0;
        self.bytes = &[0];
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let Some((&byte, rest)) = self.bytes.split_first() else { return self.fail() };
        self.bytes = rest;
        Some(byte)
    }

    #[inline(never)]
    fn word(&mut self) -> Option<u32> {
        // Most words have one byte or two.
        let Some((&first, rest)) = self.bytes.split_first() else { return self.fail() };
        if first < 128 {
            self.bytes = rest;
            return Some(first.into());
        }
        let Some((&second, mut bytes)) = rest.split_first() else { return self.fail() };
        let mut word = u32::from(first & 127) | u32::from(second & 127) << 7;
        if second < 128 {
            self.bytes = bytes;
            return Some(word);
        }
        let mut shift = 14;
        // None has more than five; the fifth has room for four bits.
        while shift < 35
            && let Some((&byte, rest)) = bytes.split_first()
        {
            bytes = rest;
            word |= u32::from(byte & 127) << (shift & 31);
            if byte < 128 {
                self.bytes = bytes;
                return if shift < 28 || byte < 16 { Some(word) } else { self.fail() };
            }
            shift += 7;
        }
        self.fail()
    }

    fn half(&mut self) -> Option<u16> {
        match self.word()?.try_into() {
            Ok(half) => Some(half),
            Err(_) => self.fail(),
        }
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => self.fail(),
        }
    }

    #[inline(never)]
    fn region(&mut self) -> Option<Region> {
        Some(Region { at: self.word()?, len: self.word()? })
    }

    fn width(&mut self) -> Option<Width> {
        match self.word()? {
            0 => Some(Width::I8),
            1 => Some(Width::I16),
            2 => Some(Width::I32),
            _ => self.fail(),
        }
    }

    fn op(&mut self) -> Option<Op> {
        // Every operator begins with a region: x, or y where it takes the model's input.
        let kind = self.word()?;
        let first = self.region()?;
        Some(match kind {
            0 => Op::Standardise { y: first, rows: self.word()? },
            1 => Op::UnitRms { x: first, y: self.region()?, gain: self.word()? },
            2 => return self.dense(first),
            3 => return self.low_rank(first),
            4 => return self.gate(first),
            5 => return self.mix(first),
            6 => {
                let (y, zigzag) = (self.region()?, self.word()?);
                Op::Rescale { x: first, y, multiplier: (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32) }
            }
            7 => Op::Clamp { x: first, y: self.region()?, lo: self.byte()? as i8, hi: self.byte()? as i8 },
            8 => Op::Lookup { x: first, y: self.region()?, table: self.word()? },
            9 => return self.matched(first),
            10 => return self.sparse(first),
            11 => Op::Embed { y: first, vocabulary: self.half()?, dim: self.half()?, table: self.word()? },
            12 => Op::Poly {
                registers: first,
                state: self.region()?,
                y: self.region()?,
                inputs: self.half()?,
                float: self.flag()?,
                steps: self.word()?,
                laws: self.word()?,
            },
            _ => return self.fail(),
        })
    }

    #[inline(never)]
    fn dense(&mut self, x: Region) -> Option<Op> {
        Some(Op::Dense {
            x,
            y: self.region()?,
            width: self.width()?,
            relu: self.flag()?,
            weights: self.word()?,
            rows: self.word()?,
        })
    }

    #[inline(never)]
    fn low_rank(&mut self, x: Region) -> Option<Op> {
        Some(Op::LowRank {
            x,
            z: self.region()?,
            y: self.region()?,
            width: self.width()?,
            v: self.word()?,
            v_rows: self.word()?,
            u: self.word()?,
            u_rows: self.word()?,
        })
    }

    #[inline(never)]
    fn gate(&mut self, x: Region) -> Option<Op> {
        Some(Op::Gate { x, y: self.region()?, bases: self.half()?, weights: self.word()?, rows: self.word()? })
    }

    #[inline(never)]
    fn mix(&mut self, x: Region) -> Option<Op> {
        Some(Op::Mix {
            x,
            gate: self.region()?,
            base: if self.flag()? { Some(self.region()?) } else { None },
            z: self.region()?,
            acc: self.region()?,
            y: self.region()?,
            width: self.width()?,
            bases: self.half()?,
            v: self.word()?,
            v_rows: self.word()?,
            u: self.word()?,
            u_bias: self.word()?,
            multipliers: self.word()?,
        })
    }

    #[inline(never)]
    fn matched(&mut self, x: Region) -> Option<Op> {
        Some(Op::Match {
            x,
            y: self.region()?,
            weights: self.word()?,
            rows: self.word()?,
            handicaps: if self.flag()? { Some(self.word()?) } else { None },
        })
    }

    #[inline(never)]
    fn sparse(&mut self, x: Region) -> Option<Op> {
        Some(Op::Sparse {
            x,
            y: self.region()?,
            width: self.width()?,
            relu: self.flag()?,
            layout: match self.word()? {
                0 => Layout::Csr,
                1 => Layout::Blocks,
                2 => Layout::Pairs,
                _ => return self.fail(),
            },
            groups: self.word()?,
            counts: self.word()?,
            entries: self.word()?,
            rows: self.word()?,
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn region() -> impl Strategy<Value = Region> {
        (any::<u32>(), any::<u32>()).prop_map(|(at, len)| Region { at, len })
    }

    fn op() -> impl Strategy<Value = Op> {
        let width = || prop_oneof![Just(Width::I8), Just(Width::I16), Just(Width::I32)];
        let words = || any::<[u32; 5]>();
        (
            0..13,
            [region(), region(), region(), region(), region()],
            width(),
            words(),
            any::<(bool, u16, i32, i8, i8)>(),
            any::<Option<u32>>(),
        )
            .prop_map(
                |(kind, [x, y, z, acc, gate], width, [a, b, c, d, e], (relu, bases, multiplier, lo, hi), handicaps)| {
                    match kind {
                        0 => Op::Standardise { y, rows: a },
                        1 => Op::UnitRms { x, y, gain: a },
                        2 => Op::Dense { x, y, width, relu, weights: a, rows: b },
                        3 => Op::LowRank { x, z, y, width, v: a, v_rows: b, u: c, u_rows: d },
                        4 => Op::Gate { x, y, bases, weights: a, rows: b },
                        5 => Op::Mix {
                            x,
                            gate,
                            base: relu.then_some(z),
                            z,
                            acc,
                            y,
                            width,
                            bases,
                            v: a,
                            v_rows: b,
                            u: c,
                            u_bias: d,
                            multipliers: e,
                        },
                        6 => Op::Rescale { x, y, multiplier },
                        7 => Op::Clamp { x, y, lo, hi },
                        8 => Op::Lookup { x, y, table: a },
                        9 => Op::Match { x, y, weights: a, rows: b, handicaps },
                        10 => {
                            let layout = [Layout::Csr, Layout::Blocks, Layout::Pairs][lo.unsigned_abs() as usize % 3];
                            Op::Sparse { x, y, width, relu, layout, groups: a, counts: b, entries: c, rows: d }
                        }
                        11 => Op::Embed { y, vocabulary: bases, dim: multiplier as u16, table: a },
                        _ => Op::Poly { registers: z, state: acc, y, inputs: bases, float: relu, steps: a, laws: b },
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn decodes_what_postcard_encodes(ops in proptest::collection::vec(op(), 0..9)) {
            let mut bytes = Vec::new();
            for op in &ops {
                let mut buffer = [0; 256];
                bytes.extend_from_slice(postcard::to_slice(op, &mut buffer).unwrap());
            }
            let mut decoded = Ops::new(&bytes, ops.len() as u8);
            prop_assert_eq!(decoded.by_ref().collect::<Vec<_>>(), ops);
            prop_assert!(decoded.is_done());
        }

        #[test]
        fn agrees_with_postcard_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let theirs = postcard::take_from_bytes::<Op>(&bytes);
            let mut ours = Ops::new(&bytes, 1);
            match (ours.next(), theirs) {
                (Some(ours), Ok((theirs, _))) => prop_assert_eq!(ours, theirs),
                (None, Err(_)) => prop_assert!(!ours.is_done()),
                // Only a u16 in more bytes than it needs is read here and refused there.
                (Some(Op::Gate { .. } | Op::Mix { .. } | Op::Embed { .. } | Op::Poly { .. }), Err(_)) => {}
                (ours, theirs) => prop_assert!(false, "{ours:?} {theirs:?}"),
            }
        }
    }
}
