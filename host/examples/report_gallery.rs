//! Every figure of the report on one page, with made-up data: what a change to `report` is looked
//! at with. `cargo run -p smidgen --example report_gallery -- gallery.html`
//!
//! With a folder as second argument the front is also written there as `front.svg`.

use std::path::PathBuf;

use smidgen::report::{
    Axis, Cell, FrontPlot, FrontPoint, FrontSeries, HeatMap, LinePlot, Page, Plot, Section, Series, ShareBars,
    ShareColumn, SpectrumPlot, Table, Unit, standalone, write_atomic,
};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let path = arguments.next().unwrap_or_else(|| PathBuf::from("report_gallery.html"));
    page().write(&path)?;
    if let Some(folder) = arguments.next() {
        write_atomic(&folder.join("front.svg"), standalone(&front().svg()).as_bytes())?;
    }
    println!("wrote {}", path.display());
    Ok(())
}

fn page() -> Page {
    Page::new("Gallery of the report")
        .subtitle("Every figure the report knows, drawn from made-up data. No number here was measured.")
        .provenance("dataset", "made up")
        .provenance("seeds", "0–4")
        .provenance("version", env!("CARGO_PKG_VERSION"))
        .provenance("artifact", "8f3a…c21e")
        .fact("T1, unseen classes", "72.4 ± 1.3%")
        .fact("H", "59.8 ± 0.6%")
        .fact("multiply-accumulates", "3,120")
        .fact("flash", "9.4 KiB")
        .section(
            Section::new("Training")
                .titled("Loss and accuracy", &training(), "Mean of five seeds; the band is ± one deviation. The loss has levelled off by step 2,000, and accuracy on validation classes with it: longer training would not help.")
                .titled("Learning rate", &rates(), "Both axes are logarithmic. Where a curve breaks off, training diverged."),
        )
        .section(
            Section::new("Accuracy against cost")
                .figure(&front(), "Filled marks are on the front: no other model is at least as good for less. Bars are ± one deviation over five seeds.")
                .table(results(), "Mean ± deviation over five seeds. The model that was exported is in bold."),
        )
        .section(
            Section::new("What the classes look like")
                .titled("Singular values", &spectrum(), "Seven directions hold nearly all that varies within a class; between classes it takes five. The ring marks 95 % of the energy.")
                .titled("Angles between class subspaces, in degrees", &angles(), "Strong colour marks pairs that lie close together: walking, stairs up and stairs down are nearly one subspace, and are the ones confused below.")
                .titled("Base networks used per class", &usage(), "Each class leans on two or three of the eight base networks."),
        )
        .section(
            Section::new("Mistakes")
                .titled("Confusion matrix", &confusion(&ACTIVITIES), "The diagonal, in blue, is right; red is wrong. Strength of colour is the share of the row.")
                .titled("Forty classes", &large(), "With many classes the cells lose their figures and keep their shades; point at one to read it."),
        )
        .section(
            Section::new("Where the bytes and the MACs go")
                .figure(&shares(), "The mixed layer holds most of the flash, but the features do most of the arithmetic."),
        )
        .section(Section::new("Nothing to show").figure(&LinePlot::default(), "A figure without data says so."))
}

/// A small wave that looks like noise, in −1..=1.
fn noise(i: usize, j: usize) -> f64 {
    let x = (i as f64 * 12.9898 + j as f64 * 78.233).sin() * 43758.5453;
    2.0 * (x - x.floor()) - 1.0
}

fn training() -> LinePlot {
    let steps = || (0..120).map(|i| f64::from(i) * 25.0);
    let curve = |k: usize, f: &dyn Fn(f64) -> f64, wobble: f64| -> Vec<(f64, f64)> {
        steps().enumerate().map(|(i, s)| (s, f(s) + wobble * noise(i, k))).collect()
    };
    let band = |from: f64, to: f64| steps().map(|s| to + (from - to) * (-s / 500.0).exp()).collect();
    let loss = Series::new("training", curve(1, &|s| 0.21 + 1.9 * (-s / 420.0).exp(), 0.02)).band(band(0.2, 0.03));
    let validation =
        Series::new("validation", curve(2, &|s| 0.38 + 1.8 * (-s / 450.0).exp(), 0.03)).band(band(0.3, 0.07));
    let t1 = Series::new("validation", curve(3, &|s| 0.72 - 0.5 * (-s / 350.0).exp(), 0.008)).band(band(0.05, 0.015));
    let linear = Series::new("linear map", vec![(0.0, 0.66), (2975.0, 0.66)]).dashed();
    LinePlot::new(Axis::count("step"), Axis::plain("loss"), vec![loss, validation])
        .panel(Axis::percent("accuracy, validation classes"), vec![t1, linear])
}

