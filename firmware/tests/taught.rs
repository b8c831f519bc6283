//! Classes taught in the field: no other score changes by a bit, they outlive a loss of power, capacity holds.

mod rig;
use proptest::prelude::*;
use rig::*;
use smidgen_firmware::Trust;
use smidgen_shared::{
    artifact::Artifact,
    teach::{Table, score},
    wire::{Ask, Fault, Reply},
};

const INPUT: [i16; INPUTS] = [90, -40, 7, 0, 120, -3];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn old_scores_stay_bit_for_bit(seed in 0u64..1000, classes in proptest::collection::vec(proptest::collection::vec(any::<i16>(), ATTRIBUTES), 1..6), input in any::<[i16; INPUTS]>()) {
        let model = model(seed);
        let mut rig = Rig::new(model.get(), Trust::ANY);
        let mut before = rig.infer(&input).unwrap().1;
        let artifact = Artifact::exact(model.get()).unwrap();
        let table = Table::of(&artifact).unwrap();
        // What the host computes of the same input: the arena's x, from the same artifact.
        let mut arena = [0u32; 6];
        let mut host = smidgen_shared::run::Runner::<smidgen_shared::kernel::Portable>::new(artifact, &mut arena).unwrap();
        for value in input { host.push(&[value]).unwrap(); }
        host.finish(None).unwrap();
        for (i, attributes) in classes.iter().enumerate() {
            if attributes.iter().all(|a| *a == 0) { continue; }
            rig.teach(&format!("class {i}"), attributes).unwrap();
            let (class, scores) = rig.infer(&input).unwrap();
            prop_assert_eq!(&scores[..before.len()], &before[..]);
            let mut weights = [0u8; ATTRIBUTES];
            let row = table.row(attributes.iter().copied(), &mut weights).unwrap();
            prop_assert_eq!(scores[before.len()], score(host.table_input().unwrap(), &weights, row));
            let best = scores.iter().enumerate().rev().max_by_key(|s| s.1).unwrap().0;
            prop_assert_eq!(usize::from(class), best);
            before = scores;
        }
    }
}

#[test]
fn classes_outlive_power_and_belong_to_their_model() {
    let (one, two) = (model(1), model(2));
    let mut rig = Rig::new(one.get(), Trust::ANY);
    rig.teach("wave", &[5, 0, -3, 2, 1]).unwrap();
    let taught = rig.infer(&INPUT).unwrap();
    // The same again changes nothing; another under the same name is refused.
    assert_eq!(rig.teach("wave", &[5, 0, -3, 2, 1]), Ok(1));
    assert_eq!(rig.teach("wave", &[5, 0, -3, 2, 7]), Err(Fault::NameTaken));
    assert_eq!(rig.teach("left", &[5, 0, -3, 2, 7]), Err(Fault::NameTaken));
    rig.restart();
    assert_eq!(rig.classes(), ["left", "right", "wave"]);
    assert_eq!(rig.infer(&INPUT).unwrap(), taught);
    rig.send(two.get()).unwrap();
    assert_eq!(rig.classes(), ["left", "right"]);
    rig.teach("nod", &[1, 1, 1, 1, 1]).unwrap();
    rig.ask(Ask::Commit { model: smidgen_shared::artifact::named(one.get()).unwrap().crc }, |reply| {
        assert!(matches!(reply, Reply::Serving { slot: 0, .. }), "{reply:?}");
    });
    assert_eq!(rig.infer(&INPUT).unwrap(), taught);
    assert_eq!(rig.forget("wave"), Ok(0));
    assert_eq!(rig.forget("wave"), Err(Fault::NothingThere));
    assert_eq!(rig.forget("left"), Err(Fault::NothingThere));
    assert_eq!(rig.infer(&INPUT).unwrap().1, taught.1[..2]);
}

#[test]
fn capacity_is_stated_and_kept() {
    let model = model(1);
    let mut rig = Rig::new(model.get(), Trust::ANY);
    let free = |rig: &mut Rig, i: usize| {
        rig.ask(Ask::Teach { name: &format!("class {i:02}"), attributes: &[1; 2 * ATTRIBUTES] }, |reply| match reply {
            Reply::Taught { free, .. } => Ok(free),
            Reply::Fault(fault) => Err(fault),
            other => panic!("{other:?}"),
        })
    };
    let first = free(&mut rig, 0).unwrap();
    let second = free(&mut rig, 1).unwrap();
    let each = first - second;
    let room = second / each;
    for i in 0..room {
        free(&mut rig, 2 + i as usize).unwrap();
    }
    assert_eq!(free(&mut rig, 99), Err(Fault::Full));
    let known = rig.classes();
    assert_eq!(known.len() as u32, 2 + 2 + room);
    println!("{} classes of {each} bytes each in a store of {STORE}", room + 2);
    // Full as it is, one can be forgotten, another taught, and a model committed.
    rig.forget("class 01").unwrap();
    free(&mut rig, 99).unwrap();
    rig.send(rig::model(2).get()).unwrap();
    rig.restart();
    assert_eq!(rig.classes().len(), 2);
}

#[test]
fn what_is_no_class_is_refused() {
    let model = model(1);
    let mut rig = Rig::new(model.get(), Trust::ANY);
    let width = ATTRIBUTES as u16;
    assert_eq!(rig.teach("", &[1; ATTRIBUTES]), Err(Fault::BadName));
    assert_eq!(rig.teach("a name of 21 bytes ..", &[1; ATTRIBUTES]), Err(Fault::BadName));
    for attributes in [&[0; ATTRIBUTES][..], &[1; ATTRIBUTES - 1], &[1; ATTRIBUTES + 1], &[1; 239]] {
        assert_eq!(rig.teach("wave", attributes), Err(Fault::BadClass { width }));
    }
    assert_eq!(rig.classes(), ["left", "right"]);
}
