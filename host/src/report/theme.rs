//! Colours and type of the report, for light and dark.
//!
//! The eight hues follow Okabe and Ito's palette for colour-blind readers (Color Universal Design,
//! 2008), darkened for light paper and lightened for dark so that each, as text, has a contrast of
//! at least 4.5 with the paper (WCAG 2.1, 1.4.3). Families differ in marker shape too.

/// Names of the page's own colours and their values on light and dark paper.
const PAGE: [(&str, &str, &str); 7] = [
    ("paper", "#fdfdfb", "#16181b"),
    ("ink", "#1c1c1a", "#e8e6e1"),
    ("pale", "#000000", "#ffffff"),
    ("mid", "#000000", "#000000"),
    ("soft", "#65655f", "#a3a19b"),
    ("grid", "#e6e6e1", "#2d3035"),
    ("rule", "#b9b9b2", "#55585e"),
];

/// Hues of the series `c0`… on light and dark paper.
const HUES: [(&str, &str); 8] = [
    ("#0c57b0", "#5aaef5"),
    ("#d6341a", "#fb7b52"),
    ("#08695c", "#35dfb2"),
    ("#b53d7e", "#e880b4"),
    ("#647410", "#e6cf3c"),
    ("#20808f", "#8adbe8"),
    ("#5c6066", "#aeb3b9"),
    ("#7d5236", "#cfa88e"),
];

/// Style of the marks inside a figure; the same on a page and in a file of its own.
const MARKS: &str = "\
.plot{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;\
font-size:12px;font-variant-numeric:tabular-nums;color:var(--ink)}
.plot text{fill:currentColor}
.plot .soft{fill:var(--soft)}
.plot .sm{font-size:10.5px}
.plot .b{font-weight:600}
.plot .on{fill:var(--paper)}
.plot .pale{fill:var(--pale)}
.plot .mid{fill:var(--mid)}
.plot .halo{stroke:var(--paper);stroke-width:3.5px;stroke-linejoin:round;paint-order:stroke}
.plot .grid{stroke:var(--grid);stroke-width:1}
.plot .axis{stroke:var(--rule);stroke-width:1}
.plot .ln{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.plot .dash{stroke-dasharray:5 4}
.plot .thin{fill:none;stroke:currentColor;stroke-width:1;opacity:.4}
.plot .faint{fill:none;stroke:currentColor;stroke-width:1;opacity:.22}
.plot .band{fill:currentColor;opacity:.16;stroke:none}
.plot .err{stroke:currentColor;stroke-width:1.2;opacity:.55}
.plot .dot{fill:currentColor;stroke:var(--paper);stroke-width:1}
.plot .ring{fill:var(--paper);stroke:currentColor;stroke-width:1.4}
.plot .front{fill:none;stroke:var(--ink);stroke-width:1;opacity:.55}
.plot .lead{stroke:currentColor;stroke-width:1;stroke-dasharray:1 3;opacity:.8}
.plot .cell{fill:currentColor}
";

/// The class of a text that stands on a cell of opacity `t` in 0..=1: black or white on pale
/// cells, whichever the paper is not; black on middling ones; paper on strong ones.
pub(super) fn on_cell(t: f64) -> &'static str {
    match t {
        t if t < 0.62 => "pale",
        t if t < 0.86 => "mid",
        _ => "on",
    }
}

/// The colour class of the `index`-th series.
pub(super) fn hue(index: usize) -> String {
    format!("c{}", index % HUES.len())
}

/// The style sheet of figures: variables for light and dark, then the marks.
pub(super) fn plot_css() -> String {
    format!(
        ":root{{color-scheme:light dark;{}}}\n{}\n@media (prefers-color-scheme:dark){{\n:root{{{}}}\n{}\n}}\n{MARKS}",
        variables(|c| c.1),
        hues(|h| h.0),
        variables(|c| c.2),
        hues(|h| h.1),
    )
}

/// A figure as a file of its own, for use as an image: style sheet, paper and a margin come with it.
///
/// `svg` is what [`Plot::svg`](super::Plot::svg) gives; anything else is returned as it came.
pub fn standalone(svg: &str) -> String {
    let Some((open, height, rest)) = opened(svg) else {
        return svg.into();
    };
    let (x, y) = (14.0, 12.0);
    let (w, h) = (super::canvas::WIDTH + 2.0 * x, height + 2.0 * y);
    format!(
        "{open}viewBox=\"-{x} -{y} {w} {h}\" width=\"{w}\" height=\"{h}\"{rest}\n",
        rest = rest.replacen(
            '>',
            &format!(
                "><style>{}</style><rect x=\"-{x}\" y=\"-{y}\" width=\"{w}\" height=\"{h}\" fill=\"var(--paper)\"/>",
                plot_css()
            ),
            1
        ),
    )
}

