//! From a float graph to an artifact: calibrate, quantise, place, write, pack for a core.
//!
//! Quantisation happens here and nowhere else.

mod arena;
mod calibrate;
mod low_rank;
mod pack;
mod pairs;
mod poly;
mod quantise;
mod sampler;
mod sign;
mod sparse;
mod write;

pub use calibrate::{Ranges, calibrate};
pub use low_rank::{Factored, export_factored};
pub use pack::pack;
pub use quantise::{Description, Exported, export};
pub use sampler::{Interval, Level, Picture, Sampler};
pub use sign::{is_signed_by, sign};
pub use sparse::{Choice, Cost, Layout, name as layout_name};
pub use write::{Aligned, Metric, Provenance, rewrite_weight};
