//! Which samples train, which choose settings, which test. Nothing that tests is ever in a
//! validation split: validation classes, subjects and recordings are taken from `train` alone.
//!
//! Supervised: leave a group of subjects out; every class is known. Zero-shot: leave classes out;
//! what is known of them is their attributes. Where seen classes are tested too (the generalised
//! task), whole recordings of them are held out, because windows of one recording overlap.

use super::{
    Dataset,
    splitmix::{SplitMix64, hash},
};
use anyhow::ensure;
use std::collections::HashSet;

/// What is to be learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Classes without a single training sample, known by their attributes.
    ZeroShot,
    /// All classes known, new subjects.
    Supervised,
}

/// One experiment. Rows index the dataset's samples, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Such as `fold 2`, `subject 5`, `pair ABD/FEL`; of a validation split, what it holds out.
    pub name: String,
    /// Samples of seen classes.
    pub train: Vec<u32>,
    /// Held-out samples of seen classes; empty where only unseen classes are tested (T1).
    pub test_seen: Vec<u32>,
    /// Samples of unseen classes; empty in supervised splits.
    pub test_unseen: Vec<u32>,
    /// Classes of `train` and `test_seen`, ascending.
    pub seen: Vec<u16>,
    /// Classes of `test_unseen`, ascending.
    pub unseen: Vec<u16>,
    /// Splits of `train`, in seeded order, for choosing settings: the first k are a random k of
    /// them. Their own `validation` is empty. There are none where too few classes are left.
    pub validation: Vec<Split>,
}

/// How a dataset is split; part of the dataset, since published numbers depend on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Protocol {
    /// (n) index into `fold_names`; empty where there is no supervised task
    pub fold_of: Vec<u16>,
    /// Each is left out once.
    pub fold_names: Vec<String>,
    /// Name and unseen classes of each zero-shot experiment; empty where there is no such task.
    pub unseen: Vec<(String, Vec<u16>)>,
    /// Rows laid down by the data's publishers, for the one entry of `unseen`.
    pub fixed: Option<FixedRows>,
    /// Whether a fifth of each seen class's recordings is held out as `test_seen`.
    pub hold_out_seen: bool,
}

/// Rows laid down by the data's publishers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FixedRows {
    pub train: Vec<u32>,
    pub test_seen: Vec<u32>,
    pub test_unseen: Vec<u32>,
    /// Seen classes that are the published validation set.
    pub validation_classes: Vec<u16>,
}

/// Of a class's recordings, one in this many is held out, and at least one of two or more.
const HELD_OUT_ONE_IN: usize = 5;
/// Validation class sets, where there are too many to try them all.
const VALIDATION_SETS: usize = 3;
/// Up to this many possible validation class sets are all given.
const ALL_SETS_UP_TO: usize = 10;

pub(super) fn splits(dataset: &Dataset, task: Task, seed: u64) -> anyhow::Result<Vec<Split>> {
    let protocol = &dataset.protocol;
    match task {
        Task::ZeroShot => {
            ensure!(
                !protocol.unseen.is_empty(),
                "{} has no zero-shot task: no class is marked as unseen (in classes.csv, column \
                 split) or its classes have no attributes; train it as supervised",
                dataset.name
            );
            Ok(protocol
                .unseen
                .iter()
                .enumerate()
                .map(|(index, (name, unseen))| zero_shot(dataset, name, unseen, hash(seed, index as u64)))
                .collect())
        }
        Task::Supervised => {
            ensure!(
                !protocol.fold_names.is_empty(),
                "{} has no supervised task: it names no subjects or recordings to leave out; \
                 train it as zero-shot",
                dataset.name
            );
            Ok((0..protocol.fold_names.len())
                .map(|fold| supervised(dataset, fold as u16, hash(seed, fold as u64)))
                .collect())
        }
    }
}

