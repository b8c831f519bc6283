//! The small records that outlive a loss of power: which slot is served, the highest counter, taught classes.
//!
//! The stretch is two halves; one is in use. Records are appended, never changed. Where a half is full, what still
//! counts is copied to the other one, and that half's first record, which makes it the one in use, is written last.
//! So whatever instant power fails at, the old records or the new ones are there, whole.
//!
//! ```text
//! half:    START {sequence} | record | record | … | 0xFF …
//! record:  kind u8, name length u8, payload length u16, CRC-32 of these and the payload, payload, 0xFF up to 32
//! ACTIVE   slot u8, counter u32
//! CLASS    model u32, bias i32, multiplier i32, name, weights
//! FORGET   model u32, name
//! ```
//!
//! A record that power tore has a wrong CRC: the list ends there, and the next record makes a new half.
//! sequential-storage does the like for any flash; it would add 8.2 KB to an M0's image and symbols that panic.

use crate::{Flash, FlashError, MAX_WRITE};
use smidgen_shared::{fixed::Row, wire::crc};

const HEAD: usize = 8;
const START: u8 = 1;
const ACTIVE: u8 = 2;
const CLASS: u8 = 3;
const FORGET: u8 = 4;
/// Bytes of a class's payload before its name.
const CLASS_HEAD: usize = 12;

/// Why a record was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The half is full of records that count.
    Full,
    /// The flash failed; the records are as before.
    Flash,
}

impl From<FlashError> for Error {
    fn from(_: FlashError) -> Self {
        Error::Flash
    }
}

/// Which slot is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Active {
    pub slot: u8,
    /// The highest of the models that were served.
    pub counter: u32,
}

/// A taught class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class<'s> {
    pub name: &'s [u8],
    pub weights: &'s [u8],
    pub row: Row,
}

/// One record, as it lies in flash.
#[derive(Clone, Copy)]
struct Record<'s> {
    kind: u8,
    name_len: usize,
    payload: &'s [u8],
    /// Bytes up to the next record.
    span: usize,
}

impl<'s> Record<'s> {
    /// The record at the start of `bytes`; its CRC is compared where `checked`.
    fn read(bytes: &'s [u8], checked: bool) -> Option<Record<'s>> {
        let &[kind, name_len, low, high, a, b, c, d] = bytes.first_chunk::<HEAD>()?;
        let len = usize::from(u16::from_le_bytes([low, high]));
        let payload = bytes.get(HEAD..)?.get(..len)?;
        if checked {
            let found = crc(&[&[kind, name_len, low, high], payload]);
            if !(START..=FORGET).contains(&kind) || found != u32::from_le_bytes([a, b, c, d]) {
                return None;
            }
        }
        Some(Record { kind, name_len: name_len.into(), payload, span: span(len) })
    }

    fn word(&self, at: usize) -> u32 {
        self.payload.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    fn name(&self) -> &'s [u8] {
        let at = if self.kind == CLASS { CLASS_HEAD } else { 4 };
        self.payload.get(at..).and_then(|rest| rest.get(..self.name_len)).unwrap_or(&[])
    }

    /// Whether a later record takes this one's place.
    fn is_undone_by(&self, later: &Record<'_>) -> bool {
        match self.kind {
            ACTIVE => later.kind == ACTIVE,
            CLASS => {
                matches!(later.kind, CLASS | FORGET) && later.word(0) == self.word(0) && later.name() == self.name()
            }
            _ => false,
        }
    }
}

/// Bytes that a record of `len` bytes of payload takes.
const fn span(len: usize) -> usize {
    (HEAD + len).next_multiple_of(MAX_WRITE)
}

/// Records one after the other.
#[derive(Clone, Copy)]
struct Records<'s> {
    bytes: &'s [u8],
}

impl<'s> Iterator for Records<'s> {
    type Item = Record<'s>;

    fn next(&mut self) -> Option<Record<'s>> {
        let record = Record::read(self.bytes, false)?;
        self.bytes = self.bytes.get(record.span..).unwrap_or(&[]);
        Some(record)
    }
}

/// Where the records end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Half {
    /// 0 or 1
    index: usize,
    sequence: u32,
    /// One past the last sound record, from the half's start.
    end: usize,
}

/// The records on a stretch of flash.
pub struct Store<'f> {
    flash: &'f mut dyn Flash,
    /// `None` before the first record.
    half: Option<Half>,
}

