//! All the RAM that the firmware uses beside its stack: one value, made by the board, sized at compile time.

use crate::update::{Transfer, Turn};
use smidgen_shared::wire::{FrameReader, MAX_DATA, MAX_FRAME};

/// `WORDS`: the arena's size in 32-bit words, the largest that a model may ask for.
pub struct Memory<const WORDS: usize> {
    pub(crate) arena: [u32; WORDS],
    pub(crate) reader: FrameReader<MAX_FRAME>,
    pub(crate) reply: [u8; MAX_FRAME],
    /// What a reply is put together in.
    pub(crate) scratch: [u8; MAX_DATA],
    pub(crate) state: State,
}

/// What outlives the change from one model to another.
pub(crate) struct State {
    pub answers: u32,
    pub refused: u32,
    pub transfer: Transfer,
    pub turn: Option<Turn>,
}

impl<const WORDS: usize> Memory<WORDS> {
    /// All zero.
    pub const fn new() -> Self {
        Memory {
            arena: [0; WORDS],
            reader: FrameReader::new(),
            reply: [0; MAX_FRAME],
            scratch: [0; MAX_DATA],
            state: State { answers: 0, refused: 0, transfer: Transfer::NONE, turn: None },
        }
    }
}

impl<const WORDS: usize> Default for Memory<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}
