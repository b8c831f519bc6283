//! Layers of trainable networks: the vocabulary of `smidgen_shared::op`, in floating point.
//!
//! [`Network`] is the vocabulary as data, which the engines train ([`crate::engine::Engine`]). The
//! rest are candle operators for networks that are more than a chain of layers, as ParsNets' are:
//! tensors are (batch, features); weights are stored `(n_in, n_out)`, so a layer is `y = xW + b`.
//! Every layer is one fused candle operator with its own gradient, checked against finite
//! differences in f64: at this size candle's cost is the number of operators, not the arithmetic.
//! Products run on the calling thread alone, so that the same seed gives the same bits whatever
//! the number of threads; parallel work belongs above, in whole models.

mod affine;
#[cfg(test)]
mod check;
mod float;
mod gate;
mod loss;
mod network;
mod ole;
mod parameters;
mod real;
mod unit_rms;

pub use affine::{Dense, affine};
pub use float::{Float, exponential};
pub use gate::{Composed, Composite, gate, load_balance, weigh};
pub use loss::{CosineLoss, RankingLoss};
pub use network::{Activation, Layer, Network, Role, Tensor};
pub use ole::Ole;
pub use parameters::Parameters;
pub use unit_rms::unit_rms;
