//! `dsads`: UCI Daily and Sports Activities, the right arm's unit.
//!
//! Barshan and Altun 2010 (CC BY 4.0): 19 activities × 8 subjects × 60 segments of 5 s at 25 Hz of
//! accelerometer [m/s²], gyroscope [rad/s] and magnetometer [of the Earth's field]. Here in the
//! counts of a wearable's sensor, `count = round(value / lsb)`, saturating at 16 bits:
//! 0.488 mg (±16 g), 70 mdps (±2000 deg/s) and 1/4096 of the field.
//!
//! `rotations=4` is a synthetic construct, not a recording: each window is turned by the identity
//! or the half turn about x, y or z, `v ↦ v · (±1, ±1, ±1)` for all three sensors alike, as if
//! the band were worn in one of four orientations that nobody noted down. Which one depends on a
//! hash of `rotation_seed` and the window's index, so it is the same in training and test.

use super::{
    Dataset, Input, Protocol,
    attributes::ClassTable,
    npz::{Extent, Npz},
    registry::Settings,
    spar::{ACCELEROMETER_LSB_G, GYROSCOPE_LSB_DPS},
    splitmix::hash,
};
use anyhow::ensure;
use std::path::Path;

const ATTRIBUTES: &[u8] = include_bytes!("../../data/dsads/attributes.csv");

/// Fraction of the Earth's field a count of the magnetometer.
pub const MAGNETOMETER_LSB: f32 = 1.0 / 4096.0;

const CHANNELS: usize = 9;
const WINDOW: usize = 125;
const RATE_HZ: f32 = 25.0;
const SUBJECTS: u16 = 8;
const STANDARD_GRAVITY: f64 = 9.80665;
/// Unseen activities of each zero-shot fold, from 0.
const UNSEEN: [&[u16]; 4] = [&[0, 2, 9, 13, 14], &[3, 8, 11, 12, 16], &[4, 6, 10, 17], &[1, 5, 7, 15, 18]];
/// Signs of x, y and z: the identity and the half turns about x, y and z.
const HALF_TURNS: [[i16; 3]; 4] = [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]];

/// 9,120 windows of (125, 9). Supervised: one subject left out, 8 folds. Zero-shot: 4 folds of
/// unseen activities, tested among themselves (T1).
pub(super) fn load(settings: &Settings, path: &Path) -> anyhow::Result<Dataset> {
    let table = ClassTable::parse(ATTRIBUTES, "dsads/attributes.csv")?;
    let mut npz = Npz::open(path)?;
    let expected = [Extent::Any, Extent::Exactly(WINDOW), Extent::Exactly(CHANNELS)];
    let (values, shape) = npz.finite::<f32>("x", &expected)?;
    let n = [Extent::Exactly(shape[0])];
    let class = indices(&npz.array::<i8>("y", &n)?.0, "y", 0, table.classes.len() as u16, path)?;
    let subject = indices(&npz.array::<i8>("subject", &n)?.0, "subject", 1, SUBJECTS, path)?;

    let mut samples: Vec<i16> = values.iter().enumerate().map(|(at, &value)| counts(value, at % CHANNELS)).collect();
    if settings.get("rotations") == 4 {
        for (index, window) in samples.chunks_exact_mut(WINDOW * CHANNELS).enumerate() {
            turn(window, hash(settings.get("rotation_seed"), index as u64) % 4);
        }
    }
    let name = |class: &u16| table.classes[usize::from(*class)].as_str();
    let protocol = Protocol {
        fold_of: subject.clone(),
        fold_names: (1..=SUBJECTS).map(|s| format!("subject {s}")).collect(),
        unseen: UNSEEN
            .iter()
            .enumerate()
            .map(|(fold, unseen)| {
                let names: Vec<&str> = unseen.iter().map(name).collect();
                (format!("fold {}: {}", fold + 1, names.join("/")), unseen.to_vec())
            })
            .collect(),
        hold_out_seen: settings.get("generalised") == 1,
        ..Protocol::default()
    };
    let dataset = Dataset {
        name: settings.full_name("dsads"),
        title: match settings.get("rotations") {
            4 => "Daily and Sports Activities, right arm, windows turned to one of 4 orientations \
                  (synthetic)"
                .into(),
            _ => "Daily and Sports Activities, right arm".into(),
        },
        licence: "CC-BY-4.0".into(),
        attribution: "Barshan and Altun 2010, Daily and Sports Activities, UCI Machine Learning \
                      Repository, doi 10.24432/C5C59F"
            .into(),
        input: Input::Windows {
            channels: CHANNELS,
            channel_names: ["ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz"].map(String::from).to_vec(),
            window: WINDOW,
            rate_hz: RATE_HZ,
            samples,
            lsb: [[ACCELEROMETER_LSB_G; 3], [GYROSCOPE_LSB_DPS; 3], [MAGNETOMETER_LSB; 3]].concat(),
            units: [["g"; 3], ["deg/s"; 3], ["Earth's field"; 3]].concat().into_iter().map(String::from).collect(),
        },
        // The 60 segments of an activity and subject are one recording, cut without overlap.
        recording: class.iter().zip(&subject).map(|(&c, &s)| u32::from(c * SUBJECTS + s)).collect(),
        class,
        subject,
        subject_names: (1..=SUBJECTS).map(|s| s.to_string()).collect(),
        classes: table.classes,
        attribute_names: table.attribute_names,
        attributes: table.attributes,
        protocol,
    };
    dataset.check()?;
    Ok(dataset)
}

