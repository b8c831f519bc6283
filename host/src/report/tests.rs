//! What every figure owes, whatever its data: well-formed XML, nothing outside the view box, no
//! NaN, and a page that loads nothing.

use proptest::prelude::*;
use roxmltree::{Document, Node, ParsingOptions};

use super::canvas::{SMALL, TEXT, bold_width, text_width};
use super::*;

/// Parses `svg` and checks that every mark and every text lies inside the view box.
fn check(svg: &str) -> Result<(), TestCaseError> {
    prop_assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{}", svg);
    let document = Document::parse(svg).map_err(|e| TestCaseError::fail(format!("{e}: {svg}")))?;
    let root = document.root_element();
    let view: Vec<f64> = numbers(root.attribute("viewBox").unwrap_or_default());
    let (w, h) = (view[2], view[3]);
    for node in root.descendants().filter(Node::is_element) {
        for (x, y) in places(&node) {
            let inside = (-0.06..=w + 0.06).contains(&x) && (-0.06..=h + 0.06).contains(&y);
            prop_assert!(inside, "{x} {y} outside {w} × {h}: {:?}\n{svg}", node);
        }
    }
    Ok(())
}

/// The corners of what a node draws. Texts take an upper bound of their width.
fn places(node: &Node) -> Vec<(f64, f64)> {
    let get = |name: &str| node.attribute(name).map_or(0.0, |v| v.parse::<f64>().unwrap());
    match node.tag_name().name() {
        "line" => vec![(get("x1"), get("y1")), (get("x2"), get("y2"))],
        "rect" => {
            let (x, y) = (get("x"), get("y"));
            vec![(x, y), (x + get("width"), y + get("height"))]
        }
        "circle" => {
            let (x, y, r) = (get("cx"), get("cy"), get("r"));
            vec![(x - r, y - r), (x + r, y + r)]
        }
        "path" => {
            let d = node.attribute("d").unwrap();
            numbers(&d.replace(['M', 'L', 'Z'], " ")).chunks(2).map(|c| (c[0], c[1])).collect()
        }
        "text" => {
            let class = node.attribute("class").unwrap_or_default();
            let size = if class.contains("sm") { SMALL } else { TEXT };
            let text = node.text().unwrap_or_default();
            let bold = class.split(' ').any(|c| c == "b");
            let width = if bold { bold_width(text, size) } else { text_width(text, size) };
            let (x, y) = (get("x"), get("y"));
            let before = match node.attribute("text-anchor") {
                Some("middle") => width / 2.0,
                Some("end") => width,
                _ => 0.0,
            };
            let turned = node.attribute("transform").is_some_and(|t| t.starts_with("rotate(-45"));
            let (dx, dy) = if turned { (0.7072, -0.7072) } else { (1.0, 0.0) };
            [-before, width - before]
                .iter()
                .flat_map(|l| [(x + l * dx, y + l * dy), (x + l * dx, y + l * dy - size * 0.7)])
                .collect()
        }
        _ => Vec::new(),
    }
}

fn numbers(text: &str) -> Vec<f64> {
    text.split_whitespace().map(|n| n.parse().unwrap()).collect()
}

/// Any double, tame ones often.
fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![3 => -10.0f64..10.0, 2 => 0.0f64..1e6, 1 => any::<f64>()]
}

/// No number's name, for which [`check`] looks.
fn word() -> impl Strategy<Value = String> {
    let words = prop_oneof![4 => "[a-z ]{0,14}", 1 => ".{0,60}", 1 => Just("<b> & \"'\u{0}]]>".to_string())];
    words.prop_filter("a number's name", |word| !word.ends_with("inf") && !word.contains("NaN"))
}

fn axis() -> impl Strategy<Value = Axis> {
    let unit =
        prop_oneof![Just(Unit::Plain), Just(Unit::Percent), Just(Unit::Count), Just(Unit::Bytes), Just(Unit::Degrees)];
    let at_least = prop::option::of((wild(), wild()));
    (word(), unit, any::<bool>(), at_least).prop_map(|(label, unit, log, at_least)| {
        let axis = Axis { at_least, ..Axis::new(label, unit) };
        if log { axis.log() } else { axis }
    })
}

fn series() -> impl Strategy<Value = Series> {
    let points = prop::collection::vec((wild(), wild(), wild()), 0..30);
    (word(), points, 0..3, any::<(bool, bool)>()).prop_map(|(name, points, band, (dashed, dots))| Series {
        name,
        points: points.iter().map(|p| (p.0, p.1)).collect(),
        deviation: (band == 1).then(|| points.iter().map(|p| p.2).collect()),
        interval: (band == 2).then(|| points.iter().map(|p| (p.2, p.1)).collect()),
        dashed,
        dots,
    })
}

