//! Handwritten digits of 8 × 8 pixels, embedded in the tool: 1,797 of them, as scikit-learn ships them.
//!
//! Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998; BSD-3-Clause
//! (`host/data/digits`).

use std::io::Read;

use anyhow::{Context, Result, ensure};

/// Gzipped lines of 64 pixels and a label.
const PACKED: &[u8] = include_bytes!("../../data/digits/digits.csv.gz");

/// Width and height of an image.
pub const SIDE: usize = 8;
/// Largest pixel: ink.
pub const INK: u8 = 16;

/// Images and what they show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmallDigits {
    /// `(n, 8·8)` row-major, 0 the ground to 16
    pub pixels: Vec<u8>,
    /// `(n)` 0 to 9
    pub labels: Vec<u8>,
}

impl SmallDigits {
    /// The embedded images.
    ///
    /// # Errors
    /// None, unless the program itself is damaged.
    pub fn load() -> Result<SmallDigits> {
        let mut text = String::new();
        flate2::read::GzDecoder::new(PACKED).read_to_string(&mut text).context("the embedded digits")?;
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for (i, line) in text.lines().enumerate() {
            let row: Vec<u8> = line
                .split(',')
                .map(|v| v.trim().parse().with_context(|| format!("the embedded digits, line {}: {v:?}", i + 1)))
                .collect::<Result<_>>()?;
            ensure!(row.len() == SIDE * SIDE + 1, "the embedded digits, line {}: {} values", i + 1, row.len());
            ensure!(row[..64].iter().all(|&p| p <= INK) && row[64] <= 9, "the embedded digits, line {}", i + 1);
            pixels.extend_from_slice(&row[..64]);
            labels.push(row[64]);
        }
        Ok(SmallDigits { pixels, labels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_there() {
        let digits = SmallDigits::load().unwrap();
        assert_eq!((digits.labels.len(), digits.pixels.len()), (1797, 1797 * 64));
        let count = |d: u8| digits.labels.iter().filter(|&&l| l == d).count();
        assert!((0..10).all(|d| (170..190).contains(&count(d))));
        let mean = digits.pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / digits.pixels.len() as f64;
        assert!((mean - 4.884).abs() < 1e-3, "{mean}");
    }
}
