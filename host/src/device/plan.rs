//! What goes where in a chip's flash, and whether it fits: all of `flash` but the write itself.
//!
//! ```text
//! firmware  segments of the ELF with bytes in the file   inside the firmware's share and the chip's flash
//! slot A    the artifact                                 at most slots.bytes
//! store     erased (0xFF)                                so that slot A is served, and no old class with it
//! ```
//!
//! Without a model only the firmware is written; slots and store stay as they are.

use super::{Board, Firmware};
use anyhow::{Context, Result};
use object::{
    LittleEndian,
    elf::{FileHeader32, PT_LOAD},
    read::elf::{FileHeader, ProgramHeader},
};
use std::{fs, ops::Range};

/// A chip's memories, as probe-rs's registry has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    /// Its name, e.g. `nRF52840_xxAA`.
    pub name: String,
    /// Flash and other memory that keeps its contents.
    pub flash: Vec<Range<u64>>,
    /// RAM.
    pub ram: Vec<Range<u64>>,
    /// Other addresses of the same RAM.
    pub aliases: Vec<Range<u64>>,
}

impl Chip {
    fn is_ram(&self, range: &Range<u64>) -> bool {
        within(&self.ram, range) || within(&self.aliases, range)
    }
}

/// A stretch of flash to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First address.
    pub address: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// For a reader: `firmware`, `model`, `store`.
    pub what: &'static str,
}

/// Everything to be written, and what speaks against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// In the order of their addresses.
    pub segments: Vec<Segment>,
    /// Why it does not fit, one line each; empty if it does.
    pub against: Vec<String>,
    /// The most bytes by which a limit is exceeded.
    pub over_by: u64,
}

/// ESP32 chips show their flash through a cache, at these addresses; the loader knows where that is in the flash.
const CACHE_WINDOWS: [Range<u64>; 2] = [0x3c00_0000..0x3c80_0000, 0x4200_0000..0x4280_0000];

impl Plan {
    /// Checks `firmware` and, if there is one, a model of `arena` bytes of working memory against board and chip.
    pub fn new(board: &Board, chip: &Chip, firmware: &Firmware, model: Option<(&[u8], u32)>) -> Result<Plan> {
        let mut plan = Plan { segments: Vec::new(), against: Vec::new(), over_by: 0 };
        let elf = fs::read(&firmware.path).with_context(|| format!("{} cannot be read", firmware.path.display()))?;
        plan.firmware(board, chip, &elf).with_context(|| format!("{}: no firmware", firmware.path.display()))?;
        plan.limit("firmware", "budget.firmware", firmware.flash_bytes.into(), board.budget.firmware.into());
        for (name, (at, bytes)) in ["slot A", "slot B"].into_iter().zip(board.slots.both()) {
            plan.inside(board, chip, name, at, bytes);
        }
        plan.inside(board, chip, "the store", board.store.at, board.store.bytes);
        if let Some((bytes, arena)) = model {
            plan.limit("the model", "slots.bytes", bytes.len() as u64, board.slots.bytes.into());
            plan.limit("the model's arena", "ram.arena", arena.into(), board.ram.arena.into());
            let erased = vec![0xff; board.store.bytes as usize];
            for (what, at, bytes) in [("model", board.slots.a, bytes.to_vec()), ("store", board.store.at, erased)] {
                plan.segments.push(Segment { address: at.into(), bytes, what });
            }
        }
        plan.segments.sort_by_key(|segment| segment.address);
        Ok(plan)
    }

    /// Whether it can be written.
    pub fn fits(&self) -> bool {
        self.against.is_empty()
    }

    fn firmware(&mut self, board: &Board, chip: &Chip, elf: &[u8]) -> Result<()> {
        let header = FileHeader32::<LittleEndian>::parse(elf)?;
        let endian = header.endian()?;
        let share = u64::from(board.flash.origin)..u64::from(board.flash.origin) + u64::from(board.flash.firmware);
        let cached = cached(chip);
        for part in header.program_headers(endian, elf)?.iter().filter(|part| part.p_type(endian) == PT_LOAD) {
            let (address, size) = (u64::from(part.p_vaddr(endian)), u64::from(part.p_memsz(endian)));
            let bytes = part.data(endian, elf).unwrap_or_default();
            if !bytes.is_empty() {
                let load = u64::from(part.p_paddr(endian));
                let range = load..load + bytes.len() as u64;
                let there = if cached {
                    within(&CACHE_WINDOWS, &range) || chip.is_ram(&range)
                } else {
                    within(&chip.flash, &range) && within(std::slice::from_ref(&share), &range)
                };
                if !there {
                    self.against.push(format!(
                        "firmware: {} bytes at {load:#010x} lie outside the firmware's share of {}'s flash",
                        bytes.len(),
                        chip.name
                    ));
                }
                self.segments.push(Segment { address: load, bytes: bytes.to_vec(), what: "firmware" });
            }
            let in_flash = |range: &Range<u64>| within(&chip.flash, range) || cached && within(&CACHE_WINDOWS, range);
            let range = address..address + size;
            if size > 0 && !chip.is_ram(&range) && !in_flash(&range) {
                self.against.push(format!("firmware: {size} bytes at {address:#010x} are no memory of {}", chip.name));
            }
        }
        Ok(())
    }

    fn limit(&mut self, what: &str, field: &str, got: u64, limit: u64) {
        if got > limit {
            self.over_by = self.over_by.max(got - limit);
            self.against
                .push(format!("{what} is {got} bytes, {limit} of {field} are there: over by {} bytes", got - limit));
        }
    }

    fn inside(&mut self, board: &Board, chip: &Chip, what: &str, at: u32, bytes: u32) {
        let start = if cached(chip) { u64::from(at - board.flash.origin) } else { at.into() };
        if !within(&chip.flash, &(start..start + u64::from(bytes))) {
            self.against.push(format!("{what}: {bytes} bytes at {at:#010x} lie outside {}'s flash", chip.name));
        }
    }
}

/// Whether the chip shows its flash through a cache alone.
pub fn cached(chip: &Chip) -> bool {
    chip.name.starts_with("esp32")
}

/// Whether one of `memories`, or neighbours among them, holds all of `range`.
fn within(memories: &[Range<u64>], range: &Range<u64>) -> bool {
    let mut at = range.start;
    while at < range.end {
        match memories.iter().filter(|memory| memory.contains(&at)).map(|memory| memory.end).max() {
            Some(end) => at = end,
            None => return false,
        }
    }
    true
}
