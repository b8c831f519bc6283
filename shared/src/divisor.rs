//! Division by a number that stays the same, on cores without a divider too.

use crate::kernel::arch;

/// A number that others are divided by, again and again. Where the core has no divider one division gives a reciprocal,
/// and each later one is two products: as long for all numbers, where a division by software depends on them.
#[derive(Clone, Copy, Debug)]
pub struct Divisor {
    by: u32,
    reciprocal: u32,
}

impl Divisor {
    /// 0 divides as 1 does.
    pub fn new(by: u32) -> Divisor {
        let by = by.max(1);
        Divisor { by, reciprocal: if arch::DIVIDES { 0 } else { u32::MAX / by } }
    }

    /// Quotient and remainder.
    #[inline]
    pub fn divide(&self, a: u32) -> (u32, u32) {
        if !arch::DIVIDES {
            return by_reciprocal(a, self.by, self.reciprocal);
        }
        // Never 0: what makes it says so, which the compiler does not see.
        let quotient = a.checked_div(self.by).unwrap_or(0);
        (quotient, a.wrapping_sub(quotient.wrapping_mul(self.by)))
    }

    /// `16·a / d`, rounded down, and its remainder; the first fits 32 bits where a is below 2²⁸ times d.
    pub fn sixteenths(&self, a: u32) -> (u32, u32) {
        let (whole, rest) = self.divide(a);
        let (part, rest) = self.divide(rest.wrapping_mul(16));
        (whole.wrapping_mul(16).wrapping_add(part), rest)
    }
}

/// By `reciprocal` = ⌊(2³² − 1) / d⌋: `⌊a·reciprocal / 2³²⌋` is the quotient or one less, as `a·(2³² − d·reciprocal)`
/// is at most `a·d`.
fn by_reciprocal(a: u32, by: u32, reciprocal: u32) -> (u32, u32) {
    let quotient = high_product(a, reciprocal);
    let rest = a.wrapping_sub(quotient.wrapping_mul(by));
    let more = u32::from(rest >= by);
    (quotient.wrapping_add(more), rest.wrapping_sub(by & more.wrapping_neg()))
}

/// `⌊a·b / 2³²⌋` by products of halves, which a core without a long multiplication has.
fn high_product(a: u32, b: u32) -> u32 {
    let (a_high, a_low, b_high, b_low) = (a >> 16, a & 0xffff, b >> 16, b & 0xffff);
    let middle = (a_high * b_low).wrapping_add((a_low * b_low) >> 16);
    let other = (a_low * b_high).wrapping_add(middle & 0xffff);
    (a_high * b_high).wrapping_add(middle >> 16).wrapping_add(other >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Both ways: what the core does, and what one without a divider does.
        #[test]
        fn a_divisor_divides(a: u32, by in prop_oneof![1u32..70_000, 1u32..=u32::MAX], exact: bool) {
            let a = if exact { a / by * by } else { a };
            prop_assert_eq!(Divisor::new(by).divide(a), (a / by, a % by));
            for a in [a, a.wrapping_sub(1), u32::MAX] {
                prop_assert_eq!(by_reciprocal(a, by, u32::MAX / by), (a / by, a % by));
            }
        }

        #[test]
        fn sixteenths_are_their_formula(a in 0u32..1 << 28, by in 1u32..70_000) {
            let exact = 16 * u64::from(a);
            let (quotient, rest) = Divisor::new(by).sixteenths(a);
            prop_assert_eq!((u64::from(quotient), u64::from(rest)), (exact / u64::from(by), exact % u64::from(by)));
        }
    }
}
