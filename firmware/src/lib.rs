//! Serves requests on a microcontroller: the same on every board, and on the host in tests.
//!
//! No heap, no reachable panic, no unsafe. A board implements [`Board`] and calls [`serve`].
#![no_std]
#![forbid(unsafe_code)]

mod board;
mod flash;
pub mod imu;
mod loopback;
mod memory;
mod model;
mod ram_flash;
mod server;
mod store;
mod taught;
mod update;

pub use board::{Board, Mark};
pub use flash::{Flash, FlashError, MAX_WRITE, Storage, Trust, Verify};
pub use loopback::Loopback;
pub use memory::Memory;
pub use ram_flash::{Power, RamFlash};
pub use server::{Next, Session};
pub use store::{Active, Class, Error as StoreError, Store};

/// Serves the models in `storage` for as long as the board has power.
pub fn serve<const WORDS: usize>(
    board: &mut dyn Board,
    mut storage: Storage<'_>,
    trust: Trust,
    memory: &mut Memory<WORDS>,
) -> ! {
    loop {
        run(board, &mut storage, trust, memory);
    }
}

/// Serves the models in `storage` until `board` has no more bytes to give; on the host, in tests, that happens.
pub fn run<const WORDS: usize>(
    board: &mut dyn Board,
    storage: &mut Storage<'_>,
    trust: Trust,
    memory: &mut Memory<WORDS>,
) {
    let mut bytes = [0; 32];
    let (mut at, mut count) = (0, 0);
    loop {
        let mut session = Session::open(storage, trust, memory, board);
        loop {
            if at == count {
                (at, count) = (0, board.read(&mut bytes));
                if count == 0 {
                    return;
                }
            }
            let Some(&byte) = bytes.get(at) else { break };
            at += 1;
            if session.feed(byte, board) == Next::Reopen {
                break;
            }
        }
    }
}
