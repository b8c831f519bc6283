//! Smidgen's workstation side: train, look, compress, export, verify.

pub mod cli;
pub mod compress;
pub mod counting;
pub mod data;
pub mod device;
pub mod engine;
pub mod family;
pub mod fit;
pub mod graph;
pub mod infer;
pub mod inspect;
pub mod interrupt;
pub mod law;
pub mod net;
pub mod output;
pub mod population;
pub mod program;
pub mod report;
pub mod rng;
pub mod run;
pub mod verify;
