//! `look` at a lottery run: losses against width with the fitted law, the losses of two neurons
//! with the ticket among them, and where neurons lie.

use anyhow::Result;

use super::record::{Group, Kept, Kit};
use super::ticket::{Found, Neuron, TOLERANCE};
use crate::law::Law;
use crate::report::{Axis, Cell, Histogram, LinePlot, Page, ScatterPlot, Section, Series, Table};

/// Places of neurons that the paper's figure shows for SiLU, w of either sign (read off the curve).
pub const PAPER_PLACES: [(f64, f64); 4] = [(0.5, -0.15), (0.8, -0.5), (1.0, -0.85), (1.25, -1.15)];

/// The authors' own word on their theory, in ours.
pub const NOTE: &str = "The authors explain the exponent by tickets: a network of N neurons holds a number of \
    independent ones that grows with N, its output is their average, and the variance of an average of n is 1/n. \
    On the paper's page they note that this theory is questionable and that the empirical results stand. A single \
    pair of neurons with w towards 0 and v growing fits x² as well as one likes, so the exponent is a fact of \
    training, not of capacity: it depends on steps, rate and range of the fit.";

/// The report of a run.
pub fn page(kit: &Kit) -> Result<Page> {
    let record = &kit.record;
    let mut page = Page::new("lottery: y = x² by networks of N neurons")
        .subtitle(format!("{} seeds a width; {}", record.population, record.groups[0].settings))
        .provenance("paper", "arXiv 2310.02258")
        .provenance("seeds", format!("{} to {}", record.seed, record.seed + record.population - 1))
        .provenance("tool", concat!("smidgen ", env!("CARGO_PKG_VERSION")));
    for group in &record.groups {
        if let Some(law) = &group.law {
            page = page.fact(format!("{}: exponent α", group.label), format!("{:.2}", law.exponent));
        }
    }
    for group in &record.groups {
        page = page.section(laws(kit, group));
    }
    page = page.section(Section::new("On the theory").text(NOTE));
    for group in &record.groups {
        if let Some(section) = two(kit, &group.label) {
            page = page.section(section);
        }
    }
    for group in &record.groups {
        if let Some(section) = places(kit, &group.label) {
            page = page.section(section);
        }
    }
    if !record.failures.is_empty() {
        let mut section = Section::new("Networks that failed");
        for failure in &record.failures {
            section = section.text(failure.clone());
        }
        page = page.section(section);
    }
    Ok(page)
}

/// Losses against width, log-log, with the fit and its interval.
pub fn loss_plot(kit: &Kit, group: &Group) -> LinePlot {
    let sizes = kit.sizes(&group.label);
    let at = |q: f64| {
        sizes.iter().map(move |s| {
            let mut losses = s.losses.clone();
            losses.sort_unstable_by(f64::total_cmp);
            (s.size as f64, crate::population::quantile(&losses, q))
        })
    };
    let quartiles = at(0.25).zip(at(0.75)).map(|(low, high)| (low.1, high.1)).collect();
    let mut series = vec![Series::new("median, half", at(0.5).collect()).between(quartiles).dots()];
    if let Some(law) = &group.law {
        series.push(fitted("fit", law));
    }
    if let Some((low, high)) = &group.regimes {
        series.push(fitted(&format!("α = {:.2}", low.exponent), low).dashed());
        series.push(fitted(&format!("α = {:.2}", high.exponent), high).dashed());
    }
    LinePlot::new(Axis::plain("width N").log(), Axis::plain("mean square error").log(), series)
}

/// The line of a law over its range, with the band that its interval gives about the middle.
fn fitted(name: &str, law: &Law) -> Series {
    let (from, to) = (law.range.0 as f64, law.range.1 as f64);
    let middle = (from * to).sqrt();
    let steps = 24;
    let sizes = (0..=steps).map(|i| from * (to / from).powf(f64::from(i) / f64::from(steps)));
    let points: Vec<(f64, f64)> = sizes.map(|n| (n, law.loss(n))).collect();
    let turned = |alpha: f64| points.iter().map(move |(n, _)| law.loss(middle) * (n / middle).powf(-alpha));
    let band = turned(law.interval.0).zip(turned(law.interval.1)).map(|(a, b)| (a.min(b), a.max(b))).collect();
    Series::new(name, points.clone()).between(band)
}

