//! What depends on the processor. The only place outside `boards/` that asks for it.
//!
//! A core's kernel multiplies dense matrices of a packing of its own by hand-written instructions, and leaves all else
//! to [`Portable`](super::Portable). It is tested against the oracle on the core itself, under QEMU.

use super::Packing;

/// Whether f32 is arithmetic of the processor's own: true on hosts and on cores with an FPU. Elsewhere
/// it would be calls into a library of kilobytes, so models that compute in f32 are refused there.
pub const FLOAT: bool = cfg!(any(not(target_os = "none"), target_abi = "eabihf"));

/// Whether the processor divides: an Armv6-M alone does not.
pub const DIVIDES: bool = cfg!(not(smidgen_core = "armv6m"));

/// Whether this is a host, which runs models of any packing.
pub const HOST: bool = cfg!(not(target_os = "none"));

#[cfg(smidgen_core = "armv6m")]
#[allow(unsafe_code)]
mod armv6m;
#[cfg(any(smidgen_core = "armv7em", smidgen_core = "armv8m"))]
#[allow(unsafe_code)]
mod armv7em;
#[cfg(any(smidgen_core = "armv7m", smidgen_core = "rv32"))]
#[allow(unsafe_code)]
mod columns;
#[cfg(any(smidgen_core = "armv7em", smidgen_core = "armv8m"))]
#[allow(unsafe_code)]
mod csr;
#[cfg(smidgen_core = "armv81m")]
#[allow(unsafe_code)]
mod gather;
#[cfg(smidgen_core = "armv81m")]
#[allow(unsafe_code)]
mod mve;
#[cfg(any(smidgen_core = "armv7em", smidgen_core = "armv8m"))]
#[allow(unsafe_code)]
mod pairs;

#[cfg(not(any(
    smidgen_core = "armv6m",
    smidgen_core = "armv7m",
    smidgen_core = "armv7em",
    smidgen_core = "armv8m",
    smidgen_core = "armv81m",
    smidgen_core = "rv32"
)))]
use super::Portable as Own;
#[cfg(smidgen_core = "armv6m")]
use armv6m::Armv6m as Own;
#[cfg(any(smidgen_core = "armv7em", smidgen_core = "armv8m"))]
use armv7em::Armv7em as Own;
#[cfg(any(smidgen_core = "armv7m", smidgen_core = "rv32"))]
use columns::Columns as Own;
#[cfg(smidgen_core = "armv81m")]
use mve::Mve as Own;

/// The kernel of the processor that this is compiled for.
pub type Native = Own;

/// The packing that [`Native`] has code of its own for.
pub const PACKING: Packing = <Native as super::Kernel>::PACKING;
