//! Whether this machine can be a board: its emulator is installed, and its target. What lacks is said, by name; any
//! other failure to build is a failure.

use smidgen::device::{Board, Firmware, qemu_version};

/// Whether `board` can be run; else a line `SKIPPED test on board: reason`, which scripts/test shows.
///
/// # Panics
/// A board that is not emulated.
pub fn ready(test: &str, board: &Board) -> bool {
    let machine = board.machine().expect("an emulated board");
    let not_installed = |error: &anyhow::Error| error.to_string().contains("rustup target add");
    let lacks = qemu_version(&machine.qemu).err().or_else(|| Firmware::of(board).err().filter(not_installed));
    if let Some(error) = &lacks {
        println!("SKIPPED {test} on {}: {error:#}", board.name);
    }
    lacks.is_none()
}
