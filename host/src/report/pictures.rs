//! Small grey pictures in rows with names, such as samples of several samplers side by side.
//!
//! A pixel is a square drawn at the opacity of its ink, so that it works on light and on dark paper;
//! runs of pixels of one shade in a row are one rectangle.

use super::canvas::{self, Anchor, Canvas, SMALL, TEXT, WIDTH, text_width};
use super::{Plot, theme};

/// Pictures of one size in named rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pictures {
    /// What they show, in words.
    pub name: String,
    /// Pixels a side.
    pub side: usize,
    /// (name, a word below it, pictures of side·side pixels, 0 paper to 1 ink)
    pub rows: Vec<(String, String, Vec<Vec<f32>>)>,
}

/// Shades that are told apart.
const SHADES: f32 = 16.0;

impl Pictures {
    fn problem(&self) -> Option<String> {
        let most = self.rows.iter().map(|r| r.2.len()).max().unwrap_or(0);
        if self.side == 0 || most == 0 {
            return Some("no pictures".into());
        }
        let expected = self.side * self.side;
        let wrong = self.rows.iter().flat_map(|r| &r.2).find(|p| p.len() != expected);
        wrong.map(|p| format!("a picture of {} pixels, not of {expected}", p.len()))
    }
}

impl Plot for Pictures {
    fn svg(&self) -> String {
        if let Some(why) = self.problem() {
            return canvas::empty(&self.name, &why);
        }
        let widest = self.rows.iter().map(|r| text_width(&r.0, TEXT).max(text_width(&r.1, SMALL))).fold(0.0, f64::max);
        let left = widest.min(170.0) + 10.0;
        let most = self.rows.iter().map(|r| r.2.len()).max().unwrap_or(1) as f64;
        let pitch = ((WIDTH - left) / most).min(56.0);
        let size = pitch - 4.0;
        let pixel = size / self.side as f64;
        let mut canvas = Canvas::new(pitch * self.rows.len() as f64 + 4.0);
        for (i, (name, below, pictures)) in self.rows.iter().enumerate() {
            let top = i as f64 * pitch + 2.0;
            let middle = top + size / 2.0;
            let (shift, soft) = if below.is_empty() { (4.0, false) } else { (-3.0, true) };
            canvas.text("", Anchor::Start, (0.0, middle + shift), &canvas::fit(name, left - 8.0, TEXT));
            if soft {
                canvas.text("soft sm", Anchor::Start, (0.0, middle + 12.0), &canvas::fit(below, left - 8.0, SMALL));
            }
            canvas.open(&theme::hue(0));
            for (j, picture) in pictures.iter().enumerate() {
                let at = left + j as f64 * pitch;
                canvas.rect("cell", 0.05, (at, top), (size, size));
                for (y, row) in picture.chunks_exact(self.side).enumerate() {
                    let shade = |x: usize| (row[x].clamp(0.0, 1.0) * SHADES).round() as u32;
                    let mut x = 0;
                    while x < self.side {
                        let from = x;
                        while x < self.side && shade(x) == shade(from) {
                            x += 1;
                        }
                        if shade(from) > 0 {
                            let place = (at + from as f64 * pixel, top + y as f64 * pixel);
                            let extent = ((x - from) as f64 * pixel, pixel);
                            canvas.rect("cell", f64::from(shade(from)) / f64::from(SHADES), place, extent);
                        }
                    }
                }
            }
            canvas.close();
        }
        canvas.finish(&self.name)
    }
}