fn zero_shot(dataset: &Dataset, name: &str, unseen: &[u16], seed: u64) -> Split {
    let seen = all_but(dataset, unseen);
    let mut sets = Vec::new();
    let mut split = match &dataset.protocol.fixed {
        Some(rows) => {
            sets.push(("official validation".to_string(), rows.validation_classes.clone()));
            let mut split = class_split(dataset, name, &rows.train, &seen, unseen, false, seed);
            split.test_seen = rows.test_seen.clone();
            split.test_unseen = rows.test_unseen.clone();
            split
        }
        None => {
            let rows: Vec<u32> = (0..dataset.len() as u32).collect();
            class_split(dataset, name, &rows, &seen, unseen, dataset.protocol.hold_out_seen, seed)
        }
    };
    let size = match sets.first() {
        Some((_, official)) => official.len(),
        None => unseen.len().max(2).min(seen.len() / 2),
    };
    let wanted = VALIDATION_SETS - sets.len();
    for set in class_sets(&seen, size, wanted, seed) {
        let names: Vec<&str> = set.iter().map(|&c| dataset.classes[usize::from(c)].as_str()).collect();
        sets.push((format!("without {}", names.join("/")), set));
    }
    split.validation = sets
        .iter()
        .enumerate()
        .map(|(index, (name, held))| {
            let rest: Vec<u16> = seen.iter().copied().filter(|c| !held.contains(c)).collect();
            let hold_out = dataset.protocol.hold_out_seen;
            let seed = hash(seed, 1 + index as u64);
            class_split(dataset, name, &split.train, &rest, held, hold_out, seed)
        })
        .collect();
    split
}

/// Parts `rows` by class: `unseen` to test, `seen` to train, or to test by held-out recordings.
fn class_split(
    dataset: &Dataset,
    name: &str,
    rows: &[u32],
    seen: &[u16],
    unseen: &[u16],
    hold_out: bool,
    seed: u64,
) -> Split {
    let class = |row: u32| dataset.class[row as usize];
    let of =
        |classes: &[u16]| -> Vec<u32> { rows.iter().copied().filter(|&row| classes.contains(&class(row))).collect() };
    let (train, test_seen) = match hold_out {
        true => by_recording(dataset, &of(seen), seed),
        false => (of(seen), Vec::new()),
    };
    let mut unseen = unseen.to_vec();
    unseen.sort_unstable();
    Split {
        name: name.to_string(),
        train,
        test_seen,
        test_unseen: of(&unseen),
        seen: seen.to_vec(),
        unseen,
        validation: Vec::new(),
    }
}

/// `(kept, held out)`: of each class's recordings among `rows`, a seeded fifth is held out.
fn by_recording(dataset: &Dataset, rows: &[u32], seed: u64) -> (Vec<u32>, Vec<u32>) {
    let mut recordings: Vec<Vec<u32>> = vec![Vec::new(); dataset.classes.len()];
    for &row in rows {
        recordings[usize::from(dataset.class[row as usize])].push(dataset.recording[row as usize]);
    }
    let mut held: HashSet<u32> = HashSet::new();
    for of_class in &mut recordings {
        of_class.sort_unstable();
        of_class.dedup();
        of_class.sort_by_key(|&recording| (hash(seed, u64::from(recording)), recording));
        let count = match of_class.len() {
            0 | 1 => 0,
            several => (several / HELD_OUT_ONE_IN).max(1),
        };
        held.extend(of_class.iter().take(count));
    }
    rows.iter().partition(|&&row| !held.contains(&dataset.recording[row as usize]))
}

