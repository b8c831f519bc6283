//! Figures of one group of settings on one task, over the folds, for validation and test.
//!
//! `cargo run --release --example trial -- DATASET zero-shot|supervised FEATURES SEEDS PRESET [KEY=VALUE]…`
//! Choose settings by the validation line alone.

use anyhow::{Context, Result};
use smidgen::data::{self, Dataset, Input, Split, Task as Protocol};
use smidgen::engine::in_parallel;
use smidgen::family::parsnets::{
    Control, Generalised, Settings, Standardise, Summary, Targets, Task, accuracy, best_handicap, classify, per_class,
    plan, train,
};
use smidgen::infer;
use smidgen_shared::features::Spec;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, task, set, seeds, preset, sets @ ..] = args.as_slice() else {
        anyhow::bail!("trial DATASET zero-shot|supervised FEATURES SEEDS PRESET [KEY=VALUE]…")
    };
    let mut settings = Settings::preset(preset)?;
    sets.iter().try_for_each(|s| settings.apply(s))?;
    let data_dir = std::env::var_os("SMIDGEN_DATA");
    let dataset = data::load(name, data_dir.as_ref().map(std::path::Path::new))?;
    let protocol = if task == "supervised" { Protocol::Supervised } else { Protocol::ZeroShot };
    let spec = match &dataset.input {
        Input::Windows { channels, window, .. } => Some(Spec {
            channels: u8::try_from(*channels)?,
            window: u16::try_from(*window)?,
            stats: plan::features_named(set)?,
        }),
        Input::Vectors { .. } => None,
    };
    let all: Vec<u32> = (0..dataset.len() as u32).collect();
    let (features, width) = infer::features(&dataset, spec.as_ref(), &all)?;
    let seeds: Vec<u64> = (0..seeds.parse().context("SEEDS is a number")?).collect();
    let splits = dataset.splits(protocol, 0)?;
    let trial = Trial { dataset: &dataset, features: &features, width, settings: &settings, protocol };
    for (what, validation) in [("validation", true), ("test", false)] {
        let parts: Vec<&Split> = splits
            .iter()
            .flat_map(|s| if validation { s.validation.iter().take(1).collect() } else { vec![s] })
            .collect();
        let jobs: Vec<(&Split, u64)> = seeds.iter().flat_map(|&seed| parts.iter().map(move |s| (*s, seed))).collect();
        if jobs.is_empty() {
            continue;
        }
        let start = std::time::Instant::now();
        let rows = in_parallel(&jobs, 2, |(split, seed)| trial.run(split, *seed))?;
        let mut line = format!("{what:10} {:3} splits {:5.1} s", parts.len(), start.elapsed().as_secs_f64());
        for (m, metric) in ["accuracy", "T1", "U", "S", "H", "h", "MACs"].iter().enumerate() {
            let of_seed = |rows: &[[f64; 7]]| rows.iter().map(|r| r[m]).sum::<f64>() / rows.len() as f64;
            let per_seed: Vec<f64> = rows.chunks(parts.len()).map(of_seed).collect();
            let s = Summary::of(&per_seed);
            line += &format!("  {metric} {:.4}±{:.4}", s.mean, s.deviation);
        }
        println!("{line}");
    }
    Ok(())
}

struct Trial<'a> {
    dataset: &'a Dataset,
    features: &'a [f32],
    width: usize,
    settings: &'a Settings,
    protocol: Protocol,
}

impl Trial<'_> {
    fn rows(&self, x: &[f32], rows: &[u32]) -> (Vec<f32>, Vec<u16>) {
        let values = rows.iter().flat_map(|&i| x[i as usize * self.width..][..self.width].to_vec()).collect();
        (values, rows.iter().map(|&i| self.dataset.class[i as usize]).collect())
    }

    /// accuracy, T1, U, S, H with the best handicap of this very split, that handicap, MACs
    fn run(&self, split: &Split, seed: u64) -> Result<[f64; 7]> {
        let train_rows: Vec<usize> = split.train.iter().map(|&i| i as usize).collect();
        let s = self.settings;
        let standardise = Standardise::fit(self.features, self.width, &train_rows, s.clip, s.unit_rms)?;
        let x = standardise.apply(self.features);
        let classes = self.dataset.classes.len();
        let targets = match self.protocol {
            Protocol::Supervised => Targets::simplex(classes),
            Protocol::ZeroShot => {
                let seen: Vec<bool> = (0..classes).map(|c| split.seen.contains(&(c as u16))).collect();
                Targets::attributes(&self.dataset.attributes, &seen, s)?
            }
        };
        let (train_x, train_y) = self.rows(&x, &split.train);
        let task = Task { x: &train_x, width: self.width, y: &train_y, targets };
        let model = train(s, &task, seed, None, &mut |_| Control::Continue)?.model;
        let indices = |c: &[u16]| c.iter().map(|&c| usize::from(c)).collect::<Vec<_>>();
        let (seen, unseen) = (indices(&split.seen), indices(&split.unseen));
        if self.protocol == Protocol::Supervised {
            let (x, y) = self.rows(&x, &split.test_seen);
            let predicted = classify(&model.scores(&x)?, classes, &seen);
            return Ok([
                accuracy(&predicted, &y),
                per_class(&predicted, &y, &seen),
                0.0,
                0.0,
                0.0,
                0.0,
                model.macs() as f64,
            ]);
        }
        let (test_x, y) = self.rows(&x, &split.test_unseen);
        let predicted = classify(&model.scores(&test_x)?, classes, &unseen);
        let mut both = split.test_unseen.clone();
        both.extend(&split.test_seen);
        let (both_x, both_y) = self.rows(&x, &both);
        let cosines = model.cosines(&both_x)?;
        let (h, _) = best_handicap(&cosines, &both_y, &seen, &unseen);
        let g = Generalised::measure(&cosines, &both_y, &seen, &unseen, h);
        Ok([
            accuracy(&predicted, &y),
            per_class(&predicted, &y, &unseen),
            g.u,
            g.s,
            g.h,
            f64::from(h),
            model.macs() as f64,
        ])
    }
}
