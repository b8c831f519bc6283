//! A new model over the link: checked before it is served, signed where the board asks for it, no way back to an
//! old one where that is forbidden; and requests are answered by a whole model at any moment.

mod rig;
use rig::*;
use smidgen_firmware::Trust;
use smidgen_shared::{
    artifact::{self, HEADER_BYTES, named},
    wire::{Ask, Fault, MAX_DATA, Reply},
};

const INPUT: [i16; INPUTS] = [90, -40, 7, 0, 120, -3];

fn crc(model: &Bytes) -> u32 {
    named(model.get()).unwrap().crc
}

#[test]
fn every_answer_under_load_is_a_whole_models() {
    let (old, new) = (model(1), build(2, 0, 400));
    let answers = [&old, &new].map(|model| Rig::new(model.get(), Trust::ANY).infer(&INPUT).unwrap());
    assert_ne!(answers[0], answers[1]);
    let mut rig = Rig::new(old.get(), Trust::ANY);
    let bytes = new.get();
    let mut at = rig.ask(Ask::Begin { header: &bytes[..HEADER_BYTES] }, |_| HEADER_BYTES);
    while at < bytes.len() {
        assert_eq!(rig.infer(&INPUT).unwrap(), answers[0]);
        let end = bytes.len().min(at + 64);
        let chunk = Ask::Chunk { at: at as u32, data: &bytes[at..end] };
        // Twice: the second changes nothing.
        for _ in 0..2 {
            rig.ask(chunk, |reply| assert_eq!(reply, Reply::Received { next: end as u32 }));
        }
        at = end;
    }
    assert_eq!(rig.infer(&INPUT).unwrap(), answers[0]);
    for _ in 0..2 {
        rig.ask(Ask::Commit { model: crc(&new) }, |reply| {
            assert_eq!(reply, Reply::Serving { slot: 1, model: crc(&new) });
        });
    }
    assert_eq!(rig.infer(&INPUT).unwrap(), answers[1]);
    rig.restart();
    assert_eq!(rig.infer(&INPUT).unwrap(), answers[1]);
    assert_eq!(rig.hello(), (Ok(crc(&new)), Some(crc(&old))));
}

#[test]
fn a_model_that_is_not_sound_is_never_served() {
    let (old, new) = (model(1), model(2));
    let expected = Rig::new(old.get(), Trust::ANY).infer(&INPUT).unwrap();
    let damaged = |at: usize, sealed: bool| {
        let mut bytes = new.get().to_vec();
        bytes[at] ^= 1;
        if sealed {
            seal(&mut bytes);
        }
        Bytes::new(&bytes)
    };
    let end = new.get().len() - 1;
    let cases = [
        (damaged(200, false), Fault::BadModel(artifact::Error::BadChecksum as u8)),
        // The last golden vector's last byte: all sound, but another result.
        (damaged(end, true), Fault::SelfTest),
        (damaged(HEADER_BYTES, true), Fault::BadModel(artifact::Error::BadManifest as u8)),
    ];
    for (model, fault) in cases {
        let mut rig = Rig::new(old.get(), Trust::ANY);
        assert_eq!(rig.send(model.get()), Err(fault));
        assert_eq!(rig.infer(&INPUT).unwrap(), expected);
        rig.restart();
        assert_eq!(rig.infer(&INPUT).unwrap(), expected);
        rig.send(new.get()).unwrap();
    }
    let mut rig = Rig::new(old.get(), Trust::ANY);
    let mut large = new.get().to_vec();
    large[8..12].copy_from_slice(&(SLOT as u32 + 1).to_le_bytes());
    assert_eq!(rig.send(&large), Err(Fault::TooLarge { room: SLOT as u32 }));
    assert_eq!(rig.fault(Ask::Begin { header: &[0; HEADER_BYTES] }), Some(Fault::BadModel(2)));
    assert_eq!(rig.fault(Ask::Chunk { at: 128, data: &[1; 32] }), Some(Fault::NothingThere));
    rig.ask(Ask::Begin { header: &new.get()[..HEADER_BYTES] }, |reply| {
        assert_eq!(reply, Reply::Received { next: 128 })
    });
    assert_eq!(rig.fault(Ask::Chunk { at: 160, data: &[1; 32] }), Some(Fault::Expected { at: 128 }));
    for data in [&[1; 31][..], &[], &[1; MAX_DATA]] {
        let len = new.get().len();
        if data.len() + 128 > len || data.len() % 32 != 0 || data.is_empty() {
            assert_eq!(rig.fault(Ask::Chunk { at: 128, data }), Some(Fault::BadChunk));
        }
    }
    assert_eq!(rig.fault(Ask::Commit { model: crc(&new) }), Some(Fault::NothingThere));
    assert_eq!(rig.infer(&INPUT).unwrap(), expected);
}

#[test]
fn a_slot_gone_bad_falls_back_to_the_other() {
    let (old, new) = (model(1), model(2));
    let mut rig = Rig::new(old.get(), Trust::ANY);
    rig.send(new.get()).unwrap();
    let mut bytes = rig.slots[1].get().to_vec();
    bytes[300] ^= 4;
    rig.slots[1] = Bytes::new(&bytes);
    rig.restart();
    assert_eq!(rig.hello().0, Ok(crc(&old)));
}

#[test]
fn only_signed_models_of_the_owner_are_served() {
    let (unsigned, old) = (build(1, 10, 0), sign(&build(1, 10, 0), 1));
    let mut rig = Rig::new(unsigned.get(), SIGNED);
    assert_eq!(rig.hello().0, Err(Fault::Unsigned));
    let mut rig = Rig::new(old.get(), SIGNED);
    let expected = rig.infer(&INPUT).unwrap();
    assert_eq!(rig.send(build(2, 20, 0).get()), Err(Fault::Unsigned));
    assert_eq!(rig.send(sign(&build(2, 20, 0), 9).get()), Err(Fault::BadSignature));
    // A signature moved to other bytes.
    let mut moved = build(3, 20, 0).get().to_vec();
    let signed = sign(&build(2, 20, 0), 1);
    moved[..80].copy_from_slice(&signed.get()[..80]);
    seal(&mut moved);
    assert_eq!(rig.send(&moved), Err(Fault::BadSignature));
    assert_eq!(rig.infer(&INPUT).unwrap(), expected);
    rig.send(signed.get()).unwrap();
    rig.restart();
    assert_eq!(rig.hello().0, Ok(crc(&signed)));
    // What was served before, and is signed, is old now: neither sent anew nor from the other slot.
    assert_eq!(rig.send(old.get()), Err(Fault::OldModel { least: 20 }));
    assert_eq!(rig.fault(Ask::Commit { model: crc(&old) }), Some(Fault::OldModel { least: 20 }));
    assert_eq!(rig.hello().0, Ok(crc(&signed)));
    rig.restart();
    assert_eq!(rig.hello().0, Ok(crc(&signed)));
    rig.send(sign(&build(1, 20, 0), 1).get()).unwrap();
}
