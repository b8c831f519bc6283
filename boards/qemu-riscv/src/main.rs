//! QEMU's RISC-V virt machine: rv32imac, no firmware beneath.
#![no_std]
#![no_main]

use smidgen_board_support::{Interrupts, Ns16550, Ram, Serial, start};

include!(concat!(env!("OUT_DIR"), "/board.rs"));

// SAFETY: the 16550A of `virt` (QEMU, hw/riscv/virt.c, virt_memmap), driven here alone.
static SERIAL: Serial<Ns16550> = Serial::new(unsafe { Ns16550::at(0x1000_0000) }, &RING);
// SAFETY: the PLIC of `virt`; its context 0 is machine mode of hart 0. The UART is source 10.
static PLIC: Interrupts = unsafe { Interrupts::at(0x0c00_0000, 10) };

// SAFETY: memory of `virt` is RAM; slots and store lie behind the linker's share.
static FLASH: Ram = unsafe { Ram::new(0x8000_0000, 0x8040_0000) };

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineExternal)]
fn external() {
    PLIC.handle(|| SERIAL.on_interrupt());
}

#[riscv_rt::entry]
fn main() -> ! {
    start(&LAYOUT, &MEMORY, &SERIAL, &PLIC, &FLASH)
}
