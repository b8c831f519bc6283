//! A law as a reader writes it: coefficients as simple fractions where they are some.
//!
//! A law is worth the same times any number, so the scale is chosen that makes all coefficients whole and
//! small, or else the first one 1.

use super::fraction::{Fraction, gcd};

/// A law's coefficients, scaled for a reader.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    /// (term, coefficient), in the order of terms.
    pub terms: Vec<(usize, f64)>,
    /// As text: `x² + y² − 2·(1/r)`.
    pub text: String,
    /// Whether every coefficient is a simple fraction.
    pub exact: bool,
}

/// Largest whole coefficient that is not written as a fraction instead.
const WHOLE: i128 = 12;
/// Largest denominator of a simple fraction.
const DENOMINATOR: i64 = 200;
/// Largest denominator that is written as a fraction rather than in decimals.
const WRITTEN: i128 = 12;

/// The formula of `(term, coefficient)`s, known to about `tolerance` of the largest.
pub fn formula(terms: &[(usize, f64)], labels: &[String], tolerance: f64) -> Formula {
    let fractions = |scale: f64| -> Option<Vec<Fraction>> {
        let largest = terms.iter().fold(0.0f64, |m, t| m.max((t.1 / scale).abs()));
        terms.iter().map(|t| Fraction::near(t.1 / scale, tolerance * largest.max(1.0), DENOMINATOR)).collect()
    };
    // Over each coefficient in turn, the first ones: whole numbers of the smallest largest.
    let whole =
        terms.iter().take(8).filter_map(|t| whole(&fractions(t.1)?)).min_by_key(|w| w.iter().map(|v| v.abs()).max());
    let first = terms.first().map_or(1.0, |t| t.1);
    let scaled: (Vec<f64>, Vec<String>, bool) = match (whole, fractions(first)) {
        (Some(whole), _) if whole.iter().all(|w| w.abs() <= WHOLE) => {
            let sign = if whole[0] < 0 { -1 } else { 1 };
            (
                whole.iter().map(|w| (w * sign) as f64).collect(),
                whole.iter().map(|w| (w * sign).unsigned_abs().to_string()).collect(),
                true,
            )
        }
        (_, Some(fractions)) => (
            fractions.iter().map(|f| f.value()).collect(),
            fractions
                .iter()
                .map(|f| match f.denominator {
                    1 => f.numerator.unsigned_abs().to_string(),
                    d if d > WRITTEN && 1000 % d == 0 => format!("{}", f.value().abs()),
                    d => format!("{}/{d}", f.numerator.unsigned_abs()),
                })
                .collect(),
            true,
        ),
        _ => {
            let values: Vec<f64> = terms.iter().map(|t| t.1 / first).collect();
            let texts = values.iter().map(|v| decimal(v.abs(), tolerance)).collect();
            (values, texts, false)
        }
    };
    let mut text = String::new();
    for (i, ((k, _), (value, number))) in terms.iter().zip(scaled.0.iter().zip(&scaled.1)).enumerate() {
        text += match (i, *value < 0.0) {
            (0, false) => "",
            (0, true) => "−",
            (_, false) => " + ",
            (_, true) => " − ",
        };
        let label = labels.get(*k).map_or("?", String::as_str);
        if number == "1" {
            text += label;
        } else if label.starts_with(|c: char| c.is_ascii_digit()) {
            text += &format!("{number}·({label})");
        } else {
            text += &format!("{number}·{label}");
        }
    }
    let terms = terms.iter().zip(&scaled.0).map(|((k, _), v)| (*k, *v)).collect();
    Formula { terms, text, exact: scaled.2 }
}

/// The same ratios in whole numbers without a common factor.
fn whole(fractions: &[Fraction]) -> Option<Vec<i128>> {
    let mut multiple = 1i128;
    for f in fractions {
        let d = i128::try_from(gcd(multiple.unsigned_abs(), f.denominator.unsigned_abs())).ok()?;
        multiple = multiple.checked_mul(f.denominator / d)?;
    }
    let numbers: Vec<i128> =
        fractions.iter().map(|f| f.numerator.checked_mul(multiple / f.denominator)).collect::<Option<_>>()?;
    let common = numbers.iter().fold(0, |g, n| gcd(g, n.unsigned_abs())).max(1);
    Some(numbers.iter().map(|n| n / i128::try_from(common).unwrap_or(1)).collect())
}

/// As many digits as are known.
fn decimal(value: f64, tolerance: f64) -> String {
    let digits = (-tolerance.max(1e-9).log10()).round().clamp(2.0, 6.0) as usize;
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(coefficients: &[f64], labels: &[&str]) -> String {
        let labels: Vec<String> = labels.iter().map(|l| (*l).to_string()).collect();
        let terms: Vec<(usize, f64)> = coefficients.iter().copied().enumerate().collect();
        formula(&terms, &labels, 1e-8).text
    }

    #[test]
    fn laws_read_as_they_are_written() {
        assert_eq!(text(&[0.577_350_269_189; 3], &["x", "y", "z"]), "x + y + z");
        assert_eq!(text(&[-0.5, 0.5], &["x·vy", "y·vx"]), "x·vy − y·vx");
        assert_eq!(text(&[0.25, 0.25, -0.5], &["vx²", "vy²", "1/r"]), "vx² + vy² − 2·(1/r)");
        assert_eq!(text(&[1.0, 1.5, -4.0 / 11.0], &["O3", "HO2", "H2"]), "O3 + 3/2·HO2 − 4/11·H2");
        assert_eq!(text(&[1.0, -39.24], &["w²", "cos(a)"]), "w² − 39.24·cos(a)");
        assert_eq!(text(&[1.0, -std::f64::consts::SQRT_2], &["a", "b"]), "a − 1.414214·b");
    }

    #[test]
    fn an_exact_formula_has_exact_coefficients() {
        let labels = ["a".to_string(), "b".to_string()];
        let f = formula(&[(0, 0.300_000_000_01), (1, -0.2)], &labels, 1e-8);
        assert_eq!((f.terms, f.exact), (vec![(0, 3.0), (1, -2.0)], true));
    }
}
