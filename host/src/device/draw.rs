//! A sample that a board draws, one evaluation of the network a request: no answer takes long.

use super::{Device, Link};
use crate::infer::{Sample, floats};
use anyhow::{Result, bail, ensure};
use smidgen_shared::wire::{Ask, Fault, NO_LABEL, Reply, SAMPLE};

impl<L: Link> Device<L> {
    /// Draws a sample of a class (`None`: of none); `progress` hears how far it has come, of how many evaluations.
    /// A board that was started anew meanwhile begins again, once.
    pub fn draw(&mut self, label: Option<u8>, seed: u32, mut progress: impl FnMut(u16, u16)) -> Result<Sample> {
        let mut begun = 0;
        let (mut next, mut all) = (0, u16::MAX);
        while next <= all {
            match self.ask_or_fault(Ask::Draw { label: label.unwrap_or(NO_LABEL), seed, evaluations: next })? {
                Ok(Reply::Drawn { done, total }) => {
                    ensure!(done == next, "{next} evaluations were asked for, the board tells of {done}");
                    progress(done, total);
                    (next, all) = (done + 1, total);
                }
                Ok(other) => bail!("a sample was asked for, {other:?} came"),
                Err(Fault::Expected { .. }) if begun < 1 => {
                    begun += 1;
                    next = 0;
                }
                Err(fault) => bail!("{} refuses: {}", self.hello().board, super::in_words(fault)),
            }
        }
        Ok(Sample { values: self.drawn()?, evaluations: all })
    }

    /// The sample as it is.
    fn drawn(&mut self) -> Result<Vec<f32>> {
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            match self.ask(Ask::Peek { op: SAMPLE, from: u16::try_from(bytes.len())? })? {
                Reply::Bytes { data: [], .. } => return Ok(floats(&bytes)),
                Reply::Bytes { data, .. } => bytes.extend_from_slice(data),
                other => bail!("a part of the sample was asked for, {other:?} came"),
            }
        }
    }
}
