//! Plots and the page that shows what a network does.
//!
//! A [`Page`] is one HTML file that needs nothing else: no script, no font, no image from outside.
//! It holds figures (SVG, one kind a file), tables and plain-word captions, and follows the
//! reader's light or dark setting by `prefers-color-scheme`.
//!
//! | figure | shows | file |
//! | --- | --- | --- |
//! | [`LinePlot`] | series against a step, with bands of deviation | `line.rs` |
//! | [`Histogram`] | how often values fall where, by kind | `histogram.rs` |
//! | [`ScatterPlot`] | many points on a plane | `scatter.rs` |
//! | [`FrontPlot`] | accuracy against cost, with the Pareto front | `front.rs` |
//! | [`HeatMap`] | confusion matrix, angles, shares | `heat.rs` |
//! | [`SpectrumPlot`] | singular values within and between classes | `spectrum.rs` |
//! | [`NetworkPlot`], [`NetworkFilm`] | neurons at their places, links by sign and weight; at several steps | `network.rs` |
//! | [`Pictures`] | small grey pictures in named rows | `pictures.rs` |
//! | [`Contributions`] | what adds up to a score | `contributions.rs` |
//! | [`ShareBars`] | where the bytes and the multiply-accumulates go | `shares.rs` |
//!
//! Every figure is a struct of plain data and a [`Plot`]. Data that cannot be drawn (empty, ragged,
//! not finite) give a labelled empty figure that says why; drawing never fails and never panics.
//!
//! The SVG is written directly. The `plotters` crate was weighed and left out: its SVG
//! backend writes each colour as a literal `#RRGGBB` attribute, with no class and no
//! `currentColor`, so that one drawing cannot follow a light and a dark page; nor does it place
//! direct labels, which is most of the work here.
//!
//! ```
//! use smidgen::report::{Axis, Figure, LinePlot, Page, Section, Series};
//!
//! let loss = Series::new("training", vec![(0.0, 2.3), (100.0, 0.9), (200.0, 0.4)]);
//! let plot = LinePlot::new(Axis::count("step"), Axis::plain("loss"), vec![loss]);
//! let page = Page::new("ParsNets on spar").section(
//!     Section::new("Training").figure(&plot, "The loss falls and stays down."),
//! );
//! assert!(page.html().starts_with("<!DOCTYPE html>"));
//! # let _: Figure = Figure::new(&plot, "");
//! ```

mod canvas;
mod contributions;
mod frame;
mod front;
mod heat;
mod histogram;
mod label;
mod line;
mod network;
mod number;
mod page;
mod pareto;
mod pictures;
mod scale;
mod scatter;
mod shares;
mod spectrum;
mod table;
mod theme;
mod write;

#[cfg(test)]
mod tests;

pub use contributions::Contributions;
pub use front::{FrontPlot, FrontPoint, FrontSeries};
pub use heat::{HeatMap, Shading};
pub use histogram::Histogram;
pub use line::{LinePlot, Panel, Series};
pub use network::{Connection, NetworkFilm, NetworkPlot, Neuron, NeuronSheet};
pub use number::Unit;
pub use page::{Figure, Item, Page, Section};
pub use pictures::Pictures;
pub use scale::{Axis, Scale};
pub use scatter::ScatterPlot;
pub use shares::{ShareBars, ShareColumn};
pub use spectrum::SpectrumPlot;
pub use table::{Cell, Table};
pub use theme::standalone;
pub use write::write_atomic;

/// Something that draws itself as one SVG element, 700 units wide.
pub trait Plot {
    /// One `<svg>` element for use inside a [`Page`], which brings its style sheet.
    ///
    /// Coordinates lie inside the view box, text is escaped, and `NaN` is never written. For a file
    /// of its own, see [`standalone`].
    fn svg(&self) -> String;
}
