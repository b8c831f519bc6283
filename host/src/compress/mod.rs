//! From a float graph to an artifact: calibrate, quantise, place, write.
//!
//! Quantisation happens here and nowhere else.

mod arena;
mod calibrate;
mod poly;
mod quantise;
mod write;

pub use calibrate::{Ranges, calibrate};
pub use quantise::{Description, export};
pub use write::{Aligned, Metric, Provenance, rewrite_weight};
