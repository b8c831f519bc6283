//! What depends on the processor. The only place outside `boards/` that asks for it.

/// Whether f32 is arithmetic of the processor's own: true on hosts and on cores with an FPU. Elsewhere
/// it would be calls into a library of kilobytes, so models that compute in f32 are refused there.
pub const FLOAT: bool = cfg!(any(not(target_os = "none"), target_abi = "eabihf"));
