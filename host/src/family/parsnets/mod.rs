//! ParsNets: a composite of low-rank linear networks, put together anew for each sample.
//!
//! `s(x) = Σ_{k kept} g_k(x) (U_k (V_kᵀ x + b_k) + u_k) [+ W₀ x]`, `g = softmax(4·(Gx + c))` over the
//! top m of K; `p(c|x) = softmax_c(τ·cos(s, a_c))`. The paper (arXiv 2312.09709) claims that
//! locally linear maps chosen per sample match deep ones on zero-shot learning. The plain linear
//! map, ESZSL, a bilinear ranking model and an MLP are trained by the same code as its opponents.
//!
//! ```no_run
//! use smidgen::family::parsnets::{self, Settings, Targets, Task};
//! # let (x, y): (Vec<f32>, Vec<u16>) = (vec![], vec![]);
//! let settings = Settings::preset("tiny")?;
//! let task = Task { x: &x, width: 54, y: &y, targets: Targets::simplex(19) };
//! let model = parsnets::train(&settings, &task, 0, None, &mut |_| parsnets::Control::Continue)?.model;
//! println!("{} MACs a sample", model.macs());
//! # anyhow::Ok(())
//! ```

mod baselines;
mod experiment;
mod export;
mod geometry;
mod metrics;
mod model;
pub mod plan;
pub mod reproduce;
mod settings;
mod standardise;
mod targets;
mod train;

/// The family's name on the command line.
pub const NAME: &str = "parsnets";

#[cfg(test)]
mod tests;

pub use crate::engine::{Control, Progress};
pub use baselines::{Eszsl, ridge};
pub use experiment::{Experiment, Fitted, Metrics, test_rows};
pub use export::to_graph;
pub use geometry::{Geometry, use_of_bases};
pub use metrics::{Generalised, Summary, accuracy, best_handicap, classify, per_class};
pub use model::{Model, Weight};
pub use plan::{Plan, plan};
pub use settings::{Kind, Settings};
pub use standardise::Standardise;
pub use targets::{ClassTable, Targets};
pub use train::{Checkpointing, Task, Trained, train};
