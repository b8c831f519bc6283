//! What host and device say to each other.
//!
//! A frame is `COBS(postcard(message) ‖ CRC-32) 0x00`. A lost, added or flipped byte costs that
//! frame: the zero ends it, the CRC refuses it, and the next frame stands by itself. The host
//! numbers its requests and repeats one that is not answered; repeating any request is harmless.
//! docs/wire.md describes each message.

mod frame;
mod response;
mod samples;
#[cfg(test)]
mod tests;

pub use frame::{Crc, Error, FrameReader, crc, decode, encode};
pub use response::encode_response;
pub use samples::{SampleDecoder, encode_samples};

use serde::{Deserialize, Serialize};

/// Bumped by any change of the messages.
pub const WIRE_VERSION: u8 = 2;
/// Longest frame with its zero, both ways, bytes.
pub const MAX_FRAME: usize = 544;
/// Most bytes in a message's data field.
pub const MAX_DATA: usize = 480;
/// [`Ask::Draw`]'s class where there is none.
pub const NO_LABEL: u8 = 255;
/// [`Ask::Peek`]'s operator for the sample that is drawn.
pub const SAMPLE: u8 = 255;
/// Longest name of a taught class, bytes.
pub const MAX_NAME: usize = 20;

/// Host to device.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The answer bears the same number.
    pub id: u16,
    /// What is asked.
    #[serde(borrow)]
    pub ask: Ask<'a>,
}

/// What the host asks.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<'a> {
    /// Who is there, and with which model? Answered by [`Reply::Hello`].
    Hello,
    /// Time steps of an input from step `at` on, as [`encode_samples`] makes them. Step 0 begins a
    /// new input. Answered by [`Reply::More`] until the last step is there, then by
    /// [`Reply::Answer`], or by [`Reply::Stopped`] after operator `last`.
    Samples { at: u16, last: Option<u8>, data: &'a [u8] },
    /// Bytes from `from` on of what operator `op` wrote, after [`Reply::Stopped`] there. Answered by [`Reply::Bytes`].
    /// With [`SAMPLE`] for `op`, of the sample that is drawn, as it is now: f32, little-endian.
    Peek { op: u8, from: u16 },
    /// Figures of the device since start. Answered by [`Reply::Stats`].
    Stats,
    /// A model is to come: its first [`HEADER_BYTES`](crate::artifact::HEADER_BYTES), which the device keeps and
    /// writes last. Answered by [`Reply::Received`]: the byte to go on with.
    Begin { header: &'a [u8] },
    /// Bytes of the model from `at` on: a multiple of 32, but for the last. Answered by [`Reply::Received`].
    Chunk { at: u32, data: &'a [u8] },
    /// Serve the model whose CRC-32 is `model`: the one just received, or the one in the other slot.
    /// Answered by [`Reply::Serving`].
    Commit { model: u32 },
    /// Add a class to the model's table: int16 attributes, little-endian, in any unit. Answered by [`Reply::Taught`].
    Teach { name: &'a str, attributes: &'a [u8] },
    /// Take a taught class away. Answered by [`Reply::Taught`].
    Forget { name: &'a str },
    /// Name of a class. Answered by [`Reply::Class`].
    Class { index: u16 },
    /// Terms of the score of `class` from term `from` on, once a run has stopped at
    /// [`explain::stop`](crate::explain::stop). Answered by [`Reply::Bytes`]: int32, little-endian.
    Explain { class: u16, from: u16 },
    /// Bring the sample of a class ([`NO_LABEL`]: of none) and a seed to so many evaluations of the network: 0 begins
    /// it, one more than were done evaluates once, as many changes nothing. Answered by [`Reply::Drawn`].
    Draw { label: u8, seed: u32, evaluations: u16 },
}

/// Device to host.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// Of the request; 0xFFFF where the request could not be read.
    pub id: u16,
    /// The answer.
    #[serde(borrow)]
    pub reply: Reply<'a>,
}

/// [`Response::id`] where the request could not be read.
pub const NO_ID: u16 = 0xFFFF;

/// What the device answers.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// Wire version, board, firmware version, capacities and the model's state.
    Hello {
        wire: u8,
        board: &'a str,
        firmware: &'a str,
        /// bytes that the next model may have
        slot_bytes: u32,
        /// bytes of arena
        arena_bytes: u32,
        /// whether only signed models are taken
        signed: bool,
        /// CRC-32 of the model served, or why none is
        model: Result<u32, Fault>,
        /// CRC-32 that the header in the other slot names; nothing is said of the rest
        other: Option<u32>,
        /// classes that the served model was taught
        taught: u16,
    },
    /// All taken up to step `next`.
    More { next: u16 },
    /// The index of the largest score, and all scores (little-endian, of the artifact's output type).
    Answer { class: u16, scores: &'a [u8] },
    /// Operator `op` wrote `bytes` bytes.
    Stopped { op: u8, bytes: u32 },
    /// A part of an operator's output.
    Bytes { from: u16, data: &'a [u8] },
    /// Answers given, bytes lost by the receiver, frames refused, highest stack use in bytes, bytes of RAM for the stack.
    Stats { answers: u32, lost: u32, refused: u32, stack_peak: u32, stack_bytes: u32 },
    /// The request was not carried out.
    Fault(Fault),
    /// Of the model that is being received, all before byte `next`.
    Received { next: u32 },
    /// Slot (0 or 1) and CRC-32 of the model that is served now.
    Serving { slot: u8, model: u32 },
    /// Classes that the served model was taught, and bytes for more records.
    Taught { count: u16, free: u32 },
    /// A class: its name, whether training saw it, whether it was taught.
    Class { name: &'a str, seen: bool, taught: bool },
    /// Evaluations of the network that were done of the sample, and those of a whole one.
    Drawn { done: u16, total: u16 },
}

/// Why a request was not carried out, or a model is not served.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The frame is no request: too long, a wrong CRC, or unknown.
    BadFrame,
    /// The artifact is refused; the number is [`artifact::Error`](crate::artifact::Error)'s.
    BadModel(u8),
    /// The model needs an arena of `needs` bytes.
    ArenaTooSmall { needs: u32 },
    /// The model's golden vectors do not come out.
    SelfTest,
    /// Samples, bytes or evaluations came out of order: this one was expected; step 0 always is.
    Expected { at: u32 },
    /// The samples do not decode, or have another number of channels.
    BadSamples,
    /// No such operator, class or model, or nothing of it to look at.
    NothingThere,
    /// A chunk that is empty, not a multiple of 32 bytes, or reaches beyond the model.
    BadChunk,
    /// The slot has `room` bytes.
    TooLarge { room: u32 },
    /// The board takes signed models alone.
    Unsigned,
    /// The signature is not that of the board's key.
    BadSignature,
    /// The model's counter is below `least`, that of a model served before.
    OldModel { least: u32 },
    /// The flash can't be written here, or failed.
    Flash,
    /// No more classes fit.
    Full,
    /// Another class has this name.
    NameTaken,
    /// A class's name has 1 to 20 bytes.
    BadName,
    /// The model's table takes `width` attributes a class; 0 where it has no table. Also: all are zero.
    BadClass { width: u16 },
    /// The model is not a linear map, or a composite of such, from features to scores.
    NotLinear,
    /// The model draws no samples, or not of this class.
    NoSampler,
}
