//! The family as a whole: threads, resumption, swaps, export.

use std::time::Duration;

use super::command::{Crowd, start};
use super::settings::Settings;
use super::swap::swap;
use super::train::Member as Model;
use crate::data::Source;
use crate::family::Place;
use crate::output::Output;
use crate::population::{Grid, Outcome, Run, Watch, train};

fn place() -> Place {
    Place { output: Output { json: false, quiet: true }, data: Source::default(), threads: 1 }
}

fn sets(task: &str, steps: usize) -> Vec<String> {
    vec![format!("task={task}"), format!("steps={steps}"), "every=20".into(), "top=4".into()]
}

fn hashes(threads: usize, count: u64, checkpoint: Option<std::path::PathBuf>, resume: bool) -> Vec<String> {
    let grid = Grid::of(&sets("two-moons", 90)).unwrap();
    let members = grid.members(0, count).unwrap();
    let settings: Vec<Settings> = members.iter().map(|m| Settings::of(&m.settings).unwrap()).collect();
    let crowd: Crowd<f32> = Crowd::new(&members, &settings, &place()).unwrap();
    let run = Run { threads, checkpoint, resume, identity: "moons".into(), every: Duration::ZERO };
    let outcomes = train(&crowd, members.len(), &run, &Watch::silent(members.len())).unwrap();
    let hash = |outcome: &Outcome<Model<f32>>| match outcome {
        Outcome::Done(model) => model.hash().unwrap(),
        Outcome::Failed { reason, .. } => panic!("{reason}"),
    };
    outcomes.iter().map(hash).collect()
}

#[test]
fn a_member_is_the_same_alone_among_many_and_on_any_number_of_threads() {
    let one = hashes(1, 3, None, false);
    assert_eq!(one, hashes(2, 3, None, false));
    assert_eq!(one[..1], hashes(1, 1, None, false));
    assert_ne!(one[0], one[1]);
    // A checkpoint of finished members is read back.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("population.safetensors");
    assert_eq!(one, hashes(2, 3, Some(path.clone()), false));
    assert_eq!(one, hashes(1, 3, Some(path), true));
}

#[test]
fn a_member_goes_on_to_the_same_bits() {
    let settings =
        Settings::of(&Grid::of(&sets("independence", 100)).unwrap().members(0, 1).unwrap()[0].settings).unwrap();
    let mut whole: Model<f32> = start(&settings, 5, None).unwrap();
    let mut first: Model<f32> = start(&settings, 5, None).unwrap();
    while !whole.advance().unwrap().done {}
    for _ in 0..2 {
        first.advance().unwrap();
    }
    let mut second: Model<f32> = start(&settings, 5, None).unwrap();
    second.restore(&first.save().unwrap()).unwrap();
    while !second.advance().unwrap().done {}
    assert_eq!(second.hash().unwrap(), whole.hash().unwrap());
    assert_eq!(second.history, whole.history);
}

#[test]
fn a_swap_changes_no_bit_of_the_outputs_and_never_raises_the_cost() {
    let settings = Settings::of(&[("task".into(), "independence".into())]).unwrap();
    let mut model: Model<f32> = start(&settings, 1, None).unwrap();
    let test = model.data.test.clone();
    let (figure, cost) = (model.figure(&test).unwrap(), model.cost().unwrap());
    let parameters = model.parameters().unwrap();
    let wiring = model.wiring.clone();
    let swaps = swap(&wiring, &mut model.places, &parameters, 5);
    assert!(swaps > 0);
    assert_eq!(model.figure(&test).unwrap().to_bits(), figure.to_bits());
    assert!(model.cost().unwrap() < cost);
}
