//! What all boards share: a main.rs names its UART and its interrupt lines, `start` does the rest.
//!
//! Bytes in: UART → receive interrupt → `Ring` → `Serial::read`, which sleeps (`wfi`) while there are none.
//! Bytes out: written one by one, waiting for the transmitter.
#![no_std]

mod arch;
mod flash;
mod once;
mod panic;
mod registers;
mod ring;
mod serial;
mod trust;
mod uart;

pub use arch::{Interrupts, halt, paint_stack, stack_bytes, stack_peak};
pub use flash::{Driver, Layout, Place, Stretch, nor::Nor, nvmc::Nvmc, ram::Ram};
pub use once::Once;
pub use registers::Registers;
pub use ring::Ring;
pub use serial::Serial;
pub use trust::TRUST;
pub use uart::{Uart, cmsdk::Cmsdk, nrf51::Nrf51, ns16550::Ns16550, pl011::Pl011, stm32::Stm32};

use smidgen_firmware::{Board, Mark};
pub use smidgen_firmware::{Flash, FlashError, Memory, Storage, Trust};

/// A board with a UART as its link. Everything that `smidgen_firmware::serve` asks for.
pub struct SerialBoard<U: 'static> {
    layout: &'static Layout,
    serial: &'static Serial<U>,
}

/// Turns the UART and its interrupts on and serves requests for ever.
/// `lines` are the interrupt controller's numbers of the UART's receive interrupt, `driver` writes the flash
/// that `layout` divides.
pub fn start<U: Uart, const WORDS: usize>(
    layout: &'static Layout,
    memory: &'static Once<Memory<WORDS>>,
    serial: &'static Serial<U>,
    lines: &Interrupts,
    driver: &dyn Driver,
) -> ! {
    arch::paint_stack();
    serial.start();
    lines.enable();
    let mut board = SerialBoard { layout, serial };
    // Only a second call could find no memory: it is in use.
    let Some(memory) = memory.take() else { arch::halt() };
    // SAFETY: the build checked that the three places lie outside the linker's regions and apart from each other,
    // and the memory above is taken once, so these are the only stretches there will ever be.
    let [mut a, mut b, mut store] =
        [layout.slots[0], layout.slots[1], layout.store].map(|place| unsafe { Stretch::new(driver, place) });
    smidgen_firmware::serve(&mut board, Storage { slots: [&mut a, &mut b], store: &mut store }, TRUST, memory)
}

impl<U: Uart> Board for SerialBoard<U> {
    fn name(&self) -> &str {
        self.layout.name
    }
    fn read(&mut self, bytes: &mut [u8]) -> usize {
        self.serial.read(bytes)
    }
    fn write(&mut self, bytes: &[u8]) {
        self.serial.write(bytes)
    }
    fn lost_bytes(&self) -> u32 {
        self.serial.lost_bytes()
    }
    fn stack_peak(&self) -> u32 {
        arch::stack_peak()
    }
    fn stack_bytes(&self) -> u32 {
        arch::stack_bytes()
    }
    fn mark(&mut self, mark: Mark) {
        match mark {
            Mark::PushStart => smidgen_mark_push_start(),
            Mark::PushStop => smidgen_mark_push_stop(),
            Mark::FinishStart => smidgen_mark_finish_start(),
            Mark::FinishStop => smidgen_mark_finish_stop(),
        }
    }
}

/// Functions that the emulator's plugin finds by name: it counts the instructions between two of them.
/// The comment in the assembly keeps the compiler from dropping a call or merging two markers.
macro_rules! marker {
    ($name:ident) => {
        // SAFETY: no other symbol of the image has this name, and the function has no contract of its own.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name() {
            // SAFETY: no instruction at all.
            unsafe { core::arch::asm!(concat!("/* ", stringify!($name), " */")) }
        }
    };
}
marker!(smidgen_mark_push_start);
marker!(smidgen_mark_push_stop);
marker!(smidgen_mark_finish_start);
marker!(smidgen_mark_finish_stop);
