//! All the RAM that the firmware uses beside its stack: one value, made by the board, sized at compile time.

use smidgen_shared::wire::{FrameReader, MAX_FRAME};

/// `WORDS`: the arena's size in 32-bit words, the largest that a model may ask for.
pub struct Memory<const WORDS: usize> {
    pub(crate) arena: [u32; WORDS],
    pub(crate) reader: FrameReader<MAX_FRAME>,
    pub(crate) reply: [u8; MAX_FRAME],
}

impl<const WORDS: usize> Memory<WORDS> {
    /// All zero.
    pub const fn new() -> Self {
        Memory { arena: [0; WORDS], reader: FrameReader::new(), reply: [0; MAX_FRAME] }
    }
}

impl<const WORDS: usize> Default for Memory<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}
