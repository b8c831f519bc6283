//! Arrays from numpy's `.npz`, checked before anything of their declared size is allocated.
//!
//! A file is not trusted: shape and type must be the expected ones, the archive's entry must hold
//! exactly shape × item size bytes, and deflate cannot pack more than [`MAX_RATIO`] to one, so a
//! file of N bytes never makes us allocate more than about N · 1100.

use anyhow::{Context, anyhow, bail, ensure};
use half::f16;
use npyz::{NpyFile, Order, npz::NpzArchive};
use std::{
    fs::File,
    io::{BufReader, Cursor, Read},
    path::{Path, PathBuf},
};

/// Deflate's limit is 1032 to 1; some room for the entry's header.
const MAX_RATIO: u64 = 1100;
/// Numpy's headers are about 128 bytes.
const MAX_HEADER_BYTES: usize = 4096;

/// An open archive.
pub(super) struct Npz {
    path: PathBuf,
    archive: NpzArchive<BufReader<File>>,
}

/// An extent that is wanted: exactly this, or whatever there is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extent {
    Exactly(usize),
    Any,
}

/// Element types that are read, and what numpy calls them.
pub(super) trait Element: npyz::Deserialize + Copy {
    const DTYPES: &'static [&'static str];
}

impl Element for f32 {
    const DTYPES: &'static [&'static str] = &["<f4", ">f4"];
}
impl Element for f16 {
    const DTYPES: &'static [&'static str] = &["<f2", ">f2"];
}
impl Element for i32 {
    const DTYPES: &'static [&'static str] = &["<i4", ">i4"];
}
impl Element for i16 {
    const DTYPES: &'static [&'static str] = &["<i2", ">i2"];
}
impl Element for i8 {
    const DTYPES: &'static [&'static str] = &["|i1"];
}

impl Npz {
    /// # Errors
    /// If the file is missing, cut short or no zip archive.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let archive = NpzArchive::new(BufReader::new(file)).map_err(|error| {
            anyhow!("{}: not a whole npz archive ({error}); copy the file again and compare its size", path.display())
        })?;
        Ok(Self { path: path.to_path_buf(), archive })
    }

    /// Reads array `name` in C order, with its shape.
    ///
    /// # Errors
    /// By file and array: missing, another type, another shape, damaged or cut short.
    pub(super) fn array<T: Element>(&mut self, name: &str, shape: &[Extent]) -> anyhow::Result<(Vec<T>, Vec<usize>)> {
        let place = format!("{}: array \"{name}\"", self.path.display());
        let file_bytes = self.path.metadata().map_or(0, |metadata| metadata.len());
        let names: Vec<String> = self.archive.array_names().map(str::to_string).collect();
        ensure!(names.iter().any(|known| known == name), "{place} is missing; the file has {}", names.join(", "));
        let mut entry = self
            .archive
            .zip_archive()
            .by_name(&npyz::npz::file_name_from_array_name(name))
            .map_err(|error| anyhow!("{place} cannot be read: {error}"))?;
        let entry_bytes = entry.size();
        let header = read_header(&mut entry).with_context(|| format!("{place} does not start with a numpy header"))?;
        let header_bytes = header.len() as u64;
        let file = NpyFile::new(Cursor::new(header).chain(BufReader::new(entry)))
            .with_context(|| format!("{place} does not start with a numpy header"))?;
        let dtype = file.dtype().descr().replace('\'', "");
        ensure!(
            T::DTYPES.contains(&dtype.as_str()),
            "{place} has type {dtype}, expected {}; convert it with numpy's astype",
            T::DTYPES[0]
        );
        let got =
            checked_shape(file.shape(), shape).with_context(|| format!("{place} has a shape that does not fit"))?;
        let count: usize = got.iter().product();
        let declared = (count as u64).saturating_mul(size_of::<T>() as u64);
        ensure!(
            entry_bytes.checked_sub(header_bytes) == Some(declared),
            "{place} is declared as {declared} bytes but has {}; the file is damaged",
            entry_bytes.saturating_sub(header_bytes)
        );
        ensure!(
            entry_bytes / MAX_RATIO <= file_bytes,
            "{place} claims {entry_bytes} bytes in a file of {file_bytes}; the file is damaged"
        );
        let order = file.order();
        let mut values = Vec::with_capacity(count);
        for value in file.data::<T>().map_err(|error| anyhow!("{place}: {error}"))? {
            values.push(value.with_context(|| {
                format!("{place} is damaged or cut short after {} of {count} values", values.len())
            })?);
        }
        if order == Order::Fortran {
            values = to_c_order(&values, &got);
        }
        Ok((values, got))
    }

    /// A table of values that must be finite, (rows, columns).
    ///
    /// # Errors
    /// As [`Npz::array`]; a NaN or infinity by row and column, from 0 as numpy counts.
    pub(super) fn finite<T: Element + Into<f32>>(
        &mut self,
        name: &str,
        shape: &[Extent],
    ) -> anyhow::Result<(Vec<f32>, Vec<usize>)> {
        let (values, shape) = self.array::<T>(name, shape)?;
        let values: Vec<f32> = values.into_iter().map(Into::into).collect();
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            bail!(
                "{}: array \"{name}\"{}: expected a finite number, got {}; remove or repair the \
                 row and write the file again",
                self.path.display(),
                index_of(at, &shape),
                values[at]
            );
        }
        Ok((values, shape))
    }
}

