//! Properties of every split of made-up datasets, and what the tiny ones give.

use super::super::Input;
use super::*;
use proptest::prelude::*;

/// Samples round-robin over `classes`; three a recording; unseen classes are the last ones.
fn dataset(n: usize, classes: u16, unseen: u16, folds: u16, hold_out_seen: bool) -> Dataset {
    let class: Vec<u16> = (0..n).map(|i| (i / 3) as u16 % classes).collect();
    let fold_of: Vec<u16> = match folds {
        0 => Vec::new(),
        _ => (0..n).map(|i| (i / 3) as u16 / classes % folds).collect(),
    };
    let unseen: Vec<u16> = (classes - unseen..classes).collect();
    let dataset = Dataset {
        name: "made-up".into(),
        title: String::new(),
        licence: String::new(),
        attribution: String::new(),
        input: Input::Vectors { dim: 1, values: vec![0.0; n] },
        subject: vec![0; n],
        recording: (0..n as u32).map(|i| i / 3).collect(),
        subject_names: vec!["one".into()],
        classes: (0..classes).map(|c| format!("c{c}")).collect(),
        attribute_names: vec!["a".into()],
        attributes: vec![0.0; usize::from(classes)],
        protocol: Protocol {
            fold_of,
            fold_names: (0..folds).map(|f| format!("fold {f}")).collect(),
            unseen: if unseen.is_empty() { vec![] } else { vec![("zero".into(), unseen)] },
            fixed: None,
            hold_out_seen,
        },
        class,
    };
    dataset.check().unwrap();
    dataset
}

/// What must hold of any split and of its validation splits.
fn check(dataset: &Dataset, split: &Split, allowed: &HashSet<u32>) -> Result<(), TestCaseError> {
    let parts = [&split.train, &split.test_seen, &split.test_unseen];
    let rows: Vec<u32> = parts.into_iter().flatten().copied().collect();
    let unique: HashSet<u32> = rows.iter().copied().collect();
    prop_assert_eq!(unique.len(), rows.len(), "parts overlap in {}", &split.name);
    prop_assert!(unique.is_subset(allowed), "{} reaches beyond what it may use", &split.name);
    for part in parts {
        prop_assert!(part.is_sorted());
    }
    let class = |row: &u32| dataset.class[*row as usize];
    prop_assert!(split.train.iter().chain(&split.test_seen).all(|r| split.seen.contains(&class(r))));
    prop_assert!(split.test_unseen.iter().all(|row| split.unseen.contains(&class(row))));
    prop_assert!(split.seen.iter().all(|c| !split.unseen.contains(c)));
    prop_assert!(split.seen.is_sorted() && split.unseen.is_sorted());
    let recordings =
        |rows: &[u32]| -> HashSet<u32> { rows.iter().map(|&row| dataset.recording[row as usize]).collect() };
    prop_assert!(recordings(&split.train).is_disjoint(&recordings(&split.test_seen)));
    let train: HashSet<u32> = split.train.iter().copied().collect();
    for validation in &split.validation {
        prop_assert!(validation.validation.is_empty());
        check(dataset, validation, &train)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn splits_hold_their_promises(
        n in 1usize..200, classes in 2u16..9, unseen in 0u16..9, folds in 2u16..6,
        hold_out in any::<bool>(), seed in any::<u64>(),
    ) {
        let dataset = dataset(n, classes, unseen % classes, folds, hold_out);
        let all: HashSet<u32> = (0..n as u32).collect();
        for task in dataset.tasks() {
            let splits = dataset.splits(task, seed).unwrap();
            for split in &splits {
                check(&dataset, split, &all)?;
                prop_assert_eq!(
                    split.train.len() + split.test_seen.len() + split.test_unseen.len(), n
                );
            }
            prop_assert_eq!(&splits, &dataset.splits(task, seed).unwrap());
        }
    }
}

#[test]
fn validation_sets_are_all_pairs_of_few_classes_and_disjoint_sets_of_many() {
    let few = class_sets(&[0, 1, 2, 3], 2, 3, 9);
    assert_eq!(few.len(), 6);
    let many = class_sets(&(0..15).collect::<Vec<_>>(), 4, 3, 9);
    let used: HashSet<u16> = many.concat().into_iter().collect();
    assert_eq!((many.len(), used.len()), (3, 12));
    assert_ne!(many, class_sets(&(0..15).collect::<Vec<_>>(), 4, 3, 10));
    assert!(class_sets(&[0, 1, 2], 2, 3, 9).is_empty());
}

#[test]
fn generalised_splits_hold_out_a_fifth_of_each_seen_class() {
    let dataset = dataset(300, 5, 1, 0, true);
    let split = dataset.splits(Task::ZeroShot, 1).unwrap().remove(0);
    // 20 recordings of 3 samples a class, 4 seen classes: 4 recordings of each are held out.
    assert_eq!((split.train.len(), split.test_seen.len(), split.test_unseen.len()), (192, 48, 60));
    assert_eq!(split.validation.len(), 6);
}

#[test]
fn two_folds_validate_on_recordings() {
    let dataset = dataset(300, 5, 0, 2, false);
    let splits = dataset.splits(Task::Supervised, 1).unwrap();
    let names: Vec<&str> = splits[0].validation.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["without a fifth of the recordings"]);
    assert_eq!(splits[0].validation[0].test_seen.len(), 30);
}

#[test]
fn says_which_task_there_is_not() {
    let neither = dataset(30, 3, 0, 0, false);
    assert!(neither.tasks().is_empty());
    let message = neither.splits(Task::ZeroShot, 0).unwrap_err().to_string();
    assert!(message.starts_with("made-up has no zero-shot task"), "{message}");
    let message = neither.splits(Task::Supervised, 0).unwrap_err().to_string();
    assert!(message.starts_with("made-up has no supervised task"), "{message}");
}
