//! ST's Nucleo-F446RE: UART to the on-board debugger, motion sensor on the Arduino header (D14 SDA PB9, D15 SCL PB8).
//! The core runs from the internal oscillator, 16 MHz.
#![no_std]
#![no_main]

use embassy_stm32::{bind_interrupts, flash::Flash, i2c, peripherals, time::Hertz, usart, usart::BufferedUart};
use smidgen_board_real::{halt, run};
use smidgen_board_support::Nor;

include!(concat!(env!("OUT_DIR"), "/board.rs"));

static BUFFERS: Once<([u8; 256], [u8; 512])> = Once::new(([0; 256], [0; 512]));

bind_interrupts!(struct Irqs {
    USART2 => usart::BufferedInterruptHandler<peripherals::USART2>;
});

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = embassy_stm32::init(Default::default());
    let Some((tx, rx)) = BUFFERS.take() else { halt() };
    let mut uart = usart::Config::default();
    uart.baudrate = 115_200;
    let Ok(uart) = BufferedUart::new(p.USART2, p.PA3, p.PA2, tx, rx, Irqs, uart) else { halt() };
    let (tx, rx) = uart.split();
    let mut bus = i2c::Config::default();
    (bus.frequency, bus.timeout) = (Hertz(400_000), embassy_time::Duration::from_millis(5));
    let bus = i2c::I2c::new_blocking(p.I2C1, p.PB8, p.PB9, bus);
    run(&LAYOUT, &MEMORY, (rx, tx), bus, &Nor::new(Flash::new_blocking(p.FLASH), 0x0800_0000))
}
