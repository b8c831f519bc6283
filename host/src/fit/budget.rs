//! What a model costs on a board, and what it may cost.

use crate::device::Board;
use crate::output::thousands;

/// What a model may cost on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of the artifact.
    pub flash: u32,
    /// Bytes of the arena.
    pub arena: u32,
    /// From the last sample to the scores.
    pub instructions: Option<u32>,
}

impl Budget {
    /// The board's slot and arena, or what is asked for where that is less.
    pub fn of(board: &Board, flash: Option<u32>, arena: Option<u32>, instructions: Option<u32>) -> Budget {
        let least = |most: u32, asked: Option<u32>| asked.map_or(most, |asked| asked.min(most));
        Budget { flash: least(board.slots.bytes, flash), arena: least(board.ram.arena, arena), instructions }
    }

    /// `at most 96,256 bytes of flash, 8,192 of arena`
    pub fn in_words(&self) -> String {
        let instructions = self.instructions.map(|most| format!(", {} instructions", thousands(most.into())));
        format!(
            "at most {} bytes of flash, {} of arena{}",
            thousands(self.flash.into()),
            thousands(self.arena.into()),
            instructions.unwrap_or_default()
        )
    }

    /// Whether a model may cost so much.
    pub fn holds(&self, cost: &Cost) -> bool {
        cost.flash <= self.flash && cost.arena <= self.arena && self.instructions.is_none_or(|most| cost.bound <= most)
    }
}

/// What a model costs on a board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of the artifact.
    pub flash: u32,
    /// Bytes of the arena.
    pub arena: u32,
    /// From the last sample to the scores.
    pub instructions: u32,
    /// The same at most: what the artifact states.
    pub bound: u32,
}
