//! Links, sensor and model together, in one thread and without waiting for any of them.

use crate::{
    front::{Front, Link, Transmit},
    rtt::Rtt,
    sensor::Sensor,
};
use embedded_hal::i2c::I2c;
use smidgen_board_support::{Layout, Memory, paint_stack};
use smidgen_firmware::Server;

pub struct Station<T, B> {
    server: Server<'static, 'static>,
    front: Front<T>,
    sensor: Sensor<B>,
}

impl<T: Transmit, B: I2c> Station<T, B> {
    /// Checks the model and looks for the sensor. Once, at the start.
    pub fn new<const WORDS: usize>(layout: &'static Layout, memory: &'static mut Memory<WORDS>, uart: T, bus: B) -> Self {
        paint_stack();
        let front = Front::new(layout, uart, Rtt::start());
        defmt::info!("{=str} is up", layout.name);
        Station { server: Server::new(layout.model(), memory), front, sensor: Sensor::new(bus) }
    }

    /// Bytes that the UART received.
    pub fn uart(&mut self, bytes: &[u8]) {
        self.receive(Link::Uart, bytes);
    }

    /// The UART lost bytes.
    pub fn uart_lost(&mut self) {
        self.front.lost = self.front.lost.saturating_add(1);
    }

    /// To be called every 2 ms or so, with the time [µs, modulo 2³²]: looks at RTT and at the sensor.
    pub fn tick(&mut self, now: u32) {
        let mut bytes = [0; 64];
        let count = self.front.rtt.read(&mut bytes);
        self.receive(Link::Rtt, bytes.get(..count).unwrap_or_default());
        let (server, front) = (&mut self.server, &mut self.front);
        let whole = self.sensor.poll(now, |step| {
            if let Some(class) = server.sense(&step, front) {
                defmt::info!("class {=u16}", class);
            }
        });
        if !whole {
            self.server.sense_anew();
        }
    }

    fn receive(&mut self, link: Link, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.front.latest = link;
        }
        for &byte in bytes {
            self.server.feed(byte, &mut self.front);
        }
    }
}