/// The preamble and header text of a `.npy` file. Its length and its shape's size are bounded
/// here because the parser multiplies extents without a check.
fn read_header(reader: &mut impl Read) -> anyhow::Result<Vec<u8>> {
    let mut header = vec![0; 10];
    reader.read_exact(&mut header)?;
    ensure!(header.starts_with(b"\x93NUMPY"), "the magic bytes are missing");
    let mut length = usize::from(u16::from_le_bytes([header[8], header[9]]));
    if header[6] >= 2 {
        let mut high = [0; 2];
        reader.read_exact(&mut high)?;
        header.extend(high);
        length |= usize::from(u16::from_le_bytes(high)) << 16;
    }
    ensure!(length <= MAX_HEADER_BYTES, "its header claims {length} bytes");
    let start = header.len();
    header.resize(start + length, 0);
    reader.read_exact(&mut header[start..])?;
    // All numbers of the header, whichever of them the parser takes for extents.
    String::from_utf8_lossy(&header[start..])
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .try_fold(1u64, |product, digits| product.checked_mul(digits.parse::<u64>().ok()?.max(1)))
        .context("its shape is larger than any file")?;
    Ok(header)
}

fn checked_shape(got: &[u64], expected: &[Extent]) -> anyhow::Result<Vec<usize>> {
    let fits = got.len() == expected.len()
        && got.iter().zip(expected).all(|(&got, expected)| match expected {
            Extent::Exactly(extent) => got == *extent as u64,
            Extent::Any => got > 0,
        });
    let expected: Vec<String> = expected
        .iter()
        .map(|extent| match extent {
            Extent::Exactly(extent) => extent.to_string(),
            Extent::Any => "n".into(),
        })
        .collect();
    ensure!(fits, "expected ({}), got {got:?}", expected.join(", "));
    Ok(got.iter().map(|&extent| usize::try_from(extent)).collect::<Result<_, _>>()?)
}

/// `values` whose first index runs fastest, with the last index fastest.
fn to_c_order<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
    let mut index = vec![0usize; shape.len()];
    let mut ordered = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        let at = index.iter().zip(shape).rev().fold(0, |at, (&i, &extent)| at * extent + i);
        ordered.push(values[at]);
        for (i, &extent) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < extent {
                break;
            }
            *i = 0;
        }
    }
    ordered
}

/// ` at [3, 17]`: where flat index `at` lies.
fn index_of(mut at: usize, shape: &[usize]) -> String {
    let mut index: Vec<usize> = Vec::new();
    for &extent in shape.iter().rev() {
        index.push(at % extent);
        at /= extent;
    }
    index.reverse();
    format!(" at {index:?}")
}

#[cfg(test)]
#[path = "npz_tests.rs"]
mod tests;
