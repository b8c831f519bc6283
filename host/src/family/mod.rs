//! Families of models. Each is a paper's method, from settings to a float graph.

pub mod parsnets;
