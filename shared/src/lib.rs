//! What a model is, how it is stored and how it runs.
//!
//! The same code runs on the host and on every board, so the two give the same bits.
//! Nothing here allocates, panics or loops without a bound.
#![no_std]
#![deny(unsafe_code)]

pub mod artifact;
pub mod cost;
mod divisor;
pub mod draw;
pub mod explain;
pub mod features;
pub mod fixed;
pub mod kernel;
mod monitor;
pub mod noise;
pub mod op;
mod regions;
pub mod restart;
pub mod run;
pub mod teach;
pub mod wire;
