//! What a board's firmware wrote, kept over a loss of power: QEMU's memory is gone with its process, flash is not.

use super::Board;
use anyhow::{Context, Result, ensure};
use std::path::Path;

const MAGIC: &[u8; 8] = b"SMGFLASH";

/// Contents of slots and store: (address, bytes).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept(pub(super) Vec<(u32, Vec<u8>)>);

impl Kept {
    /// The stretches of `board` that its firmware writes: address and size.
    pub(super) fn stretches(board: &Board) -> Vec<(u32, u32)> {
        let mut all = board.slots.both().to_vec();
        all.push((board.store.at, board.store.bytes));
        all
    }

    /// Whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads a file that [`Kept::write`] made for `board`; nothing where there is no file.
    pub fn read(path: &Path, board: &Board) -> Result<Kept> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Kept::default()),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let wrong = || {
            format!(
                "{} does not hold the flash of a {}; name another file, or delete it to start anew",
                path.display(),
                board.name
            )
        };
        let mut rest = bytes.strip_prefix(MAGIC).with_context(wrong)?;
        let mut all = Vec::new();
        for (at, len) in Self::stretches(board) {
            let (head, after) = rest.split_first_chunk::<8>().with_context(wrong)?;
            let word = |i: usize| u32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]);
            ensure!((word(0), word(4)) == (at, len), wrong());
            let (part, after) = after.split_at_checked(len as usize).with_context(wrong)?;
            all.push((at, part.to_vec()));
            rest = after;
        }
        ensure!(rest.is_empty(), wrong());
        Ok(Kept(all))
    }

    /// Writes a file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut bytes = MAGIC.to_vec();
        for (at, part) in &self.0 {
            bytes.extend(at.to_le_bytes());
            bytes.extend((part.len() as u32).to_le_bytes());
            bytes.extend(part);
        }
        crate::report::write_atomic(path, &bytes)
    }
}
