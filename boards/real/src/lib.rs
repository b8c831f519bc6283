//! What boards on a desk share: a main.rs hands over its HAL's UART, I²C bus and flash, `run` does the rest.
//!
//! Requests come over the UART or over RTT (a debug probe's channel in RAM); each is answered where it came
//! from. A motion sensor on the I²C bus feeds the model's features at 50 Hz whenever no host does; what the
//! model makes of each window goes to the log. Without a sensor the board serves its links alone.
#![no_std]

mod front;
mod rtt;
mod sensor;
mod station;

#[cfg(target_arch = "arm")]
mod arm;
#[cfg(target_arch = "arm")]
pub use arm::run;

pub use front::Transmit;
pub use station::{Buffer, Event, serve};

pub use smidgen_board_support::halt;
