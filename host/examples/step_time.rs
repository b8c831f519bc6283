//! Milliseconds a training step of each kind of model, one thread, on random data.
//!
//! `cargo run --release --example step_time`

use std::time::Instant;

use smidgen::family::parsnets::{Control, Settings, Targets, Task, train};
use smidgen::rng::Rng;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let cases: [(&str, &str, usize, usize, &[&str]); 9] = [
        ("linear", "linear", 54, 19, &[]),
        ("composite K8 r8 m2", "tiny", 54, 19, &[]),
        ("composite K16 r8 m4", "accuracy", 54, 19, &[]),
        ("composite K16 r8 m4", "accuracy", 250, 19, &[]),
        ("composite K8 r12 m4 + W0", "zero-shot", 54, 16, &["batch=256"]),
        ("MLP 128", "mlp", 54, 19, &["widths=128"]),
        ("linear", "linear", 1280, 40, &[]),
        ("trunk K4 r7 m2", "trunk", 1280, 40, &[]),
        ("MLP 1024 1024", "mlp", 1280, 40, &["widths=1024,1024"]),
    ];
    println!("{:28} {:>6} {:>6} {:>9}", "model", "inputs", "a", "ms/step");
    for (name, preset, width, classes, sets) in cases {
        let mut settings = Settings::preset(preset)?;
        let steps = if width > 1000 { 40 } else { 200 };
        sets.iter().try_for_each(|s| settings.apply(s))?;
        settings.apply(&format!("steps={steps}"))?;
        let mut rng = Rng::new(0, "data", 0);
        let n = 2000;
        let x: Vec<f32> = (0..n * width).map(|_| rng.normal()).collect();
        let y: Vec<u16> = (0..n).map(|_| rng.below(classes) as u16).collect();
        let task = Task { x: &x, width, y: &y, targets: Targets::simplex(classes) };
        let mut best = f64::INFINITY;
        for _ in 0..3 {
            let start = Instant::now();
            train(&settings, &task, 0, None, &mut |_| Control::Continue)?;
            best = best.min(start.elapsed().as_secs_f64() * 1e3 / steps as f64);
        }
        println!("{name:28} {width:6} {classes:6} {best:9.3}");
    }
    Ok(())
}
