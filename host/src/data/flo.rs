//! `flo`: Oxford Flowers-102 as the generalised zero-shot benchmark splits it.
//!
//! Image features of EfficientNet-Lite0 (1280, pooled) and sentence embeddings (1024) as class
//! attributes. Xian et al. 2019 ("Zero-shot learning: a comprehensive evaluation") laid down the
//! rows: 82 seen classes, of which 20 validate, and 20 unseen. A trap in the published file:
//! `train_loc` and `val_loc` also hold rows of `test_seen_loc`. Both are therefore intersected
//! with `trainval_loc`, which is disjoint from both test sets; that the result is disjoint is
//! checked and not assumed.

use super::{
    Dataset, FixedRows, Input, Protocol,
    npz::{Extent, Npz},
};
use anyhow::ensure;
use half::f16;
use std::{collections::HashSet, path::Path};

/// 8,189 feature vectors of 1280. Zero-shot, generalised: 82 seen and 20 unseen classes;
/// validation on the published 20 classes and two random sets of 20 seen ones, each with a fifth
/// of the remaining classes' samples held out as `test_seen`.
pub(super) fn load(path: &Path) -> anyhow::Result<Dataset> {
    let mut npz = Npz::open(path)?;
    let (values, shape) = npz.finite::<f16>("x", &[Extent::Any, Extent::Any])?;
    let (n, dim) = (shape[0], shape[1]);
    let (attributes, shape) = npz.finite::<f32>("class_att", &[Extent::Any, Extent::Any])?;
    let (classes, attribute_count) = (shape[0], shape[1]);
    let (y, _) = npz.array::<i16>("y", &[Extent::Exactly(n)])?;
    let class = indices(&y, "y", classes, path)?.into_iter().map(|c| c as u16).collect::<Vec<_>>();
    let mut rows = |name: &str| -> anyhow::Result<Vec<u32>> {
        let (values, _) = npz.array::<i32>(name, &[Extent::Any])?;
        let mut rows = indices(&values, name, n, path)?;
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    };
    let train = rows("trainval_loc")?;
    let kept: HashSet<u32> = train.iter().copied().collect();
    let mut classes_of = |name: &str| -> anyhow::Result<HashSet<u16>> {
        let rows = rows(name)?;
        let kept = rows.iter().filter(|row| kept.contains(row));
        Ok(kept.map(|&row| class[row as usize]).collect())
    };
    let (fitted, validated) = (classes_of("train_loc")?, classes_of("val_loc")?);
    if let Some(both) = fitted.intersection(&validated).next() {
        anyhow::bail!("{}: class {both} is in both train_loc and val_loc; expected disjoint classes", path.display());
    }
    let (test_seen, test_unseen) = (rows("test_seen_loc")?, rows("test_unseen_loc")?);
    let ascending = |set: HashSet<u16>| {
        let mut classes: Vec<u16> = set.into_iter().collect();
        classes.sort_unstable();
        classes
    };
    let of = |rows: &[u32]| ascending(rows.iter().map(|&row| class[row as usize]).collect());
    let (seen, unseen) = (of(&train), of(&test_unseen));
    ensure!(
        seen.iter().all(|c| !unseen.contains(c)) && seen.len() + unseen.len() == classes,
        "{}: the classes of trainval_loc ({}) and test_unseen_loc ({}) do not part all {classes}",
        path.display(),
        seen.len(),
        unseen.len()
    );
    let dataset = Dataset {
        name: "flo".into(),
        title: "Oxford Flowers-102, EfficientNet-Lite0 features".into(),
        licence: "research only: the images' own terms; features are not to be passed on".into(),
        attribution: "Nilsback and Zisserman 2008; split of Xian et al. 2019".into(),
        input: Input::Vectors { dim, values },
        subject: vec![0; n],
        recording: (0..n as u32).collect(),
        subject_names: vec!["none".into()],
        classes: (0..classes).map(|class| format!("flower {class}")).collect(),
        attribute_names: (0..attribute_count).map(|a| format!("embedding {a}")).collect(),
        attributes,
        protocol: Protocol {
            unseen: vec![("official".into(), unseen)],
            fixed: Some(FixedRows { train, test_seen, test_unseen, validation_classes: ascending(validated) }),
            hold_out_seen: true,
            ..Protocol::default()
        },
        class,
    };
    dataset.check()?;
    Ok(dataset)
}

/// Values of array `name` as indices below `bound`.
fn indices<T: Copy + Into<i64>>(values: &[T], name: &str, bound: usize, path: &Path) -> anyhow::Result<Vec<u32>> {
    let index = |(row, &value): (usize, &T)| {
        let value: i64 = value.into();
        ensure!(
            (0..bound as i64).contains(&value),
            "{}: array \"{name}\" at [{row}]: expected 0 to {}, got {value}",
            path.display(),
            bound - 1
        );
        Ok(value as u32)
    };
    values.iter().enumerate().map(index).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Task, data_dir_for_test, load};
    use super::*;

    #[test]
    fn the_official_split_is_disjoint_and_validates_inside_training() {
        let Some(dir) = data_dir_for_test("flo the_official_split_is_disjoint") else {
            return;
        };
        let flo = load("flo", Some(&dir)).unwrap();
        assert!(matches!(flo.input, Input::Vectors { dim: 1280, .. }));
        let splits = flo.splits(Task::ZeroShot, 7).unwrap();
        let [split] = splits.as_slice() else { panic!("{} splits", splits.len()) };
        assert_eq!((split.train.len(), split.test_seen.len()), (5631, 1403));
        assert_eq!((split.test_unseen.len(), split.seen.len(), split.unseen.len()), (1155, 82, 20));
        assert_eq!(split.validation.len(), 3);
        let train: HashSet<u32> = split.train.iter().copied().collect();
        let official = &split.validation[0];
        // 4,705 rows of 62 classes without the trap's rows; a fifth of each is held out.
        assert_eq!(official.train.len() + official.test_seen.len(), 4705);
        assert_eq!(official.test_unseen.len(), 926);
        for v in &split.validation {
            assert_eq!((v.seen.len(), v.unseen.len()), (62, 20));
            let parts = [&v.train, &v.test_seen, &v.test_unseen];
            assert!(parts.into_iter().flatten().all(|row| train.contains(row)));
            let share = v.test_seen.len() as f64 / (v.train.len() + v.test_seen.len()) as f64;
            assert!((0.17..0.2).contains(&share), "{share}");
        }
        let message = flo.splits(Task::Supervised, 0).unwrap_err().to_string();
        assert!(message.contains("flo has no supervised task"), "{message}");
    }
}
