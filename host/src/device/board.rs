//! Boards as data: every `boards/*/board.toml`, built into the program, so that a new board needs no code here.

use anyhow::{Result, anyhow, ensure};
use serde::Deserialize;
use std::sync::LazyLock;

include!(concat!(env!("OUT_DIR"), "/boards.rs"));

/// A board, as its `board.toml` describes it. Addresses and sizes in bytes.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Unique; also the folder's, the package's and the firmware's name.
    pub name: String,
    /// One line for a reader.
    pub title: String,
    /// The processor core, e.g. `cortex-m4`.
    pub core: String,
    /// Rust's target triple.
    pub target: String,
    /// How QEMU is told to be this board; none for a board that is on a desk alone.
    pub machine: Option<Machine>,
    /// The chip as probe-rs names it; none where no such chip is sold.
    pub chip: Option<String>,
    /// Flash, the firmware's share first.
    pub flash: Flash,
    /// Where models lie.
    pub slots: Slots,
    /// Where the firmware keeps its records.
    pub store: Store,
    /// RAM.
    pub ram: Ram,
    /// What a release build may use.
    pub budget: Budget,
}

/// The emulator and its arguments before firmware, link and model.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Program, e.g. `qemu-system-arm`.
    pub qemu: String,
    /// E.g. `["-machine", "mps2-an386"]`.
    pub arguments: Vec<String>,
}

/// Flash memory.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Flash {
    /// First address.
    pub origin: u32,
    /// Size in bytes.
    pub length: u32,
    /// The first so many bytes are the firmware's; the linker can place nothing beyond.
    pub firmware: u32,
    /// Bytes erased at once where slots and store lie.
    pub page: u32,
    /// Bytes written at once.
    pub write: u32,
}

/// Two model slots.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Slots {
    /// Address of slot A, which is served first.
    pub a: u32,
    /// Address of slot B.
    pub b: u32,
    /// Size in bytes.
    pub bytes: u32,
    /// Size of slot B where it differs.
    pub b_bytes: Option<u32>,
    /// Bytes erased at once in slot B, where it differs from `flash.page`.
    pub b_page: Option<u32>,
}

impl Slots {
    /// Address and bytes of both.
    pub fn both(&self) -> [(u32, u32); 2] {
        [(self.a, self.bytes), (self.b, self.b_bytes.unwrap_or(self.bytes))]
    }
}

/// The firmware's records: which slot is served, taught classes.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// First address.
    pub at: u32,
    /// Size in bytes: an even number of pages.
    pub bytes: u32,
    /// Bytes erased at once, where it differs from `flash.page`.
    pub page: Option<u32>,
}

/// RAM.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Ram {
    /// First address; the stack's end.
    pub origin: u32,
    /// Size in bytes.
    pub length: u32,
    /// Bytes for the stack, at the bottom of RAM.
    pub stack: u32,
    /// Bytes of arena: the most that a model may ask for.
    pub arena: u32,
    /// The two in firmware with a key, where verifying a signature takes more stack than there is.
    pub signed: Option<Signed>,
}

/// RAM's shares in firmware with a key.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// Bytes for the stack.
    pub stack: u32,
    /// Bytes of arena.
    pub arena: u32,
}

/// Limits that the tests hold a release build to.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Bytes of flash for the firmware without a model.
    pub firmware: u32,
}

static BOARDS: LazyLock<Vec<Board>> = LazyLock::new(|| {
    BOARD_FILES
        .iter()
        .map(|(folder, text)| {
            toml::from_str(text).unwrap_or_else(|error| panic!("boards/{folder}/board.toml: {error}"))
        })
        .collect()
});