fn laws(kit: &Kit, group: &Group) -> Section {
    let caption = match &group.law {
        Some(law) => format!(
            "Median loss of each width; the band holds the middle half of the seeds. Least squares on the logarithms: \
             {}, the band of the line its bootstrap interval (seeds drawn again {} times).",
            law.sentence(),
            law.replicates
        ),
        None => "Median loss of each width; too few widths for a law.".into(),
    };
    let mut section = Section::new(format!("Loss and width, {}", group.label)).figure(&loss_plot(kit, group), caption);
    if let Some((low, high)) = &group.regimes {
        section = section.text(format!(
            "Two lines that meet at N = {} fit better than one: first {}; then {}. Where the second exponent is far \
             below the first, more neurons no longer help at this rate and number of steps.",
            low.range.1,
            low.sentence(),
            high.sentence()
        ));
    }
    let law = group.law.as_ref();
    let mut table = Table::new(["N", "networks", "best", "median", "worst", "α to the next N"]);
    let slopes = law.map(Law::slopes).unwrap_or_default();
    for point in law.map(|l| l.points.clone()).unwrap_or_default() {
        let slope = slopes.iter().find(|s| s.0 == point.size);
        table = table.row(vec![
            Cell::Count(point.size as u64),
            Cell::Count(point.members as u64),
            format!("{:.2e}", point.extremes.0).as_str().into(),
            format!("{:.2e}", point.median).as_str().into(),
            format!("{:.2e}", point.extremes.1).as_str().into(),
            slope.map_or(Cell::Missing, |s| Cell::Number { value: s.2, decimals: 2 }),
        ]);
    }
    if law.is_some() {
        section = section.table(table, "Losses of all networks that came to their end.");
    }
    section
}

/// Networks of width 2 with what they found: (seed, loss, found).
pub fn found(kit: &Kit, group: &str) -> Vec<(u64, f64, Found)> {
    let relu = group.starts_with("relu");
    let of = |kept: &Kept| if relu { kept.neuron().of_unit_slope() } else { kept.neuron() };
    let neurons: Vec<&Kept> = kit.neurons.iter().filter(|n| n.group == group && n.width == 2).collect();
    let pairs = neurons.chunks_exact(2).filter_map(|pair| {
        let (a, c): (Neuron, Neuron) = (of(pair[0]), of(pair[1]));
        let row = kit.losses.iter().find(|l| l.group == group && l.width == 2 && l.seed == pair[0].seed)?;
        Some((row.seed, row.loss?, Found::of(a, c, TOLERANCE)))
    });
    pairs.collect()
}

/// Losses of two neurons, by what they found.
pub fn histogram(kit: &Kit, group: &str) -> Option<Histogram> {
    let all = found(kit, group);
    let kinds = Found::ALL.map(|kind| {
        let losses = all.iter().filter(|f| f.2 == kind).map(|f| f.1).collect();
        (kind.name().to_string(), losses)
    });
    (!all.is_empty()).then(|| Histogram {
        bins: 90,
        ..Histogram::new(Axis::plain("mean square error").log(), "networks", kinds.into())
    })
}

fn two(kit: &Kit, group: &str) -> Option<Section> {
    let plot = histogram(kit, group)?;
    let mut all = found(kit, group);
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    let best = all.first()?;
    let tickets = all.iter().filter(|f| f.2 == Found::Ticket).count();
    let caption = format!(
        "Final losses of the {} networks of two neurons. The ticket is a mirrored pair, w₁ = −w₂, b₁ = b₂, v₁ = v₂, \
         each within {:.0} % of the larger: {tickets} networks hold it. The lowest loss, {:.2e} (seed {}), is {}.",
        all.len(),
        100.0 * TOLERANCE,
        best.1,
        best.0,
        match best.2 {
            Found::Ticket => "a ticket",
            Found::Opposite => "a pair of opposite signs, not quite mirrored",
            Found::OneSided => "one-sided",
        }
    );
    Some(Section::new(format!("Two neurons, {group}")).figure(&plot, caption))
}

/// Where the neurons of the widest networks lie.
pub fn scatter(kit: &Kit, group: &str) -> Option<(usize, ScatterPlot)> {
    let of = || kit.neurons.iter().filter(|n| n.group == group);
    let width = of().map(|n| n.width).max().filter(|w| *w > 2)?;
    let points: Vec<(f64, f64)> = of().filter(|n| n.width == width).map(|n| (n.w.into(), n.b.into())).collect();
    let plot = ScatterPlot::new(Axis::plain("w"), Axis::plain("b"), vec![(format!("neurons, N = {width}"), points)]);
    let mirrored = PAPER_PLACES.iter().flat_map(|&(w, b)| [(w, b), (-w, b)]).collect();
    let silu = group.starts_with("silu");
    Some((width, if silu { plot.marks("the paper’s figure", mirrored) } else { plot }))
}

fn places(kit: &Kit, group: &str) -> Option<Section> {
    let (width, plot) = scatter(kit, group)?;
    let caption = format!(
        "Input weight and bias of every hidden neuron in the networks of width {width}. Crosses, where there are any, \
         are places read off the paper’s figure of one network of width 10,000."
    );
    Some(Section::new(format!("Where neurons lie, {group}")).figure(&plot, caption))
}
