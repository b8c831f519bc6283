//! A denoiser that nobody trained: the shapes, constants and schedule of one that draws digits, with random weights.

use smidgen::compress::{Aligned, Description, Interval, Level, Picture, Provenance, Sampler, export};
use smidgen::graph::{Graph, Input, Node, Op, Smooth};
use smidgen::infer::description;

use crate::Lcg;

/// Deviation of the data.
const SIGMA_DATA: f64 = 0.75;
/// Values, noise level, classes.
const SIZES: [usize; 3] = [64, 16, 10];

/// `90 → hidden → … → 64` with SiLU between, and inputs for it.
pub fn denoiser_graph(hidden: &[usize], seed: u64) -> (Graph, Vec<Vec<f32>>) {
    let mut r = Lcg(seed);
    let n = SIZES.iter().sum();
    let deviation = [vec![4096.0; SIZES[0]], vec![16384.0; SIZES[1] + SIZES[2]]].concat();
    let mut nodes =
        vec![Node { name: "input".into(), op: Op::Standardise { mean: vec![0.0; n], deviation, clip: 4.0 } }];
    let sizes: Vec<usize> = [n].iter().chain(hidden).chain(&[SIZES[0]]).copied().collect();
    for (i, pair) in sizes.windows(2).enumerate() {
        let x = nodes.len() - 1;
        let dense = Op::Dense { x, w: r.matrix(pair[1], pair[0]), b: r.values(pair[1]), relu: false };
        nodes.push(Node { name: format!("layer {i}"), op: dense });
        if i + 2 < sizes.len() {
            let x = nodes.len() - 1;
            nodes.push(Node { name: format!("smooth {i}"), op: Op::Lookup { x, function: Smooth::Silu } });
        }
    }
    let inputs = (0..200).map(|i| {
        let mut input: Vec<f32> = r.values(SIZES[0]).iter().map(|v| (v * 6000.0).round()).collect();
        input.extend(r.values(SIZES[1]).iter().map(|v| (v * 16384.0).round()));
        input.extend((0..SIZES[2]).map(|label| if label == i % 11 { 16384.0 } else { 0.0 }));
        input
    });
    let inputs = inputs.collect();
    (Graph { family: "test".into(), input: Input::Vector(n), nodes, classes: vec![] }, inputs)
}

/// Nine levels from 80 to 0.002, and an interval to 0.5 in `count` levels, `repeats` times.
pub fn sampler(repeats: u8, count: u8) -> Sampler {
    let root = |t: f64| t.powf(1.0 / 7.0);
    let grid = |from: f64, to: f64, n: u8| -> Vec<f64> {
        (0..n).map(|i| (root(from) + f64::from(i) / f64::from(n - 1) * (root(to) - root(from))).powi(7)).collect()
    };
    let main = 9;
    let mut sigmas: Vec<f32> = grid(80.0, 0.002, main).iter().map(|&s| s as f32).collect();
    // The level nearest to 0.14.
    let after =
        (1..main).min_by_key(|&i| ((f64::from(sigmas[usize::from(i)]) / 0.14).ln().abs() * 1e6) as u64).unwrap_or(1);
    let end = sigmas[usize::from(after)];
    sigmas.extend(grid(0.5, end.into(), count).iter().take(usize::from(count) - 1).map(|&s| s as f32));
    sigmas.push(end);
    let noise = (0.25 - end * end).sqrt();
    Sampler {
        sigma_data: SIGMA_DATA as f32,
        labels: SIZES[2] as u8,
        main,
        levels: sigmas.iter().map(|&sigma| level(sigma)).collect(),
        intervals: vec![Interval { after, repeats, first: main, count, noise }],
        picture: Some(Picture { width: 8, black: -1.0, white: 1.0, greys: 16 }),
    }
}

fn level(sigma: f32) -> Level {
    let s = f64::from(sigma);
    let both = s * s + SIGMA_DATA * SIGMA_DATA;
    let feature = |k: usize| {
        let angle = 0.25 * 2f64.powf(k as f64 / 2.0) * s.ln();
        [angle.cos(), angle.sin()].map(|v| (v * 16384.0).round() as i16)
    };
    Level {
        sigma,
        c_in: (1.0 / both.sqrt()) as f32,
        c_skip: (SIGMA_DATA * SIGMA_DATA / both) as f32,
        c_out: (s * SIGMA_DATA / both.sqrt()) as f32,
        embedding: [0, 1].iter().flat_map(|&i| (0..SIZES[1] / 2).map(move |k| feature(k)[i])).collect(),
    }
}

/// The artifact of [`denoiser_graph`], with bounds for every board, drawing with `sampler`.
pub fn denoiser(hidden: &[usize], seed: u64, sampler: Sampler) -> Aligned {
    let (graph, inputs) = denoiser_graph(hidden, seed);
    let provenance = Provenance { dataset: "none".into(), split: "none".into(), ..Provenance::default() };
    let description = description(provenance, Default::default(), None).expect("every board has a cost model");
    export(&graph, &inputs, &Description { sampler: Some(sampler), ..description })
        .expect("the test graph exports")
        .bytes
}
