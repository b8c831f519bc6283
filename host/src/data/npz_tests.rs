//! Good archives are read; each way in which one can be wrong is named.

use super::*;
use npyz::{WriterBuilder, npz::NpzWriter};
use proptest::prelude::*;
use std::io::Write;

/// An archive with array `x` of `values`, (rows, columns), and its path.
fn write(values: &[f32], shape: [u64; 2], order: Order) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npz");
    let mut npz = NpzWriter::create(&path).unwrap();
    let mut array = npz
        .array::<f32>("x", Default::default())
        .unwrap()
        .default_dtype()
        .order(order)
        .shape(&shape)
        .begin_nd()
        .unwrap();
    array.extend(values.iter().copied()).unwrap();
    array.finish().unwrap();
    drop(npz);
    (dir, path)
}

/// An archive whose array `x` has these literal bytes.
fn write_raw(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npz");
    let mut npz = NpzWriter::create(&path).unwrap();
    npz.zip_writer().start_file("x.npy", Default::default()).unwrap();
    npz.zip_writer().write_all(bytes).unwrap();
    drop(npz);
    (dir, path)
}

fn npy(shape: &str, values: &[f32]) -> Vec<u8> {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

fn error<T: Element + Into<f32> + std::fmt::Debug>(path: &Path, shape: &[Extent]) -> String {
    format!("{:#}", Npz::open(path).and_then(|mut npz| npz.finite::<T>("x", shape)).unwrap_err())
}

const ANY: [Extent; 2] = [Extent::Any, Extent::Any];

#[test]
fn reads_both_orders_as_c() {
    let (_dir, path) = write(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3], Order::C);
    let (values, shape) = Npz::open(&path).unwrap().array::<f32>("x", &ANY).unwrap();
    assert_eq!((values, shape), (vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![2, 3]));
    let (_dir, path) = write(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0], [2, 3], Order::Fortran);
    let (values, _) = Npz::open(&path).unwrap().array::<f32>("x", &ANY).unwrap();
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn names_what_is_wrong() {
    let (_dir, path) = write(&[1.0, f32::NAN], [2, 1], Order::C);
    let got = error::<f32>(&path, &ANY);
    assert!(got.contains("a.npz: array \"x\" at [1, 0]: expected a finite number, got NaN"), "{got}");
    let got = error::<f16>(&path, &ANY);
    assert!(got.contains("array \"x\" has type <f4, expected <f2"), "{got}");
    let got = error::<f32>(&path, &[Extent::Any, Extent::Exactly(6)]);
    assert!(got.contains("expected (n, 6), got [2, 1]"), "{got}");
    let missing = Npz::open(&path).unwrap().array::<f32>("y", &ANY).unwrap_err().to_string();
    assert!(missing.contains("array \"y\" is missing; the file has x"), "{missing}");
    let got = error::<f32>(Path::new("/nowhere/a.npz"), &ANY);
    assert!(got.contains("cannot open /nowhere/a.npz"), "{got}");
    let (_dir, path) = write_raw(b"not an array at all");
    let got = error::<f32>(&path, &ANY);
    assert!(got.contains("does not start with a numpy header"), "{got}");
}

#[test]
fn does_not_believe_a_declared_size() {
    let (_dir, path) = write_raw(&npy("(2, 3)", &[1.0; 5]));
    let got = error::<f32>(&path, &ANY);
    assert!(got.contains("declared as 24 bytes but has 20"), "{got}");
    let (_dir, path) = write_raw(&npy("(4000000000, 1000)", &[1.0; 5]));
    let got = error::<f32>(&path, &ANY);
    assert!(got.contains("declared as 16000000000000 bytes but has 20"), "{got}");
    let (_dir, path) = write_raw(&npy("(18446744073709551615, 3)", &[1.0; 5]));
    let got = error::<f32>(&path, &ANY);
    assert!(got.contains("shape is larger than any file"), "{got}");
    let mut long = npy("(1, 1)", &[1.0]);
    long[8..10].copy_from_slice(&[255, 255]);
    let (_dir, path) = write_raw(&long);
    let got = error::<f32>(&path, &ANY);
    assert!(got.contains("header claims 65535 bytes"), "{got}");
}

#[test]
fn refuses_every_truncation() {
    let (dir, path) = write(&(0..50).map(|i| i as f32).collect::<Vec<_>>(), [10, 5], Order::C);
    let bytes = std::fs::read(&path).unwrap();
    let short = dir.path().join("short.npz");
    for length in 0..bytes.len() {
        std::fs::write(&short, &bytes[..length]).unwrap();
        let got = error::<f32>(&short, &ANY);
        assert!(got.contains("short.npz"), "{length} bytes: {got}");
    }
}

proptest! {
    #[test]
    fn a_flipped_byte_gives_an_answer_or_an_error(at in 0usize..1000, mask in 1u8..) {
        let (_dir, path) = write(&[1.0; 20], [4, 5], Order::C);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= mask;
        std::fs::write(&path, &bytes).unwrap();
        let _ = Npz::open(&path).and_then(|mut npz| npz.finite::<f32>("x", &ANY));
    }
}
