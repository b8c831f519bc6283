//! Nordic's nRF52840 DK: UART to the on-board debugger, motion sensor on the Arduino header (SDA P0.26, SCL P0.27).
#![no_std]
#![no_main]

use embassy_nrf::{
    bind_interrupts, buffered_uarte, buffered_uarte::BufferedUarte, nvmc::Nvmc, peripherals, twim, twim::Twim, uarte,
};
use smidgen_board_real::{halt, run};
use smidgen_board_support::Nor;

include!(concat!(env!("OUT_DIR"), "/board.rs"));

static BUFFERS: Once<([u8; 512], [u8; 256], [u8; 16])> = Once::new(([0; 512], [0; 256], [0; 16]));

bind_interrupts!(struct Irqs {
    UARTE0 => buffered_uarte::InterruptHandler<peripherals::UARTE0>;
    TWISPI0 => twim::InterruptHandler<peripherals::TWISPI0>;
});

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = embassy_nrf::init(Default::default());
    let Some((rx, tx, twi)) = BUFFERS.take() else { halt() };
    let mut uart = uarte::Config::default();
    uart.baudrate = uarte::Baudrate::Baud115200;
    let uart = BufferedUarte::new(
        p.UARTE0,
        p.TIMER1,
        p.PPI_CH0,
        p.PPI_CH1,
        p.PPI_GROUP0,
        p.P0_08,
        p.P0_06,
        Irqs,
        uart,
        rx,
        tx,
    );
    let mut bus = twim::Config::default();
    (bus.frequency, bus.sda_pullup, bus.scl_pullup) = (twim::Frequency::K400, true, true);
    let bus = Twim::new(p.TWISPI0, Irqs, p.P0_26, p.P0_27, bus, twi);
    run(&LAYOUT, &MEMORY, uart.split(), bus, &Nor::new(Nvmc::new(p.NVMC), 0))
}
