//! The classes of the model that a board serves: listed, taught, forgotten.

use super::{Device, Link};
use anyhow::{Context, Result, bail, ensure};
use smidgen_shared::wire::{Ask, Fault, Reply};

/// A class as the board knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Whether training saw samples of it.
    pub seen: bool,
    /// Whether it was taught.
    pub taught: bool,
}

/// What teaching or forgetting left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Taught classes of the served model.
    pub count: u16,
    /// Bytes for more records.
    pub free: u32,
}

impl<L: Link> Device<L> {
    /// All classes, in the order of the scores.
    pub fn classes(&mut self) -> Result<Vec<Class>> {
        let mut classes = Vec::new();
        loop {
            let index = u16::try_from(classes.len()).context("more classes than a model can have")?;
            match self.ask_or_fault(Ask::Class { index })? {
                Ok(Reply::Class { name, seen, taught }) => classes.push(Class { name: name.to_owned(), seen, taught }),
                Err(Fault::NothingThere) => return Ok(classes),
                Err(fault) => bail!("{} refuses: {}", self.hello().board, super::in_words(fault)),
                Ok(other) => bail!("a class was expected, {other:?} came"),
            }
        }
    }

    /// Adds a class by its attributes, in any unit.
    pub fn teach(&mut self, name: &str, attributes: &[f32]) -> Result<Room> {
        let bytes: Vec<u8> = to_int16(attributes)?.into_iter().flat_map(i16::to_le_bytes).collect();
        room(self.ask(Ask::Teach { name, attributes: &bytes })?)
    }

    /// Takes a taught class away.
    pub fn forget(&mut self, name: &str) -> Result<Room> {
        let classes = self.classes()?;
        let Some(class) = classes.iter().find(|class| class.name == name) else {
            let names: Vec<&str> =
                classes.iter().filter(|class| class.taught).map(|class| class.name.as_str()).collect();
            let taught = if names.is_empty() {
                "no class was taught".into()
            } else {
                format!("taught were: {}", names.join(", "))
            };
            bail!("{} knows no class {name:?}; {taught}", self.hello().board)
        };
        ensure!(class.taught, "{name:?} is part of the model, not taught: only a model without it forgets it");
        match self.ask_or_fault(Ask::Forget { name })? {
            Ok(reply) => room(reply),
            // It was there a moment ago: an earlier repeat of this request took it away.
            Err(Fault::NothingThere) => Ok(Room { count: self.greet()?.taught, free: 0 }),
            Err(fault) => bail!("{} refuses: {}", self.hello().board, super::in_words(fault)),
        }
    }
}

fn room(reply: Reply<'_>) -> Result<Room> {
    match reply {
        Reply::Taught { count, free } => Ok(Room { count, free }),
        other => bail!("the number of taught classes was expected, {other:?} came"),
    }
}

/// Attributes on the wire: int16, the largest magnitude 32,767.
pub fn to_int16(attributes: &[f32]) -> Result<Vec<i16>> {
    ensure!(attributes.iter().all(|a| a.is_finite()), "an attribute is not a finite number");
    let most = attributes.iter().fold(0.0f32, |most, a| most.max(a.abs()));
    ensure!(most > 0.0, "all attributes are 0: nothing tells the class apart");
    Ok(attributes.iter().map(|a| (f64::from(*a) / f64::from(most) * 32767.0).round() as i16).collect())
}