impl<'f> Store<'f> {
    /// Finds the half in use and the end of its records.
    pub fn open(flash: &'f mut dyn Flash) -> Self {
        let mut half: Option<Half> = None;
        for index in 0..2 {
            let Some(found) = scan(&*flash, index) else { continue };
            // Sequences count modulo 2³²; the two halves' are neighbours.
            if half.is_none_or(|half| (found.sequence.wrapping_sub(half.sequence) as i32) > 0) {
                half = Some(found);
            }
        }
        Store { flash, half }
    }

    fn records(&self) -> Records<'_> {
        let bytes = self.half.and_then(|half| {
            half_of(&*self.flash, half.index).get(..half.end).and_then(|bytes| bytes.get(MAX_WRITE..))
        });
        Records { bytes: bytes.unwrap_or(&[]) }
    }

    /// Records that count, with what follows each.
    fn standing(&self) -> impl Iterator<Item = Record<'_>> {
        let mut rest = self.records();
        core::iter::from_fn(move || {
            loop {
                let record = rest.next()?;
                let undone = { rest }.any(|later| record.is_undone_by(&later));
                if record.kind != FORGET && !undone {
                    return Some(record);
                }
            }
        })
    }

    /// Which slot is served, if that was ever recorded.
    pub fn active(&self) -> Option<Active> {
        let record = self.standing().find(|record| record.kind == ACTIVE)?;
        Some(Active { slot: record.payload.first().copied()? & 1, counter: record.word(1) })
    }

    /// Records which slot is served. `models`: those in the slots; classes of others are dropped when space is needed.
    pub fn set_active(&mut self, active: Active, models: [u32; 2]) -> Result<(), Error> {
        if self.active() == Some(active) {
            return Ok(());
        }
        self.append(ACTIVE, 0, &[&[active.slot], &active.counter.to_le_bytes()], models)
    }

    /// Classes that `model` was taught, the first taught first.
    pub fn classes(&self, model: u32) -> impl Iterator<Item = Class<'_>> {
        self.standing().filter(move |record| record.kind == CLASS && record.word(0) == model).map(|record| Class {
            name: record.name(),
            weights: record.payload.get(CLASS_HEAD + record.name_len..).unwrap_or(&[]),
            row: Row { bias: record.word(4) as i32, multiplier: record.word(8) as i32 },
        })
    }

    /// Adds a class. `weights` are int8, as bytes.
    pub fn teach(&mut self, model: u32, class: Class<'_>, models: [u32; 2]) -> Result<(), Error> {
        let Ok(name_len) = u8::try_from(class.name.len()) else { return Err(Error::Full) };
        let parts: [&[u8]; 5] = [
            &model.to_le_bytes(),
            &class.row.bias.to_le_bytes(),
            &class.row.multiplier.to_le_bytes(),
            class.name,
            class.weights,
        ];
        self.append(CLASS, name_len, &parts, models)
    }

    /// Takes a class away.
    pub fn forget(&mut self, model: u32, name: &[u8], models: [u32; 2]) -> Result<(), Error> {
        let Ok(name_len) = u8::try_from(name.len()) else { return Ok(()) };
        self.append(FORGET, name_len, &[&model.to_le_bytes(), name], models)
    }

    /// Bytes for further records, once those that no longer count are dropped. One is kept back for ACTIVE, one
    /// for FORGET.
    pub fn free(&self) -> u32 {
        let used = self.standing().fold(3 * MAX_WRITE, |used, record| used.saturating_add(record.span));
        half_of(&*self.flash, 0).len().saturating_sub(used) as u32
    }

    fn append(&mut self, kind: u8, name_len: u8, parts: &[&[u8]], models: [u32; 2]) -> Result<(), Error> {
        let len = parts.iter().fold(0usize, |len, part| len.saturating_add(part.len()));
        let needed = span(len);
        let fits = |store: &Store<'_>| {
            let half = store.half?;
            let room = half_of(&*store.flash, half.index).get(half.end..)?.get(..needed)?;
            room.iter().all(|&byte| byte == 0xFF).then_some(half)
        };
        // A class must leave room to say which slot is served, and to forget it.
        if kind == CLASS && needed as u32 > self.free() {
            return Err(Error::Full);
        }
        if fits(self).is_none() {
            self.compact(models)?;
        }
        let half = fits(self).ok_or(Error::Full)?;
        let at = half_of(&*self.flash, 0).len().wrapping_mul(half.index).wrapping_add(half.end);
        // Whether or not all of it is written: the next record goes behind it, or into the other half.
        put(self.flash, at, kind, name_len, parts)?;
        self.half = Some(Half { end: half.end + needed, ..half });
        Ok(())
    }

    /// Copies what counts to the other half, and makes that the one in use.
    fn compact(&mut self, models: [u32; 2]) -> Result<(), Error> {
        let len = half_of(&*self.flash, 0).len();
        let (index, sequence) = self.half.map_or((0, 0), |half| (1 - half.index, half.sequence.wrapping_add(1)));
        let start = len.wrapping_mul(index);
        let page = self.flash.page_bytes().max(1);
        for at in (start..start.saturating_add(len)).step_by(page) {
            self.flash.erase(at)?;
        }
        let mut end = MAX_WRITE;
        let from = self.half.map_or(0, |half| len.wrapping_mul(half.index));
        let mut at = from.saturating_add(MAX_WRITE);
        let stop = from.saturating_add(self.half.map_or(0, |half| half.end));
        while at < stop {
            let whole = self.flash.bytes().get(..stop).unwrap_or(&[]);
            let Some(record) = whole.get(at..).and_then(|rest| Record::read(rest, false)) else { break };
            let mut later = Records { bytes: whole.get(at.saturating_add(record.span)..).unwrap_or(&[]) };
            let counts = record.kind == ACTIVE || record.kind == CLASS && models.contains(&record.word(0));
            let span = record.span;
            if counts && !later.any(|later| record.is_undone_by(&later)) {
                for offset in (0..span).step_by(MAX_WRITE) {
                    let unit = self.flash.bytes().get(at.saturating_add(offset)..).and_then(|rest| rest.first_chunk());
                    let unit: [u8; MAX_WRITE] = *unit.ok_or(Error::Flash)?;
                    self.flash.write(start.saturating_add(end).saturating_add(offset), &unit)?;
                }
                end = end.saturating_add(span);
            }
            at = at.saturating_add(span);
        }
        put(self.flash, start, START, 0, &[&sequence.to_le_bytes()])?;
        self.half = Some(Half { index, sequence, end });
        Ok(())
    }
}

