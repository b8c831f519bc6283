//! `spar`: shoulder physiotherapy exercises on a smartwatch, embedded in the tool.
//!
//! Burns et al. 2018, arXiv 1802.01489, from the Python package seglearn 1.2.5 (BSD-3): 7
//! exercises × 10 subjects × 2 sides, 140 recordings at 50 Hz of accelerometer [g] and gyroscope
//! [rad/s]. The source is in physical units; here it is in the counts of an LSM6DS3-class sensor
//! (±16 g: 0.488 mg a count; ±2000 deg/s: 70 mdps a count), which is what a device would read:
//! `count = round(value / lsb)`, an error of half a count at most.
//!
//! A window is 4 s (200 samples), the next starts 2 s later. Recordings of side 1 are mirrored,
//! accelerometer (−1, 1, 1) and gyroscope (1, −1, −1), so that both arms make the same movement.

use super::{
    Dataset, Input, Protocol,
    attributes::ClassTable,
    npz::{Extent, Npz},
    packed::{self, Recording},
    registry::Settings,
    split,
};
use anyhow::ensure;
use std::path::Path;

const PACKED: &[u8] = include_bytes!("../../data/spar/spar.bin");
const ATTRIBUTES: &[u8] = include_bytes!("../../data/spar/attributes.csv");

/// g a count of the accelerometer, LSM6DS3 at ±16 g.
pub const ACCELEROMETER_LSB_G: f32 = 0.000_488;
/// deg/s a count of the gyroscope, LSM6DS3 at ±2000 deg/s.
pub const GYROSCOPE_LSB_DPS: f32 = 0.07;

const CHANNELS: usize = 6;
const RATE_HZ: f32 = 50.0;
/// 4 s
const WINDOW: usize = 200;
/// 2 s
const STRIDE: usize = 100;
const SUBJECTS: u16 = 10;
const SUBJECTS_A_FOLD: u16 = 2;
/// Sign of each channel for recordings of side 1.
const MIRROR: [i16; CHANNELS] = [-1, 1, 1, 1, -1, -1];

/// The embedded dataset: 2,229 windows of (200, 6).
///
/// Supervised: 5 folds of 2 subjects. Zero-shot: the 21 pairs of unseen exercises; with `generalised=1`
/// recordings of the seen ones are held out, too.
pub(super) fn load(settings: &Settings) -> anyhow::Result<Dataset> {
    let table = ClassTable::parse(ATTRIBUTES, "spar/attributes.csv")?;
    let (recordings, _) = packed::unpack(PACKED)?;
    let (mut class, mut subject, mut from, mut samples) = (vec![], vec![], vec![], vec![]);
    for (index, recording) in recordings.iter().enumerate() {
        let values = mirrored(recording);
        for window in values.windows(WINDOW * CHANNELS).step_by(STRIDE * CHANNELS) {
            samples.extend_from_slice(window);
            class.push(recording.class);
            subject.push(recording.subject - 1);
            from.push(index as u32);
        }
    }
    let folds = SUBJECTS / SUBJECTS_A_FOLD;
    let all: Vec<u16> = (0..table.classes.len() as u16).collect();
    let name = |class: u16| &table.classes[usize::from(class)];
    let protocol = Protocol {
        fold_of: subject.iter().map(|s| s / SUBJECTS_A_FOLD).collect(),
        fold_names: (1..=folds).map(|fold| format!("fold {fold}")).collect(),
        unseen: split::pairs(&all).map(|(a, b)| (format!("pair {}/{}", name(a), name(b)), vec![a, b])).collect(),
        hold_out_seen: settings.get("generalised") == 1,
        ..Protocol::default()
    };
    let dataset = Dataset {
        name: settings.full_name("spar"),
        title: "SPAR: shoulder exercises on a smartwatch".into(),
        licence: "BSD-3-Clause".into(),
        attribution: "Burns et al. 2018, arXiv 1802.01489; as shipped by seglearn 1.2.5, \
                      Copyright (c) 2018 David M. Burns"
            .into(),
        input: Input::Windows {
            channels: CHANNELS,
            channel_names: ["ax", "ay", "az", "gx", "gy", "gz"].map(String::from).to_vec(),
            window: WINDOW,
            rate_hz: RATE_HZ,
            samples,
            lsb: [[ACCELEROMETER_LSB_G; 3], [GYROSCOPE_LSB_DPS; 3]].concat(),
            units: [["g"; 3], ["deg/s"; 3]].concat().into_iter().map(String::from).collect(),
        },
        class,
        subject,
        recording: from,
        subject_names: (1..=SUBJECTS).map(|s| s.to_string()).collect(),
        classes: table.classes,
        attribute_names: table.attribute_names,
        attributes: table.attributes,
        protocol,
    };
    dataset.check()?;
    Ok(dataset)
}

fn mirrored(recording: &Recording) -> Vec<i16> {
    let signs = if recording.side == 1 { MIRROR } else { [1; CHANNELS] };
    let signs = signs.iter().cycle();
    recording.samples.iter().zip(signs).map(|(value, sign)| value.saturating_mul(*sign)).collect()
}

