//! Links, sensor and model together, in one thread that waits for an event and nothing else.

use crate::{
    front::{Front, Link, Transmit},
    rtt::Rtt,
    sensor::Sensor,
};
use embedded_hal::i2c::I2c;
use smidgen_board_support::{Layout, Memory, Storage, Trust, paint_stack};
use smidgen_firmware::{Next, Session};

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
    mut storage: Storage<'_>,
    trust: Trust,
    memory: &mut Memory<WORDS>,
    uart: impl Transmit,
    bus: impl I2c,
    mut wait: impl FnMut(&mut Buffer) -> Event,
) -> ! {
    paint_stack();
    let mut front = Front::new(layout, uart, Rtt::start());
    defmt::info!("{=str} is up", layout.name);
    let mut sensor = Sensor::new(bus);
    let mut bytes = [0; 64];
    let mut waiting = 0..0;
    loop {
        // One session a model: it ends when another may be served.
        let mut session = Session::open(&mut storage, trust, memory, &mut front);
        loop {
            let Some(&byte) = waiting.next().and_then(|at| bytes.get(at)) else {
                waiting = 0..match wait(&mut bytes) {
                    Event::Received(count) => {
                        front.latest = Link::Uart;
                        count
                    }
                    Event::Lost => {
                        front.lost = front.lost.saturating_add(1);
                        0
                    }
                    Event::Tick(now) => {
                        sense(&mut sensor, now, &mut session, &mut front);
                        front.rtt(&mut bytes)
                    }
                };
                continue;
            };
            if session.feed(byte, &mut front) == Next::Reopen {
                break;
            }
        }
    }
}

/// What the sensor has goes to the model, and the model's answer to the log.
fn sense<T: Transmit>(sensor: &mut Sensor<impl I2c>, now: u32, session: &mut Session<'_>, front: &mut Front<T>) {
    let whole = sensor.poll(now, |step| {
        if let Some(class) = session.sense(&step, front) {
            defmt::info!("class {=u16}", class);
        }
    });
    if !whole {
        session.sense_anew();
    }
}