/// Source values, from `first`, as indices from 0.
fn indices(values: &[i8], array: &str, first: u16, count: u16, path: &Path) -> anyhow::Result<Vec<u16>> {
    let index = |(row, &value): (usize, &i8)| {
        let index = i32::from(value) - i32::from(first);
        ensure!(
            (0..i32::from(count)).contains(&index),
            "{}: array \"{array}\" at [{row}]: expected {first} to {}, got {value}",
            path.display(),
            first + count - 1
        );
        Ok(index as u16)
    };
    values.iter().enumerate().map(index).collect()
}

/// `round(value / lsb)` in f64, ties away from zero, saturating.
fn counts(value: f32, channel: usize) -> i16 {
    let value = f64::from(value);
    let count = match channel {
        0..3 => value / STANDARD_GRAVITY / 0.000_488,
        3..6 => value.to_degrees() / 0.07,
        _ => value * 4096.0,
    };
    count.round() as i16
}

/// Turns a window's three sensors by half turn `which` (0 is the identity).
fn turn(window: &mut [i16], which: u64) {
    let signs = HALF_TURNS[which as usize % HALF_TURNS.len()];
    for (value, sign) in window.iter_mut().zip(signs.iter().cycle()) {
        *value = value.saturating_mul(*sign);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Task, data_dir_for_test, load};
    use super::*;

    #[test]
    fn half_turns_keep_length_and_handedness_and_undo_themselves() {
        for (which, signs) in HALF_TURNS.iter().enumerate() {
            assert_eq!(signs.iter().product::<i16>(), 1, "{which} mirrors");
            let before: Vec<i16> = (-9..9).collect();
            let mut window = before.clone();
            turn(&mut window, which as u64);
            assert!(window.iter().zip(&before).all(|(a, b)| a.abs() == b.abs()));
            turn(&mut window, which as u64);
            assert_eq!(window, before);
        }
        let mut extreme = vec![i16::MIN; 9];
        turn(&mut extreme, 3);
        assert_eq!(extreme[..3], [i16::MAX, i16::MAX, i16::MIN]);
    }

    #[test]
    fn counts_are_the_sensors_and_saturate() {
        assert_eq!(counts(9.80665, 0), 2049);
        assert_eq!(counts(std::f32::consts::PI, 4), 2571);
        assert_eq!(counts(0.5, 8), 2048);
        assert_eq!(counts(1e6, 1), i16::MAX);
        assert_eq!(counts(-1e6, 7), i16::MIN);
    }

    #[test]
    fn every_activity_is_unseen_once() {
        let mut all: Vec<u16> = UNSEEN.concat();
        all.sort_unstable();
        assert_eq!(all, (0..19).collect::<Vec<_>>());
    }

    #[test]
    fn loads_and_splits() {
        let Some(dir) = data_dir_for_test("dsads loads_and_splits") else {
            return;
        };
        let plain = load("dsads", Some(&dir)).unwrap();
        assert_eq!((plain.len(), plain.classes.len(), plain.subject_names.len()), (9120, 19, 8));
        let folds = plain.splits(Task::Supervised, 0).unwrap();
        assert_eq!(folds.len(), 8);
        assert!(folds.iter().all(|fold| fold.test_seen.len() == 1140 && fold.validation.len() == 7));
        let zero = plain.splits(Task::ZeroShot, 0).unwrap();
        assert_eq!(zero.iter().map(|s| s.test_unseen.len()).collect::<Vec<_>>(), [2400, 2400, 1920, 2400]);
        assert!(zero.iter().all(|s| s.validation.len() == 3 && s.test_seen.is_empty()));

        let turned = load("dsads rotations=4", Some(&dir)).unwrap();
        assert_eq!(turned.name, "dsads rotations=4");
        let mut used = [0; 4];
        for index in 0..plain.len() {
            let (a, b) = (plain.input.window(index).unwrap(), turned.input.window(index).unwrap());
            let which = (0..4).find(|&which| {
                let mut window = a.to_vec();
                turn(&mut window, which);
                window == b
            });
            used[which.expect("a half turn") as usize] += 1;
        }
        assert!(used.iter().all(|&n| n > 2000), "{used:?}");
        let other = load("dsads rotations=4 rotation_seed=1", Some(&dir)).unwrap();
        assert!((0..9120).any(|index| other.input.window(index) != turned.input.window(index)));
    }
}
