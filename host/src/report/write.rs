//! Writing a file so that a full disk or a lost power loses nothing: first a file beside it, then a
//! rename, which the system does as one step.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Puts `bytes` at `path`: either all of them, or the file stays as it was.
///
/// What is no ordinary file (a pipe, `/dev/stdout`) is written to as it is.
///
/// # Errors
/// The folder is missing or not writable, the disk is full, `path` is a folder: the error names
/// `path` and says what the system said. No partial file is left.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    replace(path, |file| file.write_all(bytes))
        .with_context(|| format!("could not write {}; what was there before is untouched", path.display()))
}

/// As [`write_atomic`], with the content made by `fill`.
fn replace(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {
            return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder; name a file in it"));
        }
        Ok(meta) if !meta.is_file() => {
            return fill(&mut OpenOptions::new().write(true).open(path)?);
        }
        _ => {}
    }
    let (mut file, beside) = create_beside(path)?;
    let done = fill(&mut file).and_then(|()| file.sync_all()).and_then(|()| {
        drop(file);
        fs::rename(&beside, path)
    });
    if done.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    done
}

/// A new file in the folder of `path`, under a name that no file has.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "it names no file"))?;
    let mut last = io::Error::new(ErrorKind::AlreadyExists, "no free name for a file beside it");
    for attempt in 0..100 {
        let mut other = std::ffi::OsString::from(".");
        other.push(name);
        other.push(format!(".{}-{attempt}.tmp", std::process::id()));
        let beside = path.with_file_name(other);
        match OpenOptions::new().write(true).create_new(true).open(&beside) {
            Ok(file) => return Ok((file, beside)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => last = e,
            Err(e) => return Err(e),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        write_atomic(&path, b"first").unwrap();
        write_atomic(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["report.html"]);
    }

    #[test]
    fn a_full_disk_half_way_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        write_atomic(&path, b"old").unwrap();
        let full = replace(&path, |file| {
            file.write_all(b"ne")?;
            Err(io::Error::from(ErrorKind::StorageFull))
        });
        assert_eq!(full.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["report.html"]);
    }

    #[test]
    fn errors_name_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no such folder").join("report.html");
        for path in [missing.as_path(), folder.path()] {
            let error = format!("{:#}", write_atomic(path, b"x").unwrap_err());
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }
}
