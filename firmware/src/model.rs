//! A sound model and how far its input has come.

use crate::{Board, Mark, Trust};
use smidgen_shared::{
    artifact::{self, Artifact},
    draw::Drawn,
    explain,
    features::MAX_CHANNELS,
    kernel::{Portable, arch::FLOAT},
    run::{self, Runner},
    wire::{Fault, MAX_DATA, NO_LABEL, Reply, SAMPLE, SampleDecoder},
};

pub(crate) struct Model<'m, 'a> {
    pub runner: Runner<'m, 'a, Portable>,
    /// Step at which the part taken last began.
    part: u16,
    /// The operator that the latest run ended with; its output stands in the arena.
    pub ran: Option<u8>,
    /// The steps taken so far are the board's own sensor's.
    sensing: bool,
}

/// What a part of an input led to.
pub(crate) enum Step {
    /// More is to come, or a stop after an operator.
    Reply(Reply<'static>),
    /// The scores stand in the arena.
    Answer,
}

impl<'m, 'a> Model<'m, 'a> {
    /// The model in `slot`, checked but not tried.
    #[inline(never)]
    pub fn open(slot: &'m [u8], arena: &'a mut [u32]) -> Result<Self, Fault> {
        let artifact = Artifact::new_checked(slot).map_err(|error| Fault::BadModel(error as u8))?;
        let needs = artifact.arena_bytes();
        let runner = Runner::new(artifact, arena).map_err(|error| match error {
            run::Error::ArenaTooSmall => Fault::ArenaTooSmall { needs },
            other => fault(other),
        })?;
        Ok(Model { runner, part: 0, ran: None, sensing: false })
    }

    /// Everything that must hold before the model in `slot` is served: its bytes, its signature, its counter,
    /// its golden vectors. `slot` may hold anything. Gives the counter.
    #[inline(never)]
    pub fn check(slot: &[u8], arena: &mut [u32], trust: Trust, least: u32) -> Result<u32, Fault> {
        let mut model = Model::open(slot, arena)?;
        let header = *model.runner.artifact().header();
        if let Some(verify) = trust.verify {
            let whole = slot.get(..header.total as usize).unwrap_or(slot);
            let (signature, message) = artifact::signature(whole).ok_or(Fault::Unsigned)?;
            if !header.signed {
                return Err(Fault::Unsigned);
            }
            if !verify(message, signature) {
                return Err(Fault::BadSignature);
            }
        }
        if header.counter < least {
            return Err(Fault::OldModel { least });
        }
        match model.runner.self_test() {
            Ok(true) => Ok(header.counter),
            _ => Err(Fault::SelfTest),
        }
    }

    /// Takes a part of an input; runs the model up to operator `last` once all steps are there.
    #[inline(never)]
    pub fn samples(&mut self, at: u16, last: Option<u8>, data: &[u8], board: &mut dyn Board) -> Result<Step, Fault> {
        let end = self.runner.artifact().manifest().op_count.saturating_sub(1);
        let op = last.unwrap_or(end);
        if op > end {
            return Err(Fault::NothingThere);
        }
        if at == 0 {
            self.runner.begin();
            self.sensing = false;
        }
        if self.sensing {
            return Err(Fault::Expected { at: 0 });
        }
        if at == self.runner.taken() {
            (self.part, self.ran) = (at, None);
            self.take(data, board)?;
            if self.runner.taken() == self.runner.steps() {
                board.mark(Mark::FinishStart);
                let done = self.runner.finish(last);
                board.mark(Mark::FinishStop);
                done.map_err(fault)?;
                self.ran = Some(op);
            }
        } else if at != self.part || self.ran.is_some_and(|ran| ran != op) {
            return Err(Fault::Expected { at: self.runner.taken().into() });
        }
        match self.ran {
            None => Ok(Step::Reply(Reply::More { next: self.runner.taken() })),
            Some(op) if last.is_some() => {
                let bytes = self.runner.output_of(op).map_err(fault)?.len() as u32;
                Ok(Step::Reply(Reply::Stopped { op, bytes }))
            }
            Some(_) => Ok(Step::Answer),
        }
    }

