//! Cortex-M: NVIC, `wfi` with interrupts masked (a pending one still wakes the core).

use crate::Registers;
use cortex_m::{asm, interrupt};

/// Lines of the NVIC.
pub struct Interrupts(pub &'static [u8]);

/// The board's interrupt vectors: `vectors!(SERIAL, 32, 33)` has these lines, and any below them, call
/// `SERIAL.on_interrupt()`, and defines `LINES` with them. The table is no longer than the highest line needs:
/// cortex-m-rt's own takes a kilobyte.
#[macro_export]
macro_rules! vectors {
    ($serial:ident, $($line:literal),+) => {
        static LINES: $crate::Interrupts = $crate::Interrupts(&[$($line),+]);

        const VECTORS: usize = {
            let mut count = 0;
            $(if $line + 1 > count { count = $line + 1; })+
            count
        };

        extern "C" fn on_interrupt() {
            $serial.on_interrupt();
        }

        // SAFETY: this section and name are how cortex-m-rt (feature "device") asks for the table at 0x40 of flash;
        // all its entries are handlers.
        #[unsafe(link_section = ".vector_table.interrupts")]
        #[unsafe(no_mangle)]
        static __INTERRUPTS: [extern "C" fn(); VECTORS] = [on_interrupt; VECTORS];
    };
}

impl Interrupts {
    /// Unmasks the lines.
    pub(crate) fn enable(&self) {
        // SAFETY: NVIC_ISER of every Cortex-M; writing a 1 unmasks a line.
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
