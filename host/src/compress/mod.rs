//! From a float graph to an artifact: calibrate, quantise, place, write.
//!
//! Quantisation happens here and nowhere else.

mod arena;
mod calibrate;
mod quantise;
mod sign;
mod write;

pub use calibrate::{Ranges, calibrate};
pub use quantise::{Description, export};
pub use sign::{is_signed_by, sign};
pub use write::{Aligned, Metric, Provenance, rewrite_weight};
