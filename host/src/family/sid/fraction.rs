//! Exact fractions of 128 bits, and the fraction that a measured number most likely is.

/// `numerator / denominator`, in lowest terms, denominator > 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    /// With the sign.
    pub numerator: i128,
    /// Positive.
    pub denominator: i128,
}

impl Fraction {
    /// A whole number.
    pub const fn whole(n: i64) -> Fraction {
        Fraction { numerator: n as i128, denominator: 1 }
    }

    fn new(numerator: i128, denominator: i128) -> Option<Fraction> {
        if denominator == 0 {
            return None;
        }
        let d = gcd(numerator.unsigned_abs(), denominator.unsigned_abs()).max(1);
        let d = i128::try_from(d).ok()? * denominator.signum();
        Some(Fraction { numerator: numerator / d, denominator: denominator / d })
    }

    /// The fraction of a number's shortest decimal form: 0.015 is 3/200.
    pub fn of_decimal(value: f64) -> Option<Fraction> {
        let text = format!("{value}");
        let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |rest| (-1, rest));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let numerator: i128 = format!("{whole}{part}").parse().ok()?;
        Fraction::new(sign * numerator, 10i128.checked_pow(u32::try_from(part.len()).ok()?)?)
    }

    /// The simplest fraction within `tolerance` of `value` with a denominator of at most `largest`.
    pub fn near(value: f64, tolerance: f64, largest: i64) -> Option<Fraction> {
        if !value.is_finite() || value.abs() > 1e9 {
            return None;
        }
        // Convergents of the continued fraction: p/q alternate about the value.
        let (mut p, mut q, mut p0, mut q0, mut rest) = (1i128, 0i128, 0i128, 1i128, value);
        for _ in 0..40 {
            let whole = rest.floor();
            (p, p0) = (whole as i128 * p + p0, p);
            (q, q0) = (whole as i128 * q + q0, q);
            if q > i128::from(largest) {
                return None;
            }
            if (p as f64 / q as f64 - value).abs() <= tolerance {
                return Fraction::new(p, q);
            }
            let part = rest - whole;
            if part <= 0.0 {
                return None;
            }
            rest = 1.0 / part;
            if rest > 1e12 {
                return None;
            }
        }
        None
    }

    /// Whether it is 0.
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// Its value.
    pub fn value(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// −self.
    pub const fn negative(self) -> Fraction {
        Fraction { numerator: -self.numerator, denominator: self.denominator }
    }

    /// Sum; none where it overflows.
    pub fn plus(self, other: Fraction) -> Option<Fraction> {
        let d = i128::try_from(gcd(self.denominator.unsigned_abs(), other.denominator.unsigned_abs())).ok()?;
        let a = self.numerator.checked_mul(other.denominator / d)?;
        let b = other.numerator.checked_mul(self.denominator / d)?;
        Fraction::new(a.checked_add(b)?, self.denominator.checked_mul(other.denominator / d)?)
    }

    /// Product; none where it overflows.
    pub fn times(self, other: Fraction) -> Option<Fraction> {
        let a = Fraction::new(self.numerator, other.denominator)?;
        let b = Fraction::new(other.numerator, self.denominator)?;
        Fraction::new(a.numerator.checked_mul(b.numerator)?, a.denominator.checked_mul(b.denominator)?)
    }

    /// Quotient; none where it overflows or `other` is 0.
    pub fn over(self, other: Fraction) -> Option<Fraction> {
        self.times(Fraction::new(other.denominator, other.numerator)?)
    }
}

/// Greatest common divisor.
pub fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_fraction_is_found_again(p in -40i64..40, q in 1i64..40, noise in -1e-10f64..1e-10) {
            let found = Fraction::near(p as f64 / q as f64 + noise, 1e-9, 64).unwrap();
            prop_assert_eq!(Some(found), Fraction::new(p.into(), q.into()));
        }

        #[test]
        fn arithmetic_is_exact(a in -1000i64..1000, b in 1i64..1000, c in -1000i64..1000, d in 1i64..1000) {
            let (x, y) = (Fraction::new(a.into(), b.into()).unwrap(), Fraction::new(c.into(), d.into()).unwrap());
            prop_assert_eq!(x.plus(y), Fraction::new((a * d + c * b).into(), (b * d).into()));
            prop_assert_eq!(x.times(y), Fraction::new((a * c).into(), (b * d).into()));
            prop_assert_eq!(x.over(y).is_some(), c != 0);
        }
    }

    #[test]
    fn decimals_are_what_they_say() {
        assert_eq!(Fraction::of_decimal(0.015), Fraction::new(3, 200));
        assert_eq!(Fraction::of_decimal(-12750.918), Fraction::new(-6_375_459, 500));
        assert_eq!(Fraction::near(std::f64::consts::PI, 1e-9, 64), None);
        assert_eq!(Fraction::near(f64::NAN, 1e-9, 64), None);
    }
}
