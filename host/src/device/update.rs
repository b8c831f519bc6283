//! A model over the link: in pieces, from where an earlier try ended, until the board serves it.

use super::{Device, Link, in_words};
use anyhow::{Result, bail, ensure};
use smidgen_shared::{
    artifact::{self, HEADER_BYTES},
    wire::{Ask, Fault, MAX_DATA, Reply},
};

/// Tries to send a model whose transfer the board lost, as by a reset.
const TRIES: usize = 5;

/// Smallest piece of a model that boards take, but for the last.
const PIECE: usize = 32;
/// Tries with a larger piece, before it is halved.
const FEW: usize = 3;

/// What became of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The slot it lies in, 0 or 1.
    pub slot: u8,
    /// Its CRC-32.
    pub model: u32,
    /// Bytes that went over the link; 0 where the board had the model.
    pub bytes: usize,
}

impl<L: Link> Device<L> {
    /// Sends `model`, an artifact, and has the board serve it. `progress` hears the bytes that are there.
    /// Until the board has checked all of it, it serves what it served before.
    pub fn send(&mut self, model: &[u8], mut progress: impl FnMut(usize)) -> Result<Sent> {
        let named = artifact::named(model)?;
        ensure!(
            named.total as usize == model.len(),
            "the model is {} bytes, its header says {}",
            model.len(),
            named.total
        );
        if let Some(slot) = self.serve_if_there(named.crc)? {
            return Ok(Sent { slot, model: named.crc, bytes: 0 });
        }
        let (mut bytes, mut size) = (0, MAX_DATA);
        for _ in 0..TRIES {
            let mut at = match self.ask(Ask::Begin { header: &model[..HEADER_BYTES] })? {
                Reply::Received { next } => next as usize,
                other => bail!("a place to go on from was expected, {other:?} came"),
            };
            let mut lost = false;
            while at < model.len() && !lost {
                progress(at);
                let data = &model[at..model.len().min(at + size)];
                let tries = if size > PIECE { FEW } else { usize::MAX };
                let Some(outcome) = self.try_to_ask(Ask::Chunk { at: at as u32, data }, tries)? else {
                    // Each byte of a frame is a chance for noise.
                    size = (size / 2).next_multiple_of(PIECE);
                    ensure!(data.len() > PIECE, "{} has not answered; it may have stopped", self.hello().board);
                    continue;
                };
                match outcome {
                    Ok(Reply::Received { next }) => {
                        ensure!(
                            next as usize > at && next as usize <= model.len(),
                            "the board goes on at byte {next} after {at}"
                        );
                        bytes += data.len();
                        at = next as usize;
                    }
                    // It has forgotten the transfer, or is elsewhere in it: ask where.
                    Err(Fault::NothingThere | Fault::Expected { .. }) => lost = true,
                    Err(fault) => bail!("{} refuses: {}", self.hello().board, in_words(fault)),
                    Ok(other) => bail!("a place to go on from was expected, {other:?} came"),
                }
            }
            if lost {
                continue;
            }
            progress(model.len());
            match self.ask_or_fault(Ask::Commit { model: named.crc })? {
                Ok(Reply::Serving { slot, model }) => {
                    self.greet()?;
                    return Ok(Sent { slot, model, bytes });
                }
                Err(Fault::NothingThere) => {}
                Err(fault) => bail!("{} refuses the model: {}", self.hello().board, in_words(fault)),
                Ok(other) => bail!("a served model was expected, {other:?} came"),
            }
        }
        bail!("{} lost the model {TRIES} times in mid-transfer: does it restart?", self.hello().board)
    }

    /// Has the board serve the model of its other slot; the slot and the model's CRC-32.
    pub fn swap_back(&mut self) -> Result<Sent> {
        self.greet()?;
        let Some(other) = self.hello().other else {
            bail!("{} has no model in its other slot; send one: `smidgen send MODEL.smg`", self.hello().board)
        };
        match self.ask(Ask::Commit { model: other })? {
            Reply::Serving { slot, model } => {
                self.greet()?;
                Ok(Sent { slot, model, bytes: 0 })
            }
            other => bail!("a served model was expected, {other:?} came"),
        }
    }

    /// The slot, where the board serves `model` or holds it whole in the other one.
    fn serve_if_there(&mut self, model: u32) -> Result<Option<u8>> {
        self.greet()?;
        let hello = self.hello();
        if hello.model != Ok(model) && hello.other != Some(model) {
            return Ok(None);
        }
        let slot = match self.ask_or_fault(Ask::Commit { model })? {
            Ok(Reply::Serving { slot, .. }) => Some(slot),
            // What lies there is not the whole model: send it.
            _ => None,
        };
        self.greet()?;
        Ok(slot)
    }
}
