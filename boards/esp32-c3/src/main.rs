//! Espressif's ESP32-C3 DevKit: UART to the USB bridge, motion sensor on GPIO6 (SDA) and GPIO7 (SCL).
#![no_std]
#![no_main]

mod flash;
mod transmit;

use esp_hal::{
    i2c::master as i2c,
    main,
    time::{Duration, Instant, Rate},
    uart,
    uart::Uart,
};
use smidgen_board_real::{Event, halt, serve};
use smidgen_board_support::{Storage, TRUST};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

esp_bootloader_esp_idf::esp_app_desc!();

/// Pause between two looks at sensor and RTT.
const TICK: Duration = Duration::from_millis(2);

#[main]
fn main() -> ! {
    let p = esp_hal::init(esp_hal::Config::default());
    let uart = Uart::new(p.UART0, uart::Config::default());
    let bus = i2c::I2c::new(p.I2C0, i2c::Config::default().with_frequency(Rate::from_khz(400)));
    let (Ok(uart), Ok(bus), Some(memory)) = (uart, bus, MEMORY.take()) else { halt() };
    let (mut rx, tx) = uart.with_rx(p.GPIO20).with_tx(p.GPIO21).split();
    let driver = flash::map(p.FLASH, &LAYOUT);
    let bus = bus.with_sda(p.GPIO6).with_scl(p.GPIO7);
    // SAFETY: the places are mapped, and this is the only call: the memory above is taken once.
    let [mut a, mut b, mut store] = unsafe { LAYOUT.stretches(&driver) };
    let storage = Storage { slots: [&mut a, &mut b], store: &mut store };
    let mut next = Instant::now();
    serve(&LAYOUT, storage, TRUST, memory, transmit::Tx(tx), bus, |bytes| {
        loop {
            match rx.read_buffered(bytes) {
                Ok(0) => {}
                Ok(count) => return Event::Received(count),
                Err(_) => return Event::Lost,
            }
            let now = Instant::now();
            if now >= next {
                next = now + TICK;
                return Event::Tick(now.duration_since_epoch().as_micros() as u32);
            }
        }
    })
}
