//! Links, sensor and model together, in one thread that waits for an event and nothing else.

use crate::{
    front::{Front, Link, Transmit},
    rtt::Rtt,
    sensor::Sensor,
};
use embedded_hal::i2c::I2c;
use smidgen_board_support::{Layout, Memory, Storage, Trust, paint_stack};
use smidgen_firmware::Server;

/// What the loop waits for.
pub enum Event {
    /// The UART received so many bytes.
    Received(usize),
    /// The UART lost bytes.
    Lost,
    /// Every 2 ms or so; the time [µs, modulo 2³²].
    Tick(u32),
}

/// Bytes that one event brings at most.
pub type Buffer = [u8; 64];

/// Serves for ever: checks the models, looks for the sensor, and then takes what `wait` brings.
pub fn serve<const WORDS: usize>(
    layout: &'static Layout,
    storage: Storage<'_>,
    _trust: Trust,
    memory: &mut Memory<WORDS>,
    uart: impl Transmit,
    bus: impl I2c,
    mut wait: impl FnMut(&mut Buffer) -> Event,
) -> ! {
    paint_stack();
    let mut front = Front::new(layout, uart, Rtt::start());
    defmt::info!("{=str} is up", layout.name);
    let mut sensor = Sensor::new(bus);
    let [slot, _] = storage.slots;
    let mut server = Server::new(slot.bytes(), memory);
    let mut bytes = [0; 64];
    loop {
        let count = match wait(&mut bytes) {
            Event::Received(count) => {
                front.latest = Link::Uart;
                count
            }
            Event::Lost => {
                front.lost = front.lost.saturating_add(1);
                0
            }
            Event::Tick(now) => {
                let whole = sensor.poll(now, |step| {
                    if let Some(class) = server.sense(&step, &mut front) {
                        defmt::info!("class {=u16}", class);
                    }
                });
                if !whole {
                    server.sense_anew();
                }
                let count = front.rtt.read(&mut bytes);
                if count > 0 {
                    front.latest = Link::Rtt;
                }
                count
            }
        };
        for &byte in bytes.iter().take(count) {
            server.feed(byte, &mut front);
        }
    }
}
