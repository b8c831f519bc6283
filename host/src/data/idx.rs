//! IDX, the format of the MNIST files: `00 00 type dims`, `dims` lengths as big-endian u32, then the
//! values, here bytes (type 8); gzipped or not. Any bytes give an array or an error.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// An array of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// Lengths, slowest first.
    pub shape: Vec<usize>,
    /// Row-major.
    pub data: Vec<u8>,
}

/// Largest array that is read: MNIST's training images are 47 MB.
const LIMIT: usize = 1 << 28;

impl Idx {
    /// Reads the file at `path`, or the one with `.gz` after its name.
    ///
    /// # Errors
    /// Neither is there, or what is wrong inside and where; both name the file.
    pub fn read(path: &Path) -> Result<Idx> {
        let mut zipped = path.as_os_str().to_owned();
        zipped.push(".gz");
        let path = if path.exists() { path } else { Path::new(&zipped) };
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Idx::parse(&bytes).with_context(|| format!("{} is no IDX file of bytes", path.display()))
    }

    /// Parses an array, gzipped or not.
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn parse(bytes: &[u8]) -> Result<Idx> {
        if bytes.starts_with(&[0x1F, 0x8B]) {
            let mut plain = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(bytes).take(LIMIT as u64 + 1);
            decoder.read_to_end(&mut plain).context("it is gzipped, but damaged or cut short")?;
            ensure!(plain.len() <= LIMIT, "it unpacks to more than {LIMIT} bytes");
            return Idx::plain(&plain);
        }
        Idx::plain(bytes)
    }

    fn plain(bytes: &[u8]) -> Result<Idx> {
        let (head, mut rest) = bytes.split_first_chunk::<4>().context("it ends within its first 4 bytes")?;
        let [0, 0, kind, dims] = *head else { anyhow::bail!("bytes 0 and 1 are {:?}, expected 0 0", &head[..2]) };
        ensure!(kind == 8, "byte 2: values of type {kind:#x}, expected 0x8, bytes");
        ensure!((1..=4).contains(&dims), "byte 3: {dims} dimensions, expected 1 to 4");
        let mut shape = Vec::new();
        let mut count = 1usize;
        for d in 0..dims {
            let (length, after) =
                rest.split_first_chunk::<4>().with_context(|| format!("it ends within length {d} of {dims}"))?;
            rest = after;
            shape.push(u32::from_be_bytes(*length) as usize);
            count =
                count.checked_mul(shape[shape.len() - 1]).filter(|c| *c <= LIMIT).context("its lengths are absurd")?;
        }
        ensure!(rest.len() == count, "{} values, but lengths {shape:?} need {count}", rest.len());
        Ok(Idx { shape, data: rest.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    const SMALL: [u8; 18] = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];

    #[test]
    fn an_array_is_read_gzipped_or_not() {
        let expected = Idx { shape: vec![2, 3], data: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(Idx::parse(&SMALL).unwrap(), expected);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&SMALL).unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(Idx::parse(&gzip).unwrap(), expected);
        for cut in 2..gzip.len() {
            assert!(Idx::parse(&gzip[..cut]).is_err(), "cut at {cut}");
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.gz"), &gzip).unwrap();
        assert_eq!(Idx::read(&folder.path().join("a")).unwrap(), expected);
        let error = format!("{:#}", Idx::read(&folder.path().join("b")).unwrap_err());
        assert!(error.contains("b.gz"), "{error}");
    }

    #[test]
    fn every_truncation_and_absurd_lengths_are_errors() {
        for cut in 0..SMALL.len() {
            assert!(Idx::parse(&SMALL[..cut]).is_err(), "cut at {cut}");
        }
        assert!(Idx::parse(&[0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
        assert!(format!("{:#}", Idx::parse(&[0, 0, 0xD, 1, 0, 0, 0, 0]).unwrap_err()).contains("0xd"));
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_array_or_an_error(mut bytes: Vec<u8>, head in 0usize..3) {
            bytes.splice(0..0, [&[][..], &[0, 0, 8, 1], &[0x1F, 0x8B, 8, 0]][head].iter().copied());
            if let Ok(idx) = Idx::parse(&bytes) {
                prop_assert_eq!(idx.shape.iter().product::<usize>(), idx.data.len());
            }
        }
    }
}
