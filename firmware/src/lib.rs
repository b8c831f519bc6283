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
mod ram_flash;
mod server;

pub use board::{Board, Mark};
pub use flash::{Flash, FlashError, MAX_WRITE, Storage, Trust};
pub use loopback::Loopback;
pub use memory::Memory;
pub use ram_flash::{Power, RamFlash};
pub use server::Server;

/// Serves the models in `storage` for as long as the board has power.
pub fn serve<const WORDS: usize>(
    board: &mut dyn Board,
    storage: Storage<'_>,
    _trust: Trust,
    memory: &mut Memory<WORDS>,
) -> ! {
    let [slot, _] = storage.slots;
    let mut server = Server::new(slot.bytes(), memory);
    let mut bytes = [0; 32];
    loop {
        let count = board.read(&mut bytes);
        for &byte in bytes.iter().take(count) {
            server.feed(byte, board);
        }
    }
}