fn rates() -> LinePlot {
    let series = |name: &str, best: f64, end: usize| {
        let points = (0..25).map(|i| {
            let rate = 10f64.powf(-5.0 + i as f64 / 6.0);
            let loss = 0.08 + 0.4 * (rate / best).log10().powi(2) / 2.0;
            (rate, if i < end { loss } else { f64::NAN })
        });
        Series::new(name, points.collect())
    };
    LinePlot::new(
        Axis::plain("learning rate").log(),
        Axis::plain("final loss").log(),
        vec![
            series("Adam", 2e-3, 22),
            series("SGD", 3e-2, 25),
            series("Adam, no warm-up", 1.6e-3, 18),
            series("a very long name indeed for an optimiser", 2.2e-3, 21),
        ],
    )
}

fn front() -> FrontPlot {
    let points = |rows: &[(f64, f64, f64, &str)]| -> Vec<FrontPoint> {
        rows.iter().map(|r| FrontPoint::new(r.0, r.1).deviation(r.2).label(r.3)).collect()
    };
    FrontPlot::new(
        Axis::count("multiply-accumulates"),
        Axis::percent("T1, unseen classes"),
        vec![
            FrontSeries::new(
                "ParsNets",
                points(&[
                    (1500.0, 0.655, 0.014, "K=4 r=2"),
                    (2100.0, 0.692, 0.012, "K=8 r=2"),
                    (3100.0, 0.721, 0.011, "K=8 r=4"),
                    (5200.0, 0.728, 0.010, "K=16 r=4"),
                    (9800.0, 0.731, 0.012, "K=16 r=8"),
                ]),
            ),
            FrontSeries::new(
                "linear map",
                points(&[
                    (420.0, 0.562, 0.006, "rank 2"),
                    (840.0, 0.601, 0.006, "rank 4"),
                    (1700.0, 0.621, 0.005, "rank 8"),
                    (4600.0, 0.624, 0.005, "full"),
                ]),
            ),
            FrontSeries::new("ESZSL", points(&[(4600.0, 0.598, 0.004, "")])),
            FrontSeries::new("bilinear", points(&[(4900.0, 0.611, 0.009, "")])),
            FrontSeries::new(
                "MLP",
                points(&[
                    (1200.0, 0.548, 0.021, "16"),
                    (2350.0, 0.631, 0.019, "32"),
                    (4700.0, 0.684, 0.017, "64"),
                    (9300.0, 0.712, 0.016, "128"),
                    (18600.0, 0.719, 0.018, "256"),
                ]),
            ),
        ],
    )
}

fn results() -> Table {
    Table::new(["model", "T1 %", "U %", "S %", "H %", "parameters", "MACs", "int8 flash"])
        .row(vec![
            "ParsNets K=8 r=4".into(),
            Cell::mean(72.1, 1.1, 1),
            Cell::mean(58.2, 0.9, 1),
            Cell::mean(61.3, 0.8, 1),
            Cell::mean(59.7, 0.6, 1),
            Cell::Count(8412),
            Cell::Count(3120),
            Cell::Measure(9626.0, Unit::Bytes),
        ])
        .strong()
        .row(vec![
            "linear map, full".into(),
            Cell::mean(62.4, 0.5, 1),
            Cell::mean(41.0, 0.4, 1),
            Cell::mean(66.2, 0.3, 1),
            Cell::mean(50.6, 0.4, 1),
            Cell::Count(4617),
            Cell::Count(4600),
            Cell::Measure(5120.0, Unit::Bytes),
        ])
        .row(vec![
            "ESZSL".into(),
            Cell::Number { value: 59.8, decimals: 1 },
            Cell::Number { value: 31.7, decimals: 1 },
            Cell::Number { value: 68.9, decimals: 1 },
            Cell::Number { value: 43.4, decimals: 1 },
            Cell::Count(4600),
            Cell::Count(4600),
            Cell::Measure(5102.0, Unit::Bytes),
        ])
        .row(vec![
            "MLP-128".into(),
            Cell::mean(71.2, 1.6, 1),
            Cell::Missing,
            Cell::Missing,
            Cell::Missing,
            Cell::Count(9545),
            Cell::Count(9300),
            Cell::Measure(11060.0, Unit::Bytes),
        ])
}

