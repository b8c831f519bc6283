//! SID, the sparse invariant detector (arXiv 2305.19525): the conserved quantities of a system.
//!
//! Claim: from a system's equations and a basis of terms, all laws `H = Σ θ_k b_k` with `∇H·f = 0` are found, as
//! sparse formulas, and the independent ones counted. A law is a null vector of `G_sk = ∇b_k(x_s)·f(x_s)`.

mod basis;
mod detect;
mod expr;
mod formula;
mod fraction;
mod independent;
mod lower;
mod monitor;
mod nullspace;
mod reactions;
mod recording;
mod simulate;
mod sparsify;
mod system;

#[cfg(test)]
mod tests;

pub use detect::{Found, Law, detect, detect_in_data};
pub use monitor::{Drill, Monitor, Watch, build, drill, recording, watched};
pub use recording::Recording;
pub use simulate::{Sensors, trajectory};
pub use system::{BUILT_IN, System};
