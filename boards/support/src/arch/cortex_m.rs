//! Cortex-M: NVIC, `wfi` with interrupts masked (a pending one still wakes the core).

use crate::Registers;
use cortex_m::{asm, interrupt};

/// Lines of the NVIC.
pub struct Interrupts(pub &'static [u8]);

impl Interrupts {
    /// Unmasks the lines.
    pub(crate) fn enable(&self) {
        // SAFETY: NVIC_ISER of every Cortex-M (Armv6-M ARM, B3.4); writing a 1 unmasks a line.
        let set_enable = unsafe { Registers::at(0xe000_e100) };
        for line in self.0 {
            set_enable.write(usize::from(line / 32) * 4, 1 << (line % 32));
        }
        // SAFETY: no critical section is open: main has just begun.
        unsafe { interrupt::enable() };
    }
}

/// Sleeps until the next interrupt if `idle` holds; no interrupt can slip in between the two.
pub fn sleep_while(idle: impl Fn() -> bool) {
    interrupt::free(|_| {
        if idle() {
            asm::wfi();
        }
    });
}

pub fn halt() -> ! {
    loop {
        asm::wfi();
    }
}
