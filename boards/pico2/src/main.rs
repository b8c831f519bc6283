//! Raspberry Pi Pico 2 (RP2350, Cortex-M33): UART on GP0 (TX) and GP1 (RX), motion sensor on GP4 (SDA) and GP5 (SCL).
#![no_std]
#![no_main]

use embassy_rp::{bind_interrupts, flash::Flash, i2c, peripherals, uart, uart::BufferedUart};
use smidgen_board_real::{halt, run};
use smidgen_board_support::Nor;

include!(concat!(env!("OUT_DIR"), "/board.rs"));

static BUFFERS: Once<([u8; 256], [u8; 512])> = Once::new(([0; 256], [0; 512]));

bind_interrupts!(struct Irqs {
    UART0_IRQ => uart::BufferedInterruptHandler<peripherals::UART0>;
});

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = embassy_rp::init(Default::default());
    let Some((tx, rx)) = BUFFERS.take() else { halt() };
    let uart = BufferedUart::new(p.UART0, p.PIN_0, p.PIN_1, Irqs, tx, rx, uart::Config::default());
    let (tx, rx) = uart.split();
    let mut bus = i2c::Config::default();
    bus.frequency = 400_000;
    let bus = i2c::I2c::new_blocking(p.I2C0, p.PIN_5, p.PIN_4, bus);
    let flash: Flash<_, _, { 4 << 20 }> = Flash::new_blocking(p.FLASH);
    run(&LAYOUT, &MEMORY, (rx, tx), bus, &Nor::new(flash, 0x1000_0000))
}
