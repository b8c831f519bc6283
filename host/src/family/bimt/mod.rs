mod modularity;
#[cfg(test)]
mod naive;
mod prune;
mod samples;
mod settings;
mod swap;
mod task;
mod train;
mod wiring;
