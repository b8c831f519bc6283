//! A board in hand, whatever it is: links that move bytes, requests, answers, patience.
//!
//! `Link` moves bytes: [`Qemu`], [`Tcp`], [`Serial`]. [`Device`] speaks shared::wire over it: every request has a
//! number and is repeated until its answer comes, so a lost or damaged frame costs time and nothing else.

mod board;
mod classes;
mod count;
mod draw;
mod explain;
mod fault;
mod firmware;
mod kept;
mod plan;
mod port;
pub mod probe;
mod qemu;
mod request;
mod serial;
mod step;
mod tcp;
#[cfg(test)]
mod tests;
mod update;

pub use board::{Board, Budget, Flash, Machine, Ram, Slots, Store};
pub use classes::{Class, Room, to_int16};
pub use count::{Counts, arguments as count_arguments, plugin as count_plugin};
pub use explain::{Explanation, kept, score_of};
pub use fault::in_words;
pub use firmware::{Firmware, boards_folder, cargo};
pub use kept::Kept;
pub use plan::{Chip, Plan, Segment, cached};
pub use port::open;
pub use qemu::{Qemu, version as qemu_version};
pub use request::Device;
pub use serial::Serial;
pub use tcp::Tcp;
pub use update::Sent;

use anyhow::Result;
use smidgen_shared::wire::Fault;
use std::time::Duration;

/// Moves bytes to a board and back.
pub trait Link {
    /// Sends all `bytes`. The error says in one line what became of the board.
    fn send(&mut self, bytes: &[u8]) -> Result<()>;
    /// Waits up to `patience` for bytes; how many came, 0 if none. The error as for `send`.
    fn receive(&mut self, bytes: &mut [u8], patience: Duration) -> Result<usize>;
    /// How much of the time of the last `receive` the board's processor stood still: it counts for no deadline.
    fn stood_still(&mut self) -> Duration {
        Duration::ZERO
    }
    /// Lets go of the board; the error says what could not be kept.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

impl<L: Link + ?Sized> Link for Box<L> {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        (**self).send(bytes)
    }
    fn receive(&mut self, bytes: &mut [u8], patience: Duration) -> Result<usize> {
        (**self).receive(bytes, patience)
    }
    fn stood_still(&mut self) -> Duration {
        (**self).stood_still()
    }
    fn close(&mut self) -> Result<()> {
        (**self).close()
    }
}

/// What a board says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Its name, e.g. `qemu-m4`.
    pub board: String,
    /// Version of its firmware.
    pub firmware: String,
    /// Bytes that the next model may have.
    pub slot_bytes: u32,
    /// Bytes of arena.
    pub arena_bytes: u32,
    /// Whether it takes signed models alone.
    pub signed: bool,
    /// CRC-32 of the model it serves, or why it serves none.
    pub model: Result<u32, Fault>,
    /// CRC-32 that the header in the other slot names.
    pub other: Option<u32>,
    /// Classes that the model was taught.
    pub taught: u16,
}

/// A board's answer to one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Index of the largest score.
    pub class: u16,
    /// All scores, little-endian, of the artifact's output type; those of taught classes last.
    pub scores: Vec<u8>,
}

/// A board's figures since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Answers given.
    pub answers: u32,
    /// Bytes its receiver lost.
    pub lost: u32,
    /// Frames it refused.
    pub refused: u32,
    /// The most stack ever in use, bytes.
    pub stack_peak: u32,
    /// RAM set aside for the stack, bytes.
    pub stack_bytes: u32,
}
