//! The board's memory as board.toml lays it out.

/// Written by the build from board.toml.
pub struct Layout {
    pub name: &'static str,
    /// Address of slot A, a multiple of 16.
    pub slot_a: usize,
    /// Bytes of each slot.
    pub slot_bytes: usize,
}

impl Layout {
    /// Slot A as it lies in flash: a model, or anything else.
    pub fn model(&self) -> &'static [u8] {
        // SAFETY: the build checked that the slot lies inside flash and outside the linker's region, so it is
        // readable, no other object is there, and this firmware never writes it; every bit pattern is a u8.
        unsafe { core::slice::from_raw_parts(self.slot_a as *const u8, self.slot_bytes) }
    }
}
