//! Power fails at every write and erase of a model update and of a Teach: afterwards the board serves the old or
//! the new model, and knows the old or the new classes, whole; never neither.

mod rig;
use rig::*;
use smidgen_firmware::Trust;
use smidgen_shared::artifact::named;

fn crc(model: &Bytes) -> u32 {
    named(model.get()).unwrap().crc
}

const INPUT: [i16; INPUTS] = [90, -40, 7, 0, 120, -3];

#[test]
fn an_update_cut_anywhere_leaves_the_old_or_the_new_model() {
    // Into slot B, and then back into slot A.
    let (first, second, third) = (model(1), build(2, 0, 300), model(3));
    for rounds in [0, 1] {
        let mut before = Rig::new(first.get(), Trust::ANY);
        if rounds == 1 {
            before.send(second.get()).unwrap();
        }
        let (old, new) = if rounds == 0 { (&first, &second) } else { (&second, &third) };
        let mut whole = copy(&before);
        let start = whole.power.operations();
        whole.send(new.get()).unwrap();
        let operations = whole.power.operations() - start;
        let answers = [old, new].map(|model| Rig::new(model.get(), Trust::ANY).infer(&INPUT).unwrap());
        let (mut olds, mut news) = (0, 0);
        for n in 0..operations {
            let mut rig = copy(&before);
            rig.power.cut_after(n);
            // The board may answer with a fault, or that it serves what it could not record.
            let _ = rig.send(new.get());
            assert!(!rig.power.is_on(), "cut {n} was never reached");
            rig.restart();
            let (model, _) = rig.hello();
            let served = match model {
                Ok(hash) if hash == crc(old) => 0,
                Ok(hash) if hash == crc(new) => 1,
                other => panic!("after a cut at operation {n} the board serves {other:?}"),
            };
            if served == 0 {
                olds += 1
            } else {
                news += 1
            }
            assert_eq!(rig.infer(&INPUT).unwrap(), answers[served]);
            // And the next update goes through.
            rig.send(third.get()).unwrap();
            assert_eq!(rig.hello().0, Ok(crc(&third)));
        }
        println!("update {rounds}: {operations} writes and erases, cut at each: {olds} old, {news} new, 0 neither");
        assert!(operations > 100 && olds > 0);
    }
}

#[test]
fn teaching_and_forgetting_cut_anywhere_keep_all_other_classes() {
    let model = model(1);
    let mut before = Rig::new(model.get(), Trust::ANY);
    let attributes = |i: u64| -> Vec<i16> { (0..ATTRIBUTES).map(|j| hash(i, j as u64) as i16).collect() };
    // As many classes as to fill a half and more: some operations move the records to the other half.
    let mut moved = 0;
    for i in 0..40u64 {
        let name = format!("class {}", i % 5);
        let forget = i % 10 >= 5;
        let change = |rig: &mut Rig| if forget { rig.forget(&name) } else { rig.teach(&name, &attributes(i % 5)) };
        let old = before.classes();
        let mut whole = copy(&before);
        let start = whole.power.operations();
        change(&mut whole).unwrap();
        let operations = whole.power.operations() - start;
        moved += u32::from(operations > 20);
        let new = whole.classes();
        assert_ne!(old, new);
        let (mut olds, mut news) = (0, 0);
        for n in 0..operations {
            let mut rig = copy(&before);
            rig.power.cut_after(n);
            let _ = change(&mut rig);
            assert!(!rig.power.is_on());
            rig.restart();
            let known = rig.classes();
            assert!(known == old || known == new, "{known:?} after a cut at {n}: neither {old:?} nor {new:?}");
            if known == old {
                olds += 1
            } else {
                news += 1
            }
            // And it can still be done.
            if known == old {
                change(&mut rig).unwrap();
            }
            assert_eq!(rig.classes(), new);
        }
        if i < 2 || operations > 20 {
            let verb = if forget { "forget" } else { "teach" };
            println!("{verb}: {operations} writes and erases, cut at each: {olds} old, {news} new, 0 neither");
        }
        before = whole;
    }
    assert!(moved >= 2, "the records never moved to the other half");
}

/// The same board, on new flash.
fn copy(rig: &Rig) -> Rig {
    let mut copy = Rig::new(&[], rig.trust);
    copy.slots = rig.slots.clone();
    copy.store = rig.store.clone();
    copy
}
