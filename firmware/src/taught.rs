//! Classes that a model was taught in the field: kept in the store, one more row of its table each.
//!
//! The model's own scores come from the artifact alone; a taught class only adds a score behind them.

use crate::{
    model::Model,
    store::{self, Class, Store},
};
use smidgen_shared::{
    teach::{self, Table},
    wire::{Fault, MAX_DATA, MAX_NAME, Reply},
};

/// Adds a class. The same class again changes nothing.
#[inline(never)]
pub(crate) fn teach(
    model: &Model<'_, '_>,
    store: &mut Store<'_>,
    name: &str,
    attributes: &[u8],
    models: [u32; 2],
) -> Result<Reply<'static>, Fault> {
    let artifact = model.runner.artifact();
    let table = Table::of(artifact).ok_or(Fault::BadClass { width: 0 })?;
    let wrong = Fault::BadClass { width: table.width() as u16 };
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Fault::BadName);
    }
    if artifact.classes().any(|class| class.name == name) {
        return Err(Fault::NameTaken);
    }
    let mut weights = [0u8; MAX_DATA / 2];
    let weights = weights.get_mut(..table.width()).ok_or(wrong)?;
    if attributes.len() != 2 * weights.len() {
        return Err(wrong);
    }
    let values = attributes.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes));
    let row = table.row(values, weights).map_err(|_| wrong)?;
    let class = Class { name: name.as_bytes(), weights, row };
    let hash = artifact.hash();
    match store.classes(hash).find(|known| known.name == class.name) {
        Some(known) if known == class => return Ok(reply(model, store)),
        Some(_) => return Err(Fault::NameTaken),
        None => {}
    }
    // All scores have to fit one answer.
    let classes = usize::from(artifact.manifest().class_count) + store.classes(hash).count() + 1;
    if 4 * classes > MAX_DATA {
        return Err(Fault::Full);
    }
    store.teach(hash, class, models).map_err(fault)?;
    Ok(reply(model, store))
}

/// Takes a class away.
#[inline(never)]
pub(crate) fn forget(
    model: &Model<'_, '_>,
    store: &mut Store<'_>,
    name: &str,
    models: [u32; 2],
) -> Result<Reply<'static>, Fault> {
    let hash = model.runner.artifact().hash();
    if !store.classes(hash).any(|class| class.name == name.as_bytes()) {
        return Err(Fault::NothingThere);
    }
    store.forget(hash, name.as_bytes(), models).map_err(fault)?;
    Ok(reply(model, store))
}

/// Puts the scores together in `scratch`: the model's own, then those of taught classes.
#[inline(never)]
pub(crate) fn answer<'s>(
    model: &Model<'_, '_>,
    store: &Store<'_>,
    scratch: &'s mut [u8; MAX_DATA],
) -> Result<Reply<'s>, Fault> {
    let own = model.runner.output().map_err(crate::model::fault)?;
    let mut class = model.runner.class();
    let mut len = 0;
    for (to, from) in scratch.iter_mut().zip(own) {
        *to = *from;
        len += 1;
    }
    if let Some(x) = model.runner.table_input() {
        let mut best = model.runner.score(class.into()).unwrap_or(i32::MIN);
        let own_classes = len / 4;
        for (i, taught) in store.classes(model.runner.artifact().hash()).enumerate() {
            let score = teach::score(x, taught.weights, taught.row);
            if score > best {
                (best, class) = (score, (own_classes + i) as u16);
            }
            if let Some(to) = scratch.get_mut(len..).and_then(|rest| rest.first_chunk_mut()) {
                *to = score.to_le_bytes();
                len += 4;
            }
        }
    }
    Ok(Reply::Answer { class, scores: scratch.get(..len).unwrap_or(&[]) })
}

/// Class `index` of the model, taught ones behind its own.
#[inline(never)]
pub(crate) fn class<'r>(model: &Model<'r, '_>, store: &'r Store<'_>, index: u16) -> Result<Reply<'r>, Fault> {
    let artifact = model.runner.artifact();
    let index = usize::from(index);
    if let Some(class) = artifact.classes().nth(index) {
        return Ok(Reply::Class { name: class.name, seen: class.seen, taught: false });
    }
    let behind = index.wrapping_sub(artifact.manifest().class_count.into());
    let class = store.classes(artifact.hash()).nth(behind).ok_or(Fault::NothingThere)?;
    let name = core::str::from_utf8(class.name).map_err(|_| Fault::NothingThere)?;
    Ok(Reply::Class { name, seen: false, taught: true })
}

/// How many classes there are now, and how much room.
fn reply(model: &Model<'_, '_>, store: &Store<'_>) -> Reply<'static> {
    Reply::Taught { count: store.classes(model.runner.artifact().hash()).count() as u16, free: store.free() }
}

fn fault(error: store::Error) -> Fault {
    match error {
        store::Error::Full => Fault::Full,
        store::Error::Flash => Fault::Flash,
    }
}
