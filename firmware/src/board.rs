//! What the firmware needs of a board. Everything else is the same on all of them.

/// A board: a link to the host, and what can be said about memory.
pub trait Board {
    /// The board's name, as in its board.toml: "qemu-m4".
    fn name(&self) -> &str;
    /// Waits for at least one byte; returns how many of `bytes` were filled; 0 only where none will ever come.
    fn read(&mut self, bytes: &mut [u8]) -> usize;
    /// Sends all `bytes`.
    fn write(&mut self, bytes: &[u8]);
    /// Received bytes that were lost since the start because nobody read them in time.
    fn lost_bytes(&self) -> u32;
    /// The most stack that was ever in use [bytes].
    fn stack_peak(&self) -> u32;
    /// RAM set aside for the stack [bytes].
    fn stack_bytes(&self) -> u32;
    /// A stretch of work begins or ends: a place for a pin, a cycle counter, or an emulator to notice.
    fn mark(&mut self, _mark: Mark) {}
}

/// The two stretches whose length a model's bounds speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// One time step is about to be taken in …
    PushStart,
    /// … and was.
    PushStop,
    /// All time steps are there: from them to the scores …
    FinishStart,
    /// … which now stand in the arena.
    FinishStop,
}
