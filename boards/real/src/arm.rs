//! The loop on Cortex-M: sleeps (`wfe`) until the UART has bytes or 2 ms are over.
//!
//! No executor: one future, polled again after every interrupt. An interrupt sets the core's event flag, so
//! one that comes between poll and `wfe` makes `wfe` return at once (ARMv7-M, B1.5.18).

use crate::{Event, Transmit, serve};
use core::{
    pin::pin,
    task::{Context, Poll, Waker},
};
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Ticker};
use embedded_hal::i2c::I2c;
use embedded_io_async::{Read, Write};
use smidgen_board_support::{Driver, Layout, Memory, Once, Storage, TRUST, halt};

/// Pause between two looks at sensor and RTT.
const TICK: Duration = Duration::from_millis(2);

/// Serves for ever: a HAL's buffered UART, halved, its blocking I²C bus and its flash.
pub fn run<const WORDS: usize>(
    layout: &'static Layout,
    memory: &'static Once<Memory<WORDS>>,
    (mut receive, transmit): (impl Read, impl Write),
    bus: impl I2c,
    driver: &dyn Driver,
) -> ! {
    // Only a second call could find it taken.
    let Some(memory) = memory.take() else { halt() };
    // SAFETY: the build checked that the places lie outside the linker's regions and apart, and the memory above is
    // taken once, so these are the only stretches there will ever be.
    let [mut a, mut b, mut store] = unsafe { layout.stretches(driver) };
    let storage = Storage { slots: [&mut a, &mut b], store: &mut store };
    let mut ticks = Ticker::every(TICK);
    serve(layout, storage, TRUST, memory, Blocking(transmit), bus, |bytes| {
        match block_on(select(receive.read(bytes), ticks.next())) {
            Either::First(Ok(count)) => Event::Received(count),
            Either::First(Err(_)) => Event::Lost,
            Either::Second(()) => Event::Tick(Instant::now().as_micros() as u32),
        }
    })
}

struct Blocking<W>(W);

impl<W: Write> Transmit for Blocking<W> {
    fn transmit(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match block_on(self.0.write(bytes)) {
                Ok(count) if count > 0 => bytes = bytes.get(count..).unwrap_or_default(),
                // The frame is lost; the host asks again.
                _ => return,
            }
        }
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        cortex_m::asm::wfe();
    }
}
