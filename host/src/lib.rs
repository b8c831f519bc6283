//! Smidgen's workstation side: train, look, compress, export, verify.

pub mod compress;
pub mod data;
pub mod graph;
pub mod report;
