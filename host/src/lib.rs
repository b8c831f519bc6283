//! Smidgen's workstation side: train, look, compress, export, verify.

pub mod data;
pub mod report;
