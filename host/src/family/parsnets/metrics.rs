//! How good a model is.
//!
//! T1: mean over classes of the accuracy within each. Generalised zero-shot: U and S are T1 over
//! the unseen and the seen classes when all compete, `H = 2US/(U+S)` (Xian et al., CVPR 2017). A
//! handicap subtracted from the seen classes' cosines balances the two (calibrated stacking, Chao
//! et al., ECCV 2016).

/// Best class of each row of `scores (n, C)` among `allowed`; the first of equals.
///
/// # Panics
/// If no class is allowed.
pub fn classify(scores: &[f32], classes: usize, allowed: &[usize]) -> Vec<u16> {
    let best = |row: &[f32]| {
        let first = allowed[0];
        allowed.iter().fold(first, |best, &c| if row[c] > row[best] { c } else { best }) as u16
    };
    scores.chunks_exact(classes).map(best).collect()
}

/// Share of `predicted` that is right; 0 of none.
pub fn accuracy(predicted: &[u16], y: &[u16]) -> f64 {
    let right = predicted.iter().zip(y).filter(|(p, y)| p == y).count();
    right as f64 / y.len().max(1) as f64
}

/// T1: mean over those of `classes` that occur in `y` of the accuracy within the class.
pub fn per_class(predicted: &[u16], y: &[u16], classes: &[usize]) -> f64 {
    let within = classes.iter().filter_map(|&c| {
        let of_class = || predicted.iter().zip(y).filter(move |(_, y)| usize::from(**y) == c);
        let total = of_class().count();
        (total > 0).then(|| of_class().filter(|(p, y)| p == y).count() as f64 / total as f64)
    });
    let within: Vec<f64> = within.collect();
    within.iter().sum::<f64>() / within.len().max(1) as f64
}

/// Accuracies when seen and unseen classes compete.
#[derive(Clone, Copy, Debug, PartialEq, Default, serde::Serialize)]
pub struct Generalised {
    /// T1 of the unseen classes
    pub u: f64,
    /// T1 of the seen classes
    pub s: f64,
    /// Their harmonic mean
    pub h: f64,
}

impl Generalised {
    /// From `cosines (n, C)` of held-out samples of all classes, `handicap` subtracted from the seen
    /// ones'. Only classes with `seen` or `unseen` set compete.
    pub fn measure(cosines: &[f32], y: &[u16], seen: &[usize], unseen: &[usize], handicap: f32) -> Self {
        let classes = cosines.len() / y.len().max(1);
        let predict = |row: &[f32]| {
            let best =
                |among: &[usize]| among.iter().copied().reduce(|best, c| if row[c] > row[best] { c } else { best });
            match (best(seen), best(unseen)) {
                (Some(s), Some(u)) => {
                    if row[s] - handicap > row[u] {
                        s as u16
                    } else {
                        u as u16
                    }
                }
                (Some(c), None) | (None, Some(c)) => c as u16,
                (None, None) => u16::MAX,
            }
        };
        let predicted: Vec<u16> = cosines.chunks_exact(classes.max(1)).map(predict).collect();
        let (u, s) = (per_class(&predicted, y, unseen), per_class(&predicted, y, seen));
        Generalised { u, s, h: if u + s > 0.0 { 2.0 * u * s / (u + s) } else { 0.0 } }
    }
}

/// The handicap, a multiple of .005 in [0, 1], with the largest H on validation samples, and that H.
/// Of several equals the middle one.
pub fn best_handicap(cosines: &[f32], y: &[u16], seen: &[usize], unseen: &[usize]) -> (f32, f64) {
    let tried: Vec<(f32, f64)> =
        (0..=200).map(|i| 0.005 * i as f32).map(|h| (h, Generalised::measure(cosines, y, seen, unseen, h).h)).collect();
    let best = tried.iter().fold(0.0, |best: f64, (_, h)| best.max(*h));
    let equals: Vec<(f32, f64)> = tried.into_iter().filter(|(_, h)| *h >= best - 1e-12).collect();
    equals[equals.len() / 2]
}

/// Mean and standard deviation (n − 1) over seeds or folds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Summary {
    pub mean: f64,
    /// 0 of a single value
    pub deviation: f64,
}

impl Summary {
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n.max(1.0);
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        Summary { mean, deviation: if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_weighs_classes_alike() {
        let y = [0, 0, 0, 0, 1, 2];
        let predicted = [0, 0, 0, 1, 1, 0];
        assert!((accuracy(&predicted, &y) - 4.0 / 6.0).abs() < 1e-12);
        assert!((per_class(&predicted, &y, &[0, 1, 2]) - (0.75 + 1.0 + 0.0) / 3.0).abs() < 1e-12);
        assert!((per_class(&predicted, &y, &[0, 1, 5]) - (0.75 + 1.0) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_handicap_moves_samples_from_seen_to_unseen() {
        // Classes 0, 1 seen, 2 unseen; the unseen sample's own cosine is .1 below a seen one's.
        let cosines = [0.9, 0.1, 0.2, 0.1, 0.9, 0.2, 0.6, 0.0, 0.5];
        let y = [0, 1, 2];
        let at = |h| Generalised::measure(&cosines, &y, &[0, 1], &[2], h);
        assert_eq!((at(0.0).u, at(0.0).s, at(0.0).h), (0.0, 1.0, 0.0));
        assert_eq!((at(0.3).u, at(0.3).s, at(0.3).h), (1.0, 1.0, 1.0));
        assert_eq!((at(0.9).u, at(0.9).s), (1.0, 0.0));
        let (h, best) = best_handicap(&cosines, &y, &[0, 1], &[2]);
        assert!(best == 1.0 && (0.1..0.7).contains(&h));
        assert!((h - 0.4).abs() < 0.011, "the middle of (.1, .7): {h}");
    }

    #[test]
    fn classify_keeps_to_the_allowed() {
        assert_eq!(classify(&[0.9, 0.1, 0.5, 0.0, 0.0, 0.0], 3, &[1, 2]), [2, 1]);
    }

    #[test]
    fn mean_and_deviation() {
        let s = Summary::of(&[1.0, 2.0, 3.0]);
        assert_eq!((s.mean, s.deviation), (2.0, 1.0));
        assert_eq!(Summary::of(&[5.0]).deviation, 0.0);
    }
}