/// A figure before its view box, the view box's height, and what follows the size.
fn opened(svg: &str) -> Option<(&str, f64, &str)> {
    let (open, rest) = svg.split_once("viewBox=\"")?;
    let (view, rest) = rest.split_once('"')?;
    let height: f64 = view.split(' ').nth(3)?.parse().ok()?;
    let (_, rest) = rest.split_once(" height=\"")?;
    let (_, rest) = rest.split_once('"')?;
    open.starts_with("<svg ").then_some((open, height, rest))
}

fn variables(pick: impl Fn(&(&'static str, &'static str, &'static str)) -> &'static str) -> String {
    PAGE.iter().map(|c| format!("--{}:{};", c.0, pick(c))).collect()
}

fn hues(pick: impl Fn(&(&'static str, &'static str)) -> &'static str) -> String {
    HUES.iter().enumerate().map(|(i, h)| format!(".c{i}{{color:{}}}", pick(h))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linear red, green and blue of `#rrggbb`.
    fn linear(hex: &str) -> [f64; 3] {
        [1, 3, 5].map(|i| {
            let v = f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let [a, b] = [a, b].map(|hex| {
            let [r, g, b] = linear(hex);
            0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05
        });
        a.max(b) / a.min(b)
    }

    /// Oklab coordinates (Ottosson 2020).
    fn oklab([r, g, b]: [f64; 3]) -> [f64; 3] {
        let l = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b).cbrt();
        let m = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b).cbrt();
        let s = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b).cbrt();
        [
            0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
        ]
    }

    /// Machado, Oliveira and Fernandes (2009), severity 1: protanopia and deuteranopia.
    const BLIND: [[[f64; 3]; 3]; 2] = [
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ];

    #[test]
    fn every_colour_of_text_stands_out_from_the_paper() {
        let papers = [PAGE[0].1, PAGE[0].2];
        for name in ["ink", "soft"] {
            let c = PAGE.iter().find(|c| c.0 == name).unwrap();
            assert!(contrast(c.1, papers[0]) >= 4.5 && contrast(c.2, papers[1]) >= 4.5, "{name}");
        }
        for (i, hue) in HUES.iter().enumerate() {
            assert!(contrast(hue.0, papers[0]) >= 4.5, "c{i} light: {}", contrast(hue.0, papers[0]));
            assert!(contrast(hue.1, papers[1]) >= 4.5, "c{i} dark: {}", contrast(hue.1, papers[1]));
        }
    }

    #[test]
    fn figures_on_cells_can_be_read_at_every_shade() {
        let mix = |a: &str, b: &str, t: f64| -> String {
            let part = |hex: &str, i: usize| f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap());
            let one = |i: usize| format!("{:02x}", (part(a, i) * t + part(b, i) * (1.0 - t)).round() as u8);
            format!("#{}{}{}", one(1), one(3), one(5))
        };
        let page = |name: &str, dark: bool| {
            let c = PAGE.iter().find(|c| c.0 == name).unwrap();
            if dark { c.2 } else { c.1 }
        };
        for dark in [false, true] {
            for hue in &HUES[..2] {
                for t in (0..=100).map(|t| f64::from(t) / 100.0) {
                    let cell = mix(if dark { hue.1 } else { hue.0 }, page("paper", dark), t);
                    let text = match on_cell(t) {
                        "on" => "paper",
                        text => text,
                    };
                    let got = contrast(&cell, page(text, dark));
                    assert!(got >= 3.8, "dark {dark}, t {t}: {got:.2}");
                }
            }
        }
    }

    #[test]
    fn the_first_five_hues_differ_for_colour_blind_readers() {
        for theme in 0..2 {
            for matrix in BLIND {
                let seen: Vec<_> = HUES[..5]
                    .iter()
                    .map(|h| {
                        let c = linear(if theme == 0 { h.0 } else { h.1 });
                        oklab(matrix.map(|row| row.iter().zip(c).map(|(m, v)| m * v).sum::<f64>().clamp(0.0, 1.0)))
                    })
                    .collect();
                for i in 0..seen.len() {
                    for j in 0..i {
                        let d: f64 = (0..3).map(|k| (seen[i][k] - seen[j][k]).powi(2)).sum::<f64>().sqrt();
                        assert!(d > 0.06, "c{i} and c{j}, theme {theme}: {d:.3}");
                    }
                }
            }
        }
    }
}
