//! The family as a whole: settings, threads, seeds, resume, export.

use super::*;
use crate::output::Output;
use denoiser::labels;

fn place(threads: usize) -> Place {
    Place { output: Output { json: false, quiet: true }, data: Default::default(), threads }
}

fn request(sets: &[&str], population: u64) -> Request {
    let set = sets.iter().map(|s| s.to_string()).collect();
    Request { family: NAME.into(), set, population, ..Request::default() }
}

const SMALL: [&str; 4] = ["hidden=24", "depth=2", "steps=60", "samples=0"];

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let runs: Vec<_> = [1, 3]
        .map(|threads| {
            let folder = tempfile::tempdir().unwrap();
            let value = RestartSampling.train(&request(&SMALL, 2), folder.path(), &place(threads)).unwrap();
            assert_eq!(value["losses"].as_array().unwrap().len(), 2);
            let record = Record::read(folder.path()).unwrap();
            let denoiser = record.denoiser(folder.path(), 1).unwrap();
            let labels = labels(700, 10);
            let one = denoiser.sample(&measure::exported(), &labels, 5, threads).unwrap();
            (denoiser.parameters, one.values)
        })
        .into();
    assert_eq!(runs[0], runs[1]);
    // A sample is the same alone among few as among many.
    let folder = tempfile::tempdir().unwrap();
    RestartSampling.train(&request(&SMALL, 2), folder.path(), &place(1)).unwrap();
    let denoiser = Record::read(folder.path()).unwrap().denoiser(folder.path(), 1).unwrap();
    let few = denoiser.sample(&measure::exported(), &labels(20, 10), 5, 1).unwrap();
    assert_eq!(few.values[..], runs[0].1[..20 * 64]);
}

/// A training that is saved in the middle and gone on with gives the bits of one that was not.
#[test]
fn a_training_is_gone_on_with_to_the_bit() {
    use crate::population::{Standing, Work};
    let settings = Settings::of(&SMALL.map(String::from), None).unwrap();
    let set = settings.set(&Default::default()).unwrap();
    let tasks = settings.tasks(&set, 3, 1);
    let work = train::Tasks(&tasks);
    let end = |mut model: train::Model| loop {
        let Standing { done, .. } = work.advance(0, &mut model).unwrap();
        if done {
            return work.save(&model).unwrap();
        }
    };
    let whole = end(work.start(0).unwrap());
    let mut first = work.start(0).unwrap();
    assert!(!work.advance(0, &mut first).unwrap().done);
    let half = work.save(&first).unwrap();
    assert_eq!(end(work.restore(0, &half).unwrap()), whole);
}

#[test]
fn training_lowers_the_loss_below_that_of_the_best_constant() {
    let folder = tempfile::tempdir().unwrap();
    let sets = ["data=moons", "steps=600", "samples=200", "hidden=32"];
    let value = RestartSampling.train(&request(&sets, 1), folder.path(), &place(2)).unwrap();
    // F's targets have variance 1, which is the loss of the best constant.
    assert!(value["losses"][0].as_f64().unwrap() < 0.9, "{}", value["losses"]);
    let samplers = value["samplers"].as_array().unwrap();
    assert!(samplers.len() > 20 && samplers.iter().all(|s| s["distances"][0].as_f64().unwrap() < 1.5));
    let html = RestartSampling.look(folder.path(), &place(1)).unwrap().html();
    for words in ["Quality and evaluations", "Restart", "DPM-Solver-3", "W₁"] {
        assert!(html.contains(words), "{words}");
    }
    let refused = |result: Result<Export>| format!("{:#}", result.err().unwrap());
    assert!(refused(RestartSampling.export(folder.path(), &place(1))).contains("8 × 8"));
}

#[test]
fn the_chip_gets_the_network_that_was_trained() {
    let folder = tempfile::tempdir().unwrap();
    RestartSampling.train(&request(&SMALL, 1), folder.path(), &place(1)).unwrap();
    let record = Record::read(folder.path()).unwrap();
    let denoiser = record.denoiser(folder.path(), 0).unwrap();
    let set = Settings::of(&[], None).unwrap().set(&Default::default()).unwrap();
    let graph = export::graph(&denoiser).unwrap();
    let held = export::held_out(&set, &record.shape, &record.restart);
    let inputs = export::calibration(&set, &record.shape, &record.restart);
    let sampler = Some(export::sampler(&record, &set));
    let description = crate::compress::Description { sampler, ..Default::default() };
    let bytes = crate::compress::export(&graph, &inputs, &description).unwrap().bytes;
    let mut arena = Vec::new();
    let mut host = crate::infer::Host::new(bytes.artifact().unwrap(), &mut arena).unwrap();
    let (mut apart, mut size) = (0.0, 0.0);
    for raw in &held.inputs {
        let floats: Vec<f32> = raw.iter().map(|&v| f32::from(v)).collect();
        let outputs = graph.run(&floats);
        host.answer(raw).unwrap();
        for (a, b) in outputs[outputs.len() - 1].iter().zip(host.values()) {
            apart += f64::from(a - b).powi(2);
            size += f64::from(*a).powi(2);
        }
    }
    assert!(apart < 0.02 * size, "int8 is {:.3} of F's deviation away", (apart / size).sqrt());
    // The chip's own sampler takes the schedule, and gives the same on any number of threads.
    let labels = labels(120, 10);
    let drawn = export::draw(&bytes, &labels, 2).unwrap();
    assert_eq!(drawn, export::draw(&bytes, &labels, 1).unwrap());
    // An untrained denoiser's samples are blurs; by integers as by floats they have the same mean and spread.
    let float = denoiser.sample(&record.restart, &labels, 2, 1).unwrap().values;
    let moments = |v: &[f32]| {
        let mean = v.iter().sum::<f32>() / v.len() as f32;
        (mean, (v.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / v.len() as f32).sqrt())
    };
    let ((m, s), (n, t)) = (moments(&float), moments(&drawn));
    assert!((m - n).abs() < 0.1 && (s / t - 1.0).abs() < 0.15, "{m} ± {s} by floats, {n} ± {t} by integers");
}

#[test]
fn what_it_cannot_do_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error =
        |request: &Request| format!("{:#}", RestartSampling.train(request, folder.path(), &place(1)).unwrap_err());
    assert!(error(&request(&["hiden=3"], 1)).contains("nearest: hidden"));
    assert!(error(&request(&["steps=2", "data=moons", "search=64"], 1)).contains("W₁"));
    assert!(error(&Request { engine: Some("candle".into()), ..request(&[], 1) }).contains("fused"));
    assert!(error(&Request { data: Some("flo".into()), ..request(&[], 1) }).contains("no data"));
}
