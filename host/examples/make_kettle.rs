//! Makes the recordings of `examples/data/kettle`: **synthetic**, no person and no kettle involved.
//!
//! `cargo run --release -p smidgen --example make_kettle -- examples/data/kettle`
//!
//! A wrist unit at 25 Hz: acceleration at 2048 counts a g and angular rate at 16.4 counts a deg/s.
//! A gesture is a sum of three motions at the subject's own pace f and size s:
//! bob `az += s·.5 g·sin 2πft`, circle `(ax, ay) += s·.4 g·(cos, sin) 2πft`, and tilt by
//! θ = s·50°·(1 − cos 2πft)/2 about y, which turns gravity: `(ax, az) = (−sin θ, cos θ) g`,
//! `gy = dθ/dt`. `rinse` is circle and tilt at once: the class that is left unseen.

use anyhow::Context;
use std::{f64::consts::TAU, fmt::Write, path::Path};

const SEED: u64 = 1;
const RATE_HZ: f64 = 25.0;
/// 6 s
const ROWS: usize = 150;
const TAKES: usize = 2;
const COUNTS_PER_G: f64 = 2048.0;
const COUNTS_PER_DPS: f64 = 16.4;

/// Name, pace [Hz], and how much of bob, circle and tilt.
const GESTURES: [(&str, f64, [f64; 3]); 5] = [
    ("rest", 0.5, [0.0, 0.0, 0.0]),
    ("lift", 0.7, [1.0, 0.0, 0.0]),
    ("swirl", 1.2, [0.0, 1.0, 0.0]),
    ("pour", 0.4, [0.0, 0.0, 1.0]),
    ("rinse", 1.0, [0.0, 1.0, 1.0]),
];
/// Name, pace and size relative to the gesture's.
const SUBJECTS: [(&str, f64, f64); 3] = [("anna", 1.0, 1.0), ("ben", 0.85, 1.2), ("chidi", 1.15, 0.85)];

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).context("expected one argument: the folder to write")?;
    write(Path::new(&folder))
}

/// Writes `recordings/GESTURE_SUBJECT_TAKE.csv` below `folder`.
pub fn write(folder: &Path) -> anyhow::Result<()> {
    let recordings = folder.join("recordings");
    std::fs::create_dir_all(&recordings).with_context(|| format!("cannot create {}", recordings.display()))?;
    let mut noise = Noise(SEED);
    for (gesture, pace_hz, motion) in GESTURES {
        for (subject, pace, size) in SUBJECTS {
            for take in 1..=TAKES {
                let text = recording(pace_hz * pace, motion.map(|m| m * size), &mut noise);
                let path = recordings.join(format!("{gesture}_{subject}_{take}.csv"));
                std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
    }
    Ok(())
}

fn recording(pace_hz: f64, [bob, circle, tilt]: [f64; 3], noise: &mut Noise) -> String {
    let mut text = "ax,ay,az,gx,gy,gz\n".to_string();
    let start = noise.uniform();
    for row in 0..ROWS {
        let phase = TAU * (pace_hz * row as f64 / RATE_HZ + start);
        let angle = tilt * 50f64.to_radians() * (1.0 - phase.cos()) / 2.0;
        let rate_dps = tilt * 25.0 * phase.sin() * TAU * pace_hz;
        let (sine, cosine) = phase.sin_cos();
        let g = [circle * 0.4 * cosine - angle.sin(), circle * 0.4 * sine, angle.cos() + bob * 0.5 * sine];
        let dps = [circle * 20.0 * cosine, rate_dps, bob * 5.0 * cosine];
        let values = g.map(|g| (g + 0.02 * noise.bell()) * COUNTS_PER_G).into_iter();
        let values = values.chain(dps.map(|dps| (dps + 2.0 * noise.bell()) * COUNTS_PER_DPS));
        let cells: Vec<String> = values.map(|value| (value.round() as i32).to_string()).collect();
        writeln!(text, "{}", cells.join(",")).expect("writing to a string does not fail");
    }
    text
}

/// SplitMix64.
struct Noise(u64);

impl Noise {
    /// In [0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Mean 0, variance 1: twelve uniforms, less 6.
    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}
