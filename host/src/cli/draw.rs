//! `smidgen run DENOISER.smg --set label=3`: draws a sample, on this machine or on a board, and shows it.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use smidgen_shared::artifact::{Artifact, Sampler};

use super::RunArgs;
use crate::compress::Aligned;
use crate::device::{Board, Device, Qemu, in_words};
use crate::family::Place;
use crate::infer::{Host, Sample};
use crate::output::{Output, thousands};

/// What is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The class, `None` for none.
    pub label: Option<u8>,
    /// Seed of the noise.
    pub seed: u32,
}

impl Wish {
    /// From `label=3` and `seed=7`.
    pub fn of(settings: &[String], labels: u8) -> Result<Wish> {
        let mut wish = Wish::default();
        for setting in settings {
            let (key, value) =
                setting.split_once('=').with_context(|| format!("--set {setting}: KEY=VALUE is expected"))?;
            let expected = || format!("--set {setting}: a whole number is expected");
            match key {
                "label" => {
                    let label: u8 = value.parse().with_context(expected)?;
                    ensure!(label < labels, "--set {setting}: the model draws {}", classes(labels));
                    wish.label = Some(label);
                }
                "seed" => wish.seed = value.parse().with_context(expected)?,
                _ => bail!("--set {setting}: a sampler's settings are label ({}) and seed", classes(labels)),
            }
        }
        Ok(wish)
    }
}

fn classes(labels: u8) -> String {
    match labels {
        0 => "no classes".into(),
        n => format!("classes 0 to {}", n - 1),
    }
}

/// Draws and shows one sample.
pub fn run(args: &RunArgs, model: &Aligned, sampler: &Sampler, workplace: &Place) -> Result<()> {
    let output = workplace.output;
    for (given, what) in [
        (args.data.is_some(), "--data"),
        (args.samples.is_some(), "--samples"),
        (args.class.is_some(), "--class"),
        (args.flash.is_some(), "--flash"),
    ] {
        ensure!(
            !given,
            "{what}: the model is a denoiser, which draws one sample; --set label=3 and --set seed=7 say which"
        );
    }
    let wish = Wish::of(&args.set, sampler.labels)?;
    let artifact = model.artifact()?;
    let place = args.place.port.as_deref().or(args.place.board.as_deref());
    let (sample, instructions) = match (&args.place.port, &args.place.board) {
        (None, Some(name)) => on_emulated(Board::find(name)?, model, wish, output)?,
        (Some(_), _) => {
            let mut device = super::verify::device(&args.place, model, &args.model)?.context("a board")?;
            (device.draw(wish.label, wish.seed, |_, _| {})?, Err("they are counted under QEMU alone".into()))
        }
        (None, None) => {
            let mut arena = Vec::new();
            let sample = Host::new(artifact, &mut arena)?.draw(wish.label, wish.seed)?;
            (sample, Err("they are counted under QEMU alone".into()))
        }
    };
    let on = place.unwrap_or("this machine");
    let picture = Picture::of(sampler, &sample.values);
    match &picture {
        Some(picture) => picture.lines().iter().for_each(|line| output.line(line)),
        None => output.line(sample.values.iter().map(|v| format!("{v:.4}")).collect::<Vec<_>>().join(" ")),
    }
    let what = wish.label.map_or("a sample".into(), |label| format!("class {label}"));
    let counted = match &instructions {
        Ok(counts) => format!(", {} instructions at most an evaluation", thousands(counts.most())),
        Err(_) if place.is_none() => String::new(),
        Err(reason) => format!(", instructions not counted ({reason})"),
    };
    output.line(format!("{what}, seed {}: {} evaluations{counted}, on {on}", wish.seed, sample.evaluations));
    output.result(report(&artifact, wish, &sample, picture.as_ref(), &instructions, place.unwrap_or("host")));
    Ok(())
}

/// Instructions of each evaluation, counted.
pub struct Evaluations(Vec<u64>);

impl Evaluations {
    /// From the stretches of one draw: the first begins the sample, with noise and no evaluation.
    fn of(stretches: &[u64], evaluations: usize) -> Result<Self, String> {
        match stretches.split_first() {
            Some((_, rest)) if rest.len() == evaluations => Ok(Evaluations(rest.to_vec())),
            _ => Err("a request was repeated, and counted twice; draw again".into()),
        }
    }

    fn most(&self) -> u64 {
        self.0.iter().copied().max().unwrap_or(0)
    }
}

