//! RISC-V, machine mode: PLIC, `wfi` with interrupts masked (a pending one still wakes the hart).

use crate::Registers;
use riscv::{asm, interrupt, register::mie};

/// A PLIC (RISC-V Platform-Level Interrupt Controller Specification 1.0) and the one source used, below 32.
pub struct Interrupts {
    plic: Registers,
    source: u32,
}

const ENABLE_CONTEXT_0: usize = 0x00_2000;
const THRESHOLD_CONTEXT_0: usize = 0x20_0000;
const CLAIM_CONTEXT_0: usize = 0x20_0004;

impl Interrupts {
    /// # Safety
    /// A PLIC is at `plic`, and its context 0 is machine mode of this hart.
    pub const unsafe fn at(plic: usize, source: u32) -> Self {
        // SAFETY: the caller's promise.
        Interrupts { plic: unsafe { Registers::at(plic) }, source }
    }

    pub(crate) fn enable(&self) {
        self.plic.write(4 * self.source as usize, 1);
        self.plic.write(ENABLE_CONTEXT_0, 1 << self.source);
        self.plic.write(THRESHOLD_CONTEXT_0, 0);
        // SAFETY: the handler of external interrupts is in place (main.rs), and no critical section is open.
        unsafe {
            mie::set_mext();
            interrupt::enable();
        }
    }

    /// For the external interrupt's handler: claims, handles, completes.
    pub fn handle(&self, handler: impl FnOnce()) {
        let source = self.plic.read(CLAIM_CONTEXT_0);
        if source != 0 {
            handler();
            self.plic.write(CLAIM_CONTEXT_0, source);
        }
    }
}

/// Sleeps until the next interrupt if `idle` holds; no interrupt can slip in between the two.
pub fn sleep_while(idle: impl Fn() -> bool) {
    interrupt::free(|| {
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