impl Board {
    /// All boards, in the order of their names.
    pub fn all() -> &'static [Board] {
        &BOARDS
    }

    /// The boards that QEMU can be.
    pub fn emulated() -> impl Iterator<Item = &'static Board> {
        Self::all().iter().filter(|board| board.machine.is_some())
    }

    /// How QEMU is told to be this board; the error says where else it can be reached.
    pub fn machine(&self) -> Result<&Machine> {
        self.machine.as_ref().ok_or_else(|| {
            anyhow!(
                "{} is a board on a desk, which QEMU is not: `smidgen flash MODEL --board {}` loads it; `smidgen boards` lists those that QEMU can be",
                self.name,
                self.name
            )
        })
    }

    /// The board of that name; the error names the nearest ones, by name or by what their titles say.
    pub fn find(name: &str) -> Result<&'static Board> {
        Self::all().iter().find(|board| board.name == name).ok_or_else(|| {
            let plain = |text: &str| text.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
            let near = |board: &Board| match !plain(name).is_empty() && plain(&board.title).contains(&plain(name)) {
                true => 1.0,
                false => strsim::jaro_winkler(&board.name, name),
            };
            let mut boards: Vec<_> = Self::all().iter().map(|board| (near(board), board)).collect();
            boards.sort_by(|a, b| b.0.total_cmp(&a.0));
            let nearest = boards.iter().take(3).map(|(_, board)| format!("{} ({})", board.name, board.title));
            anyhow!(
                "there is no board {name:?}; nearest: {}; `smidgen boards` lists all",
                nearest.collect::<Vec<_>>().join("; ")
            )
        })
    }

    /// Whether a model of so many bytes of flash and arena fits; `settings` names what makes it smaller,
    /// e.g. "--set rank=4 or --set bases=2".
    pub fn check_fit(&self, model_bytes: usize, arena_bytes: usize, settings: &str) -> Result<()> {
        let (budget, arena) = match &self.ram.signed {
            Some(signed) if super::firmware::signed() => ("ram.signed.arena", signed.arena),
            _ => ("ram.arena", self.ram.arena),
        };
        for (what, budget, got, limit) in [
            ("the model", "slots.bytes", model_bytes, self.slots.bytes as usize),
            ("the model's arena", budget, arena_bytes, arena as usize),
        ] {
            ensure!(
                got <= limit,
                "{what} is {got} bytes, {limit} of {budget} are there on {}: over by {} bytes; make it smaller with {settings}, or choose a larger board (`smidgen boards`)",
                self.name,
                got - limit
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_is_sound() {
        assert!(Board::emulated().count() >= 8);
        for board in Board::all() {
            assert!(board.machine.is_some() || board.chip.is_some(), "{}", board.name);
            let end = |at: u32, len: u32| u64::from(at) + u64::from(len);
            let firmware_end = end(board.flash.origin, board.flash.firmware);
            assert!(board.budget.firmware <= board.flash.firmware, "{}", board.name);
            let ram_end = end(board.ram.origin, board.ram.length);
            let store_page = board.store.page.unwrap_or(board.flash.page);
            assert!(board.store.bytes.is_multiple_of(2 * store_page), "{}", board.name);
            for (at, bytes) in board.slots.both().into_iter().chain([(board.store.at, board.store.bytes)]) {
                let in_flash =
                    u64::from(at) >= firmware_end && end(at, bytes) <= end(board.flash.origin, board.flash.length);
                assert!(in_flash || at > board.ram.origin && end(at, bytes) <= ram_end, "{} {at:#x}", board.name);
            }
            assert!(board.ram.stack + board.ram.arena < board.ram.length, "{}", board.name);
            assert_eq!(Board::find(&board.name).unwrap(), board);
        }
    }

    #[test]
    fn an_unknown_board_brings_the_nearest_names() {
        let error = Board::find("qemu_m4").unwrap_err().to_string();
        assert!(error.contains("nearest: qemu-m4"), "{error}");
        // A micro:bit is known by its title.
        let error = Board::find("microbit").unwrap_err().to_string();
        assert!(error.contains("microbit-v2 (BBC") && error.contains("qemu-m0 (BBC"), "{error}");
    }

    #[test]
    fn a_model_too_large_names_budget_and_excess() {
        let board = Board::find("qemu-m0").unwrap();
        let (slot, arena) = (board.slots.bytes as usize, board.ram.arena as usize);
        assert!(board.check_fit(slot, arena, "--set rank=4").is_ok());
        let error = board.check_fit(slot + 7, arena, "--set rank=4").unwrap_err().to_string();
        assert!(
            error.contains("over by 7 bytes") && error.contains("slots.bytes") && error.contains("rank=4"),
            "{error}"
        );
        let error = board.check_fit(slot, arena + 9, "--set rank=4").unwrap_err().to_string();
        assert!(error.contains("over by 9 bytes") && error.contains("ram.arena"), "{error}");
    }
}