/// Packs `spar.npz` into the bytes of `host/data/spar/spar.bin`; see the README beside it.
///
/// The archive has x (rows, 6) f32: acceleration [g] and angular rate [rad/s]; length, y, subject
/// and side, one a recording, with the recordings' rows end to end in x.
///
/// # Errors
/// If the archive is not of that form, or a value does not fit 16 bits of counts.
pub fn pack(npz: &Path) -> anyhow::Result<Vec<u8>> {
    packed::pack(&recordings(npz)?, CHANNELS as u16)
}

fn recordings(path: &Path) -> anyhow::Result<Vec<Recording>> {
    let mut npz = Npz::open(path)?;
    let (x, _) = npz.finite::<f32>("x", &[Extent::Any, Extent::Exactly(CHANNELS)])?;
    let (length, shape) = npz.array::<i32>("length", &[Extent::Any])?;
    let same = [Extent::Exactly(shape[0])];
    let (class, _) = npz.array::<i8>("y", &same)?;
    let (subject, _) = npz.array::<i8>("subject", &same)?;
    let (side, _) = npz.array::<i8>("side", &same)?;
    let total: i64 = length.iter().map(|&rows| i64::from(rows)).sum();
    ensure!(
        length.iter().all(|&rows| rows > 0) && total == (x.len() / CHANNELS) as i64,
        "{}: array \"length\" sums to {total} rows, expected those of x, {}",
        path.display(),
        x.len() / CHANNELS
    );
    let mut rest = x.as_slice();
    let mut recordings = Vec::with_capacity(length.len());
    for (index, &rows) in length.iter().enumerate() {
        let (values, tail) = rest.split_at(rows as usize * CHANNELS);
        rest = tail;
        let samples = values
            .iter()
            .enumerate()
            .map(|(at, &value)| counts(value, at % CHANNELS))
            .collect::<anyhow::Result<_>>()?;
        recordings.push(Recording {
            class: u16::try_from(class[index])?,
            subject: u16::try_from(subject[index])?,
            side: u16::try_from(side[index])?,
            samples,
        });
    }
    Ok(recordings)
}

/// `round(value / lsb)`, in f64, ties away from zero.
fn counts(value: f32, channel: usize) -> anyhow::Result<i16> {
    let count = match channel {
        0..3 => f64::from(value) / 0.000_488,
        _ => f64::from(value).to_degrees() / 0.07,
    }
    .round();
    ensure!(
        (f64::from(i16::MIN)..=f64::from(i16::MAX)).contains(&count),
        "channel {channel}: {value} is {count} counts, which 16 bits do not hold"
    );
    Ok(count as i16)
}

#[cfg(test)]
mod tests {
    use super::super::{Task, data_dir_for_test};
    use super::*;

    #[test]
    fn has_the_windows_the_paper_protocol_gives() {
        let spar = crate::data::load("spar", None).unwrap();
        assert_eq!(spar.len(), 2229);
        assert_eq!(spar.input.values_per_sample(), 1200);
        assert_eq!(spar.attributes_of(1)[..3], [0.0, 1.0, 0.0]);
        // Gravity: the mean magnitude of acceleration is near 1 g.
        let Input::Windows { samples, lsb, .. } = &spar.input else { panic!("not windows") };
        let magnitudes = samples
            .chunks(6)
            .map(|row| row[..3].iter().zip(lsb).map(|(&c, l)| (f32::from(c) * l).powi(2)).sum::<f32>().sqrt());
        let mean = magnitudes.sum::<f32>() / (samples.len() / 6) as f32;
        assert!((0.95..1.15).contains(&mean), "{mean} g");
    }

    #[test]
    fn splits_leave_subjects_or_classes_out() {
        let spar = crate::data::load("spar", None).unwrap();
        let folds = spar.splits(Task::Supervised, 0).unwrap();
        assert_eq!(folds.len(), 5);
        assert_eq!(folds.iter().map(|fold| fold.test_seen.len()).sum::<usize>(), 2229);
        let pairs = spar.splits(Task::ZeroShot, 0).unwrap();
        assert_eq!(pairs.len(), 21);
        assert_eq!(pairs[6].name, "pair ABD/FEL");
        assert!(pairs.iter().all(|pair| pair.validation.len() == 10 && pair.test_seen.is_empty()));
        let generalised = crate::data::load("spar generalised=1", None).unwrap();
        for pair in generalised.splits(Task::ZeroShot, 0).unwrap() {
            assert!(!pair.test_seen.is_empty() && pair.validation.iter().all(|v| !v.test_seen.is_empty()));
        }
    }

    #[test]
    fn embedded_file_is_the_packed_source() {
        let Some(dir) = data_dir_for_test("embedded_file_is_the_packed_source") else {
            return;
        };
        let (embedded, channels) = packed::unpack(PACKED).unwrap();
        assert_eq!(channels, 6);
        assert!(embedded == recordings(&dir.join("spar/spar.npz")).unwrap());
    }
}