/// Draws on a board under QEMU, its instructions counted where they can be.
fn on_emulated(
    board: &Board,
    model: &Aligned,
    wish: Wish,
    output: Output,
) -> Result<(Sample, Result<Evaluations, String>)> {
    let arena = model.artifact()?.arena_bytes() as usize;
    board.check_fit(model.len(), arena, "a narrower network (--set hidden=W)")?;
    let mut device = Device::connect(Qemu::start(board, model, true)?)?;
    if let Err(fault) = device.hello().model {
        bail!("{} refuses the model: {}", board.name, in_words(fault));
    }
    let bar = output.bar(0, &board.name);
    let sample = device.draw(wish.label, wish.seed, |done, total| {
        bar.set_length(total.into());
        bar.set_position(done.into());
    })?;
    bar.finish_and_clear();
    let counts = device.into_link().stop();
    let counts = counts.and_then(|counts| Evaluations::of(&counts.finish, sample.evaluations.into()));
    Ok((sample, counts))
}

fn report(
    artifact: &Artifact<'_>,
    wish: Wish,
    sample: &Sample,
    picture: Option<&Picture>,
    instructions: &Result<Evaluations, String>,
    place: &str,
) -> Value {
    let counted = instructions.as_ref().ok();
    json!({
        "place": place,
        "hash": format!("{:08x}", artifact.hash()),
        "label": wish.label,
        "seed": wish.seed,
        "evaluations": sample.evaluations,
        "values": sample.values,
        "picture": picture.map(|p| json!({ "width": p.width, "greys": p.greys, "pixels": p.pixels })),
        "instructions": counted.map(|counts| json!({ "most": counts.most(), "total": counts.0.iter().sum::<u64>() })),
    })
}

/// A sample as grey pixels, row by row.
pub struct Picture {
    width: usize,
    /// The value of white; black is 0.
    greys: u8,
    pixels: Vec<u8>,
}

impl Picture {
    /// Of a sample that is one: `round((x − black)/(white − black)·greys)`.
    pub fn of(sampler: &Sampler, values: &[f32]) -> Option<Picture> {
        let (width, greys) = (usize::from(sampler.width), f32::from(sampler.greys));
        let pixel =
            |x: &f32| ((x - sampler.black) / (sampler.white - sampler.black) * greys).round().clamp(0.0, greys) as u8;
        (width > 0).then(|| Picture { width, greys: sampler.greys, pixels: values.iter().map(pixel).collect() })
    }

    /// For a terminal: a pixel is two shade characters wide, so that it is about square.
    pub fn lines(&self) -> Vec<String> {
        const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
        let shade =
            |p: &u8| SHADES[(usize::from(*p) * 4 + usize::from(self.greys) / 2) / usize::from(self.greys).max(1)];
        let edge = "─".repeat(2 * self.width);
        let row = |row: &[u8]| format!("│{}│", row.iter().flat_map(|p| [shade(p); 2]).collect::<String>());
        let rows = self.pixels.chunks(self.width).map(row);
        [format!("┌{edge}┐")].into_iter().chain(rows).chain([format!("└{edge}┘")]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_those_of_one_draw() {
        let counts = Evaluations::of(&[15, 100, 120], 2).unwrap();
        assert_eq!((counts.most(), counts.0.len()), (120, 2));
        assert!(Evaluations::of(&[15, 100, 3, 120], 2).is_err());
        assert!(Evaluations::of(&[], 2).is_err());
    }

    #[test]
    fn a_wish_is_read_or_refused() {
        let of = |settings: &[&str]| Wish::of(&settings.iter().map(|s| s.to_string()).collect::<Vec<_>>(), 10);
        assert_eq!(of(&[]).unwrap(), Wish { label: None, seed: 0 });
        assert_eq!(of(&["label=3", "seed=4294967295"]).unwrap(), Wish { label: Some(3), seed: u32::MAX });
        for (setting, says) in
            [("label=10", "classes 0 to 9"), ("seed=-1", "whole number"), ("size=3", "label"), ("label", "KEY=VALUE")]
        {
            let error = format!("{:#}", of(&[setting]).unwrap_err());
            assert!(error.contains(says) && error.contains(setting), "{error}");
        }
    }

    #[test]
    fn a_picture_has_a_shade_for_every_grey() {
        let picture = Picture { width: 4, greys: 16, pixels: (0..=16).chain([0, 8, 16]).collect() };
        let lines = picture.lines();
        assert_eq!(lines.len(), 7);
        assert!(lines.iter().all(|line| line.chars().count() == 10), "{lines:?}");
        assert_eq!(lines[5], "│██  ▒▒██│");
    }
}