const ACTIVITIES: [&str; 9] =
    ["sitting", "standing", "lying", "walking", "stairs up", "stairs down", "running", "cycling", "rowing machine"];

fn names(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| w.to_string()).collect()
}

fn spectrum() -> SpectrumPlot {
    let within = ACTIVITIES.iter().enumerate().map(|(c, name)| {
        let values =
            (0..24).map(|k| 9.0 * (-(k as f64) / (2.6 + 0.5 * noise(c, 1))).exp() * (1.0 + 0.15 * noise(c, k)) + 0.02);
        let mut values: Vec<f64> = values.collect();
        values.sort_by(|a, b| b.total_cmp(a));
        (name.to_string(), values)
    });
    let between = (0..8).map(|k| 14.0 * (-(k as f64) / 1.9).exp()).collect();
    SpectrumPlot::new(within.collect(), between)
}

fn angles() -> HeatMap {
    let groups = [0, 0, 1, 2, 2, 2, 3, 4, 4];
    let angle = |i: usize, j: usize| match (i == j, groups[i] == groups[j]) {
        (true, _) => 0.0,
        (_, true) => 18.0 + 8.0 * noise(i.min(j), i.max(j)),
        _ => 72.0 + 16.0 * noise(i.min(j), i.max(j)),
    };
    let n = ACTIVITIES.len();
    let degrees: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| angle(i, j)).collect()).collect();
    HeatMap::angles(names(&ACTIVITIES), &degrees)
}

fn usage() -> HeatMap {
    let columns: Vec<String> = (1..=8).map(|k| format!("N{k}")).collect();
    let values = (0..ACTIVITIES.len()).map(|i| {
        let weights: Vec<f64> = (0..8).map(|k| (4.0 * noise(i, k + 3)).exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|w| w / sum).collect()
    });
    HeatMap::shares("Base networks used per class", names(&ACTIVITIES), columns, values.collect())
}

fn confusion(classes: &[&str]) -> HeatMap {
    let n = classes.len();
    let count = |i: usize, j: usize| -> u64 {
        let near = i.abs_diff(j) == 1;
        match (i == j, near) {
            (true, _) => 40 + (noise(i, 9).abs() * 20.0) as u64,
            (_, true) => (noise(i, j).abs() * 14.0) as u64,
            _ => (noise(i, j) * 3.0).max(0.0) as u64,
        }
    };
    let counts: Vec<Vec<u64>> = (0..n).map(|i| (0..n).map(|j| count(i, j)).collect()).collect();
    HeatMap::confusion(names(classes), names(classes), &counts)
}

fn large() -> HeatMap {
    let classes: Vec<String> = (1..=40).map(|i| format!("flower {i}")).collect();
    let classes: Vec<&str> = classes.iter().map(String::as_str).collect();
    confusion(&classes)
}

fn shares() -> ShareBars {
    let parts = ["features", "dense 54 → 24", "gate, 2 of 8", "mix 8 × (24 → 9)", "clamp", "match 9 × 9", "lookup"];
    ShareBars::new(
        names(&parts),
        vec![
            ShareColumn::new("flash", Unit::Bytes, vec![120.0, 1392.0, 216.0, 6912.0, 0.0, 90.0, 256.0]),
            ShareColumn::new("MACs", Unit::Count, vec![3750.0, 1296.0, 192.0, 432.0, 0.0, 81.0, 0.0]),
        ],
    )
}
