//! The family as a whole: settings, threads, tickets, export.

use super::*;
use crate::output::Output;

fn place(threads: usize) -> Place {
    Place { output: Output { json: false, quiet: true }, data: Default::default(), threads }
}

fn request(sets: &[&str], population: u64) -> Request {
    let set = sets.iter().map(|s| s.to_string()).collect();
    Request { family: NAME.into(), set, population, ..Request::default() }
}

const SMALL: [&str; 3] = ["width=2,4,8,16", "steps=600", "activation=silu,relu"];

/// Threads, and the company of other members, change no bit.
#[test]
fn the_same_seed_gives_the_same_files() {
    let runs: Vec<_> = [(1, 6), (3, 6)]
        .map(|(threads, population)| {
            let folder = tempfile::tempdir().unwrap();
            let result = Lottery.train(&request(&SMALL, population), folder.path(), &place(threads)).unwrap();
            let files = ["members.csv", "neurons.csv", "run.json", "graph.json", "law-silu.json", "law-relu.json"]
                .map(|name| std::fs::read(folder.path().join(name)).unwrap());
            (result["groups"].clone(), files)
        })
        .into();
    assert_eq!(runs[0], runs[1]);
    // Seed 3 alone is seed 3 among six.
    let folder = tempfile::tempdir().unwrap();
    let alone = Request { seed: 3, ..request(&SMALL, 1) };
    Lottery.train(&alone, folder.path(), &place(1)).unwrap();
    let alone = String::from_utf8(std::fs::read(folder.path().join("members.csv")).unwrap()).unwrap();
    let among = String::from_utf8(runs[0].1[0].clone()).unwrap();
    assert_eq!(alone.lines().count(), 9);
    for line in alone.lines() {
        assert!(among.lines().any(|other| other == line), "{line}");
    }
}

#[test]
fn a_run_is_read_as_it_was_written_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let result = Lottery.train(&request(&SMALL, 5), folder.path(), &place(2)).unwrap();
    assert_eq!(result["groups"].as_array().unwrap().len(), 2);
    assert_eq!(result["groups"][0]["widths"][3]["networks"], 5);
    let law = crate::law::Law::read(&folder.path().join("law-silu.json")).unwrap();
    assert!(law.exponent > 0.0 && law.range == (8, 16), "{}", law.sentence());
    assert_eq!(result["chosen"]["width"], 16);
    let html = Lottery.look(folder.path(), &place(1)).unwrap().html();
    for words in ["questionable", "the ticket", "Where neurons lie, relu", "Two neurons, silu"] {
        assert!(html.contains(words), "{words}");
    }
    let export = Lottery.export(folder.path(), &place(1)).unwrap();
    assert!(export.provenance.settings.starts_with("width=16 activation=silu"), "{}", export.provenance.settings);
    // Cut files are refused with their names.
    std::fs::write(folder.path().join("members.csv"), "group,width\nsilu,x\n").unwrap();
    assert!(format!("{:#}", Lottery.look(folder.path(), &place(1)).unwrap_err()).contains("members.csv"));
}

#[test]
fn a_network_that_failed_is_named_and_the_others_count() {
    let plan = Plan::of(&["width=2,4,8,16".into(), "steps=20".into()]).unwrap();
    let members = plan.grid.members(0, 2).unwrap();
    let mut population = train::train(&members, &train::unsaved(1), &Watch::silent(8)).unwrap();
    population[6] = Err("step 3: the loss is not finite".into());
    let (kit, _) = Kit::of(&plan, &members, &population).unwrap();
    assert_eq!(kit.record.failures, ["silu width 16 seed 0: step 3: the loss is not finite"]);
    assert_eq!(kit.sizes("silu")[3].losses.len(), 1);
    assert_eq!((kit.record.chosen.width, kit.record.chosen.seed), (16, 1));
    let folder = tempfile::tempdir().unwrap();
    kit.write(folder.path()).unwrap();
    let read = Kit::read(folder.path()).unwrap();
    assert_eq!((read.losses[6].loss, read.losses[7].loss), (None, kit.losses[7].loss));
    population.iter_mut().for_each(|m| *m = Err("gone".into()));
    assert!(Kit::of(&plan, &members, &population).unwrap_err().to_string().contains("every network failed"));
}

#[test]
fn what_a_population_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = |request: &Request| format!("{:#}", Lottery.train(request, folder.path(), &place(1)).unwrap_err());
    assert!(error(&request(&["width=0"], 1)).contains("width=0"));
    assert!(error(&request(&["wdth=4"], 1)).contains("nearest: width"));
    assert!(error(&Request { data: Some("spar".into()), ..request(&[], 1) }).contains("--data"));
    assert!(error(&Request { engine: Some("candle".into()), ..request(&[], 1) }).contains("fused"));
}