    /// Takes one time step of the board's own sensor; true once it completes a window, whose scores then stand in the
    /// arena. Where a host's input was under way, a window begins.
    pub fn sense(&mut self, step: &[i16], board: &mut dyn Board) -> Result<bool, run::Error> {
        if !self.sensing {
            self.runner.begin();
            (self.sensing, self.ran) = (true, None);
        }
        board.mark(Mark::PushStart);
        let taken = self.runner.push(step);
        board.mark(Mark::PushStop);
        taken?;
        if self.runner.taken() < self.runner.steps() {
            return Ok(false);
        }
        board.mark(Mark::FinishStart);
        let done = self.runner.finish(None);
        board.mark(Mark::FinishStop);
        done.map(|()| true)
    }

    /// The next step of the sensor begins a window.
    pub fn leave(&mut self) {
        if self.sensing {
            self.runner.begin();
        }
    }

    fn take(&mut self, data: &[u8], board: &mut dyn Board) -> Result<(), Fault> {
        let mut values = [0i16; MAX_CHANNELS];
        let step = values.get_mut(..self.runner.channels()).ok_or(Fault::BadSamples)?;
        let mut samples = SampleDecoder::new(data);
        // Each turn eats at least a byte of `data`.
        while samples.next_into(step).map_err(|_| Fault::BadSamples)? {
            board.mark(Mark::PushStart);
            let taken = self.runner.push(step);
            board.mark(Mark::PushStop);
            taken.map_err(fault)?;
        }
        Ok(())
    }

    pub fn peek(&self, op: u8, from: u16) -> Result<Reply<'_>, Fault> {
        let bytes = if FLOAT && op == SAMPLE {
            self.runner.sample().ok_or(Fault::NothingThere)?
        } else if self.ran == Some(op) {
            self.runner.output_of(op).map_err(fault)?
        } else {
            return Err(Fault::NothingThere);
        };
        let data = cut(bytes.get(usize::from(from)..).ok_or(Fault::NothingThere)?);
        Ok(Reply::Bytes { from, data })
    }

    /// Goes on with a sample; at most one evaluation of the network.
    #[inline(never)]
    pub fn draw(
        &mut self,
        label: u8,
        seed: u32,
        evaluations: u16,
        board: &mut dyn Board,
    ) -> Result<Reply<'static>, Fault> {
        let label = (label != NO_LABEL).then_some(label);
        // An input that was under way is lost; the next begins with its first step.
        (self.part, self.ran, self.sensing) = (0, None, false);
        board.mark(Mark::FinishStart);
        let drawn = self.runner.draw(label, seed, evaluations);
        board.mark(Mark::FinishStop);
        match drawn {
            Ok(Drawn { done, total }) => Ok(Reply::Drawn { done, total }),
            Err(run::Error::WrongStep) => Err(Fault::Expected { at: self.runner.drawn().unwrap_or(0).into() }),
            Err(error) => Err(fault(error)),
        }
    }

    /// Terms of a score; how many were written. The run must have stopped at [`explain::stop`].
    #[inline(never)]
    pub fn explain(
        &self,
        class: u16,
        taught: Option<explain::Taught<'_>>,
        from: u16,
        terms: &mut [i32],
    ) -> Result<usize, Fault> {
        let artifact = self.runner.artifact();
        let reason = |error| match error {
            explain::Error::NotLinear => Fault::NotLinear,
            explain::Error::NothingThere => Fault::NothingThere,
        };
        if self.ran != Some(explain::stop(artifact).map_err(reason)?) {
            return Err(Fault::NothingThere);
        }
        explain::terms(artifact, self.runner.arena(), class.into(), taught, from.into(), terms).map_err(reason)
    }
}

/// The first MAX_DATA bytes: what one message holds.
fn cut(bytes: &[u8]) -> &[u8] {
    bytes.get(..MAX_DATA).unwrap_or(bytes)
}

pub(crate) fn fault(error: run::Error) -> Fault {
    match error {
        run::Error::WrongChannels | run::Error::WrongStep => Fault::BadSamples,
        run::Error::NoSampler | run::Error::NoLabel => Fault::NoSampler,
        // Neither can come after `open`: flash does not change while it is served.
        run::Error::ArenaTooSmall | run::Error::Corrupt => Fault::BadModel(artifact::Error::BadRegion as u8),
    }
}