fn matrix() -> impl Strategy<Value = (Vec<String>, Vec<String>, Vec<Vec<f64>>)> {
    (0usize..14, 0usize..40).prop_flat_map(|(rows, columns)| {
        (
            prop::collection::vec(word(), rows),
            prop::collection::vec(word(), columns),
            prop::collection::vec(prop::collection::vec(wild(), columns), rows),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn lines_stay_inside(
        x in axis(),
        panels in prop::collection::vec((axis(), prop::collection::vec(series(), 0..9)), 0..4),
    ) {
        let panels = panels.into_iter().map(|(y, series)| Panel { y, series }).collect();
        check(&LinePlot { x, panels }.svg())?;
    }

    #[test]
    fn fronts_stay_inside(
        cost in axis(),
        value in axis(),
        series in prop::collection::vec(
            (word(), prop::collection::vec((wild(), wild(), prop::option::of(wild()), prop::option::of(word())), 0..9)),
            0..10,
        ),
    ) {
        let point = |(cost, value, deviation, label)| FrontPoint { cost, value, deviation, label };
        let series = series
            .into_iter()
            .map(|(name, points)| FrontSeries::new(name, points.into_iter().map(point).collect()))
            .collect();
        check(&FrontPlot { cost, value, series, single: false }.svg())?;
    }

    #[test]
    fn heat_maps_stay_inside((rows, columns, values) in matrix(), kind in 0..4) {
        let mut map = match kind {
            0 => HeatMap::shares("shares", rows, columns, values),
            1 => HeatMap::angles(rows, &values),
            _ => {
                let counts: Vec<Vec<u64>> =
                    values.iter().map(|r| r.iter().map(|v| *v as u64).collect()).collect();
                HeatMap::confusion(rows, columns, &counts)
            }
        };
        if kind == 3 {
            map.shading = Shading::Low { paper: 0.0 };
        }
        check(&map.svg())?;
    }

    #[test]
    fn histograms_stay_inside(
        x in axis(),
        counted in word(),
        kinds in prop::collection::vec((word(), prop::collection::vec(wild(), 0..40)), 0..9),
        bins in 0usize..300,
    ) {
        check(&Histogram { x, counted, kinds, bins }.svg())?;
    }

    #[test]
    fn scatters_stay_inside(
        x in axis(),
        y in axis(),
        kinds in prop::collection::vec((word(), prop::collection::vec((wild(), wild()), 0..40)), 0..9),
        marks in prop::collection::vec((wild(), wild()), 0..5),
        marked in word(),
    ) {
        check(&ScatterPlot { x, y, kinds, marks, marked }.svg())?;
    }

    #[test]
    fn spectra_stay_inside(
        within in prop::collection::vec((word(), prop::collection::vec(wild(), 0..20)), 0..6),
        between in prop::collection::vec(wild(), 0..100),
    ) {
        check(&SpectrumPlot { within, between }.svg())?;
    }

    #[test]
    fn shares_stay_inside(
        parts in prop::collection::vec(word(), 0..14),
        columns in prop::collection::vec((word(), prop::collection::vec(wild(), 14)), 0..4),
        positive in prop::bool::weighted(0.8),
    ) {
        let cut = |v: Vec<f64>| -> Vec<f64> {
            let v = v.into_iter().take(parts.len());
            if positive { v.map(|v| if v.is_finite() { v.abs() } else { 0.0 }).collect() } else { v.collect() }
        };
        let columns = columns.into_iter().map(|(n, v)| ShareColumn::new(n, Unit::Bytes, cut(v))).collect();
        check(&ShareBars::new(parts.clone(), columns).svg())?;
    }
}

/// Checks that no two level texts lie on each other by more than a unit each way.
fn no_overlap(svg: &str) -> Result<(), TestCaseError> {
    let document = Document::parse(svg).map_err(|e| TestCaseError::fail(e.to_string()))?;
    let mut boxes: Vec<(&str, [f64; 4])> = Vec::new();
    for node in document.descendants().filter(|n| n.has_tag_name(("http://www.w3.org/2000/svg", "text"))) {
        if node.attribute("transform").is_some() {
            continue;
        }
        let p = places(&node);
        let low = |f: fn(&(f64, f64)) -> f64| p.iter().map(f).fold(f64::INFINITY, f64::min);
        let high = |f: fn(&(f64, f64)) -> f64| p.iter().map(f).fold(f64::NEG_INFINITY, f64::max);
        let new = [low(|p| p.0), low(|p| p.1), high(|p| p.0), high(|p| p.1)];
        let text = node.text().unwrap_or_default();
        for (other, old) in &boxes {
            let w = new[2].min(old[2]) - new[0].max(old[0]);
            let h = new[3].min(old[3]) - new[1].max(old[1]);
            prop_assert!(w <= 1.0 || h <= 1.0, "“{text}” lies on “{other}”: {new:?} {old:?}");
        }
        boxes.push((text, new));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn labels_of_curves_do_not_overlap(
        panels in prop::collection::vec(prop::collection::vec(prop::collection::vec(0.01f64..1.0, 2..6), 1..8), 1..4),
        log in any::<bool>(),
    ) {
        let curve = |(i, values): (usize, Vec<f64>)| {
            let points = values.into_iter().enumerate().map(|(x, y)| (x as f64 * 100.0, y)).collect();
            Series::new(format!("curve {i}"), points)
        };
        let y = || if log { Axis::plain("loss").log() } else { Axis::percent("accuracy") };
        let panels = panels
            .into_iter()
            .map(|p| Panel { y: y(), series: p.into_iter().enumerate().map(curve).collect() })
            .collect();
        no_overlap(&LinePlot { x: Axis::count("step"), panels }.svg())?;
    }

    #[test]
    fn labels_of_a_front_do_not_overlap(
        series in prop::collection::vec(prop::collection::vec((2.0f64..5.0, 0.3f64..0.9), 1..6), 1..6),
    ) {
        let one = |(i, points): (usize, Vec<(f64, f64)>)| {
            let point = |(j, (c, v)): (usize, (f64, f64))| {
                FrontPoint::new(10f64.powf(c), v).deviation(0.02).label(format!("K={j} r=4"))
            };
            FrontSeries::new(format!("family {i}"), points.into_iter().enumerate().map(point).collect())
        };
        let series = series.into_iter().enumerate().map(one).collect();
        no_overlap(&FrontPlot::new(Axis::count("MACs"), Axis::percent("accuracy"), series).svg())?;
    }

    #[test]
    fn labels_of_shares_spectra_and_maps_do_not_overlap(
        values in prop::collection::vec(0.0f64..1e5, 1..30),
        names in prop::collection::vec("[a-z]{1,20}", 30),
    ) {
        let n = values.len();
        let parts: Vec<String> = names[..n].to_vec();
        let columns = ["flash", "MACs", "instructions"]
            .map(|name| ShareColumn::new(name, Unit::Bytes, values.clone()))
            .to_vec();
        no_overlap(&ShareBars::new(parts.clone(), columns).svg())?;
        no_overlap(&SpectrumPlot::new(vec![("a".into(), values.clone())], values.clone()).svg())?;
        let rows: Vec<Vec<f64>> = vec![values.iter().map(|v| v / 1e5).collect(); n];
        no_overlap(&HeatMap::shares("x", parts.clone(), parts.clone(), rows.clone()).svg())?;
        let counts: Vec<Vec<u64>> = vec![values.iter().map(|v| *v as u64).collect(); n];
        no_overlap(&HeatMap::confusion(parts.clone(), parts, &counts).svg())?;
    }
}

#[test]
fn empty_figures_say_so() {
    let plots: [(&str, String); 7] = [
        ("lines", LinePlot::default().svg()),
        ("histogram", Histogram::default().svg()),
        ("scatter", ScatterPlot::default().svg()),
        ("front", FrontPlot::default().svg()),
        ("heat", HeatMap::default().svg()),
        ("spectrum", SpectrumPlot::default().svg()),
        ("shares", ShareBars::default().svg()),
    ];
    for (name, svg) in plots {
        check(&svg).unwrap();
        assert!(svg.contains("no data"), "{name}: {svg}");
    }
}

#[test]
fn a_page_is_well_formed_and_loads_nothing() {
    let nasty = "<script>alert('&')</script>";
    let plot =
        LinePlot::new(Axis::count(nasty), Axis::plain("loss"), vec![Series::new(nasty, vec![(0.0, 1.0), (1.0, 0.5)])]);
    let table = Table::new(["a", nasty]).row(vec![nasty.into(), Cell::Count(3)]);
    let mut page = Page::new(nasty).subtitle(nasty).provenance(nasty, nasty).fact(nasty, nasty);
    for _ in 0..5 {
        page = page.section(Section::new(nasty).text(nasty).titled(nasty, &plot, nasty).table(table.clone(), nasty));
    }
    let html = page.html();
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&html, options).unwrap();
    for node in document.descendants().filter(Node::is_element) {
        let tag = node.tag_name().name();
        assert!(!["script", "link", "img", "iframe", "object", "image", "use"].contains(&tag), "{tag}");
        for attribute in node.attributes() {
            assert!(attribute.name() != "src", "{:?}", node);
            assert!(attribute.name() != "href" || attribute.value().starts_with('#'), "{:?}", node);
        }
    }
    assert!(!html.contains("url(") && !html.contains("@import"));
    assert_eq!(document.descendants().filter(|n| n.has_tag_name(("http://www.w3.org/1999/xhtml", "h2"))).count(), 5);
}

#[test]
fn a_standalone_figure_brings_its_style() {
    let svg = standalone(&SpectrumPlot::new(vec![], vec![3.0, 2.0, 1.0]).svg());
    let document = Document::parse(&svg).unwrap();
    let style = document.descendants().find(|n| n.tag_name().name() == "style").unwrap();
    assert!(style.text().unwrap().contains("prefers-color-scheme:dark"));
    let view = numbers(document.root_element().attribute("viewBox").unwrap());
    assert_eq!((view[0], view[2]), (-14.0, 728.0));
    let paper = document.descendants().find(|n| n.tag_name().name() == "rect").unwrap();
    assert_eq!(numbers(paper.attribute("width").unwrap()), [view[2]]);
    assert_eq!(standalone("no figure"), "no figure");
}