fn supervised(dataset: &Dataset, fold: u16, seed: u64) -> Split {
    let protocol = &dataset.protocol;
    let seen: Vec<u16> = all_but(dataset, &[]);
    let rows = |keep: &dyn Fn(u16) -> bool| -> Vec<u32> {
        let folds = protocol.fold_of.iter().enumerate();
        folds.filter(|&(_, &f)| keep(f)).map(|(row, _)| row as u32).collect()
    };
    let make = |name: &str, train: Vec<u32>, test_seen: Vec<u32>| Split {
        name: name.to_string(),
        train,
        test_seen,
        test_unseen: Vec::new(),
        seen: seen.clone(),
        unseen: Vec::new(),
        validation: Vec::new(),
    };
    let name = |fold: u16| protocol.fold_names[usize::from(fold)].as_str();
    let mut split = make(name(fold), rows(&|f| f != fold), rows(&|f| f == fold));
    let mut others: Vec<u16> = (0..protocol.fold_names.len() as u16).filter(|&f| f != fold).collect();
    SplitMix64::new(seed).shuffle(&mut others);
    split.validation = match others.as_slice() {
        // One fold to train on: nobody is left to leave out but some of its recordings.
        [_] => {
            let (train, test) = by_recording(dataset, &split.train, seed);
            vec![make("without a fifth of the recordings", train, test)]
        }
        _ => others
            .iter()
            .map(|&other| {
                let name = format!("without {}", name(other));
                make(&name, rows(&|f| f != fold && f != other), rows(&|f| f == other))
            })
            .collect(),
    };
    split
}

/// Validation sets of `size` among `seen`: all of them in seeded order if they are few, else
/// `wanted` random ones, disjoint as far as the classes go.
fn class_sets(seen: &[u16], size: usize, wanted: usize, seed: u64) -> Vec<Vec<u16>> {
    // A set of one class cannot be got wrong, and one class left cannot be trained on.
    if size < 2 || seen.len() < size + 2 {
        return Vec::new();
    }
    let mut rng = SplitMix64::new(seed);
    if size == 2 && seen.len() * (seen.len() - 1) / 2 <= ALL_SETS_UP_TO {
        let mut sets: Vec<Vec<u16>> = pairs(seen).map(|(a, b)| vec![a, b]).collect();
        rng.shuffle(&mut sets);
        return sets;
    }
    let mut pool = Vec::new();
    let mut sets = Vec::with_capacity(wanted);
    for _ in 0..wanted {
        if pool.len() < size {
            pool = seen.to_vec();
            rng.shuffle(&mut pool);
        }
        let mut set = pool.split_off(pool.len() - size);
        set.sort_unstable();
        sets.push(set);
    }
    sets
}

/// All unordered pairs, in order.
pub(super) fn pairs(items: &[u16]) -> impl Iterator<Item = (u16, u16)> + '_ {
    items.iter().enumerate().flat_map(|(i, &a)| items[i + 1..].iter().map(move |&b| (a, b)))
}

fn all_but(dataset: &Dataset, unseen: &[u16]) -> Vec<u16> {
    (0..dataset.classes.len() as u16).filter(|c| !unseen.contains(c)).collect()
}

impl Protocol {
    pub(super) fn check(&self, dataset: &Dataset) -> anyhow::Result<()> {
        let (n, classes, name) = (dataset.len(), dataset.classes.len(), &dataset.name);
        ensure!(
            self.fold_of.len() == if self.fold_names.is_empty() { 0 } else { n },
            "dataset {name}: fold_of has {} entries for {n} samples and {} folds",
            self.fold_of.len(),
            self.fold_names.len()
        );
        ensure!(
            self.fold_of.iter().all(|&f| usize::from(f) < self.fold_names.len()),
            "dataset {name}: a fold index is not below {}",
            self.fold_names.len()
        );
        for (split, unseen) in &self.unseen {
            ensure!(
                unseen.iter().all(|&c| usize::from(c) < classes),
                "dataset {name}: {split} names a class that is not below {classes}"
            );
            ensure!(
                !unseen.is_empty() && unseen.len() < classes,
                "dataset {name}: {split} leaves no class unseen, or none seen"
            );
        }
        if let Some(rows) = &self.fixed {
            let mut used = vec![false; n];
            let all = [&rows.train, &rows.test_seen, &rows.test_unseen];
            for &row in all.into_iter().flatten() {
                let Some(used) = used.get_mut(row as usize) else {
                    anyhow::bail!("dataset {name}: row {row} of its split is not below {n}");
                };
                ensure!(!*used, "dataset {name}: row {row} is in more than one part of its split");
                *used = true;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