/// Bytes of half `index`.
fn half_of(flash: &dyn Flash, index: usize) -> &[u8] {
    let bytes = flash.bytes();
    let len = bytes.len() / 2;
    bytes.get(len.wrapping_mul(index)..).and_then(|rest| rest.get(..len)).unwrap_or(&[])
}

fn scan(flash: &dyn Flash, index: usize) -> Option<Half> {
    let bytes = half_of(flash, index);
    let start = Record::read(bytes, true).filter(|record| record.kind == START)?;
    let mut end = MAX_WRITE;
    // Each turn goes on by at least a unit.
    while let Some(record) = bytes.get(end..).and_then(|rest| Record::read(rest, true)) {
        end = end.saturating_add(record.span);
    }
    Some(Half { index, sequence: start.word(0), end: end.min(bytes.len()) })
}

/// Writes a record at `at`, unit by unit.
fn put(flash: &mut dyn Flash, at: usize, kind: u8, name_len: u8, parts: &[&[u8]]) -> Result<(), FlashError> {
    let len = parts.iter().fold(0usize, |len, part| len.saturating_add(part.len())) as u16;
    let [low, high] = len.to_le_bytes();
    let start = [kind, name_len, low, high];
    let mut digest = smidgen_shared::wire::Crc::new();
    digest.add(&start);
    for part in parts {
        digest.add(part);
    }
    let check = digest.value().to_le_bytes();
    let mut unit = [0xFF; MAX_WRITE];
    let (mut filled, mut at) = (0, at);
    for part in [&start[..], &check[..]].iter().chain(parts) {
        for &byte in part.iter() {
            if let Some(slot) = unit.get_mut(filled) {
                *slot = byte;
            }
            filled += 1;
            if filled == MAX_WRITE {
                flash.write(at, &unit)?;
                at = at.saturating_add(MAX_WRITE);
                (unit, filled) = ([0xFF; MAX_WRITE], 0);
            }
        }
    }
    if filled > 0 { flash.write(at, &unit) } else { Ok(()) }
}
