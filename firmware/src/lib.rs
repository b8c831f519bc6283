//! Serves requests on a microcontroller: the same on every board, and on the host in tests.
//!
//! No heap, no reachable panic, no unsafe. A board implements [`Board`] and calls [`serve`].
#![no_std]
#![forbid(unsafe_code)]

mod board;
pub mod imu;
mod loopback;
mod memory;
mod server;

pub use board::{Board, Mark};
pub use loopback::Loopback;
pub use memory::Memory;
pub use server::Server;

/// Serves the model in `slot` for as long as the board has power.
pub fn serve<const WORDS: usize>(board: &mut dyn Board, slot: &[u8], memory: &mut Memory<WORDS>) -> ! {
    let mut server = Server::new(slot, memory);
    let mut bytes = [0; 32];
    loop {
        let count = board.read(&mut bytes);
        for &byte in bytes.iter().take(count) {
            server.feed(byte, board);
        }
    }
}
