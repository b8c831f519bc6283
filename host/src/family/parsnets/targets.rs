//! What a sample's `s` is trained to point at: one unit row per class.
//!
//! Supervised: the vertices of a simplex, `a_c ∝ e_c − 1/C`. Zero-shot: the attributes, scaled to
//! unit length, less the seen classes' mean, on their principal components, and scaled again.

use anyhow::{Result, ensure};
use faer::Mat;

use super::Settings;
use crate::graph::Matrix;

/// Class rows, and which classes training may see.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// `(C, a)`
    pub rows: Matrix,
    /// `(C)`
    pub seen: Vec<bool>,
    /// Whether `s` itself holds the scores: simplex vertices, all classes seen
    pub supervised: bool,
}

/// The classes that a model on a chip tells apart.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassTable {
    /// `(C, a)`
    pub rows: Matrix,
    pub names: Vec<String>,
    pub seen: Vec<bool>,
    /// `h_c` in `a_c·s − h_c‖s‖`
    pub handicaps: Vec<f32>,
}

impl Targets {
    /// Simplex vertices of `classes` classes.
    pub fn simplex(classes: usize) -> Self {
        let off = -1.0 / classes as f32;
        let data = (0..classes * classes).map(|i| if i / classes == i % classes { 1.0 + off } else { off }).collect();
        let mut rows = Matrix::new(classes, classes, data);
        normalise(&mut rows);
        Targets { rows, seen: vec![true; classes], supervised: true }
    }

    /// Attributes `(C, a)` as the dataset states them, prepared as `settings` say.
    ///
    /// # Errors
    /// If sizes do not agree, no class is seen, or a class's row is all zeros.
    pub fn attributes(raw: &[f32], seen: &[bool], settings: &Settings) -> Result<Self> {
        let classes = seen.len();
        let n_seen = seen.iter().filter(|s| **s).count();
        ensure!(n_seen > 0, "no class of {classes} is seen in training");
        ensure!(
            !raw.is_empty() && raw.len().is_multiple_of(classes),
            "{} attribute values for {classes} classes: the table must have a row for each class",
            raw.len()
        );
        let mut rows = Matrix::new(classes, raw.len() / classes, raw.to_vec());
        normalise(&mut rows);
        if settings.centre {
            let mut mean = vec![0.0f32; rows.cols];
            for c in (0..classes).filter(|c| seen[*c]) {
                mean.iter_mut().zip(rows.row(c)).for_each(|(m, a)| *m += a / n_seen as f32);
            }
            for row in rows.data.chunks_exact_mut(mean.len()) {
                row.iter_mut().zip(&mean).for_each(|(a, m)| *a -= m);
            }
        }
        if settings.components > 0 && settings.components < rows.cols {
            rows = principal(&rows, seen, settings.components)?;
        }
        // A class without any attribute is told apart by lacking them, once the mean is subtracted.
        normalise(&mut rows);
        for c in 0..classes {
            ensure!(
                rows.row(c).iter().any(|a| *a != 0.0),
                "class {c} has no attribute but zeros: nothing tells it apart"
            );
        }
        Ok(Targets { rows, seen: seen.to_vec(), supervised: false })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.rows.rows
    }

    /// a
    pub fn width(&self) -> usize {
        self.rows.cols
    }

    /// The chip's table of `classes` (indices) with the given handicap of the seen ones.
    pub fn table(&self, classes: &[usize], names: &[String], handicap: f32) -> ClassTable {
        let data = classes.iter().flat_map(|&c| self.rows.row(c).to_vec()).collect();
        ClassTable {
            rows: Matrix::new(classes.len(), self.rows.cols, data),
            names: classes.iter().map(|&c| names[c].clone()).collect(),
            seen: classes.iter().map(|&c| self.seen[c]).collect(),
            handicaps: classes.iter().map(|&c| if self.seen[c] && !self.supervised { handicap } else { 0.0 }).collect(),
        }
    }
}

/// Scales rows to unit length; rows of zeros stay.
fn normalise(rows: &mut Matrix) {
    for row in rows.data.chunks_exact_mut(rows.cols) {
        let norm = row.iter().map(|a| a * a).sum::<f32>().sqrt();
        if norm > 0.0 {
            row.iter_mut().for_each(|a| *a /= norm);
        }
    }
}

/// Projects all rows on the leading right singular vectors of the seen ones. A vector's sign is
/// that which makes its largest entry positive.
fn principal(rows: &Matrix, seen: &[bool], components: usize) -> Result<Matrix> {
    crate::engine::sequential_algebra();
    let chosen: Vec<usize> = (0..rows.rows).filter(|c| seen[*c]).collect();
    let fitted = Mat::from_fn(chosen.len(), rows.cols, |i, j| f64::from(rows.row(chosen[i])[j]));
    let svd =
        fitted.thin_svd().map_err(|e| anyhow::anyhow!("the attributes have no singular value decomposition: {e:?}"))?;
    let v = svd.V();
    let components = components.min(v.ncols());
    let mut directions = Matrix::new(components, rows.cols, vec![0.0; components * rows.cols]);
    for k in 0..components {
        let column: Vec<f64> = (0..rows.cols).map(|j| v[(j, k)]).collect();
        let largest = column.iter().fold(0.0f64, |m, x| if x.abs() > m.abs() { *x } else { m });
        for (to, x) in directions.data[k * rows.cols..].iter_mut().zip(&column) {
            *to = (x * largest.signum()) as f32;
        }
    }
    let data = (0..rows.rows).flat_map(|c| directions.times(rows.row(c))).collect();
    Ok(Matrix::new(rows.rows, components, data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn simplex_vertices_are_alike_far_apart() {
        let t = Targets::simplex(5);
        for (i, j) in (0..5).flat_map(|i| (0..5).map(move |j| (i, j))) {
            let expected = if i == j { 1.0 } else { -0.25 };
            assert!((dot(t.rows.row(i), t.rows.row(j)) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn all_principal_components_keep_the_seen_classes_angles() {
        let mut rng = Rng::new(2, "attributes", 0);
        let raw: Vec<f32> = (0..9 * 30).map(|_| rng.uniform()).collect();
        let seen: Vec<bool> = (0..9).map(|c| c % 4 != 3).collect();
        let mut settings = Settings::preset("zero-shot").unwrap();
        let whole = Targets::attributes(&raw, &seen, &settings).unwrap();
        settings.components = 20;
        let projected = Targets::attributes(&raw, &seen, &settings).unwrap();
        assert!(projected.width() <= 7);
        let of_seen = (0..9).filter(|c| seen[*c]);
        for (a, b) in of_seen.clone().flat_map(|a| of_seen.clone().map(move |b| (a, b))) {
            let (x, y) = (dot(whole.rows.row(a), whole.rows.row(b)), dot(projected.rows.row(a), projected.rows.row(b)));
            assert!((x - y).abs() < 1e-4, "{x} {y}");
        }
    }

    #[test]
    fn a_class_that_nothing_tells_apart_is_refused() {
        let mut settings = Settings::preset("zero-shot").unwrap();
        // Centred, a class is known by what it lacks.
        assert!(Targets::attributes(&[1.0, 0.0, 0.0, 0.0], &[true, true], &settings).is_ok());
        settings.centre = false;
        let error = Targets::attributes(&[1.0, 0.0, 0.0, 0.0], &[true, true], &settings).unwrap_err();
        assert!(error.to_string().contains("class 1"), "{error}");
    }
}
