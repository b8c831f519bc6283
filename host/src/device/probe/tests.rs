//! Registry, plans of every board, and staging on probe-rs's fake probe.

use super::{Attached, chip};
use crate::device::{Board, Chip, Firmware, Plan};
use probe_rs::{Permissions, integration::FakeProbe};

fn firmware(test: &str, board: &Board) -> Option<Firmware> {
    match Firmware::of(board) {
        Ok(firmware) => Some(firmware),
        Err(error) if error.to_string().contains("run `rustup ") => {
            println!("SKIPPED {test} for {}: {error}", board.name);
            None
        }
        Err(error) => panic!("{error:#}"),
    }
}

/// Boards whose chip is sold.
fn real() -> impl Iterator<Item = (&'static Board, Chip)> {
    Board::all().iter().filter_map(|board| match chip(board.chip.as_deref()?) {
        Ok(chip) => Some((board, chip)),
        // The one family that probe-rs's built-in registry lacks here: its chips are flashed by espflash.
        Err(error) if board.name.starts_with("esp32") => {
            println!("SKIPPED the dry run for {}: {error}", board.name);
            None
        }
        Err(error) => panic!("{}: {error}", board.name),
    })
}

#[test]
fn a_chip_that_is_not_there_brings_the_nearest() {
    let error = chip("nRF52840_xxBB").unwrap_err().to_string();
    assert!(error.contains("nRF52840_xxBB") && error.contains("nearest: nRF52840_xxAA"), "{error}");
}

#[test]
fn every_board_fits_its_chip() {
    for (board, chip) in real() {
        // The registry knows at least as much memory as board.toml.
        let size = |memories: &[std::ops::Range<u64>]| memories.iter().map(|m| m.end - m.start).sum::<u64>();
        assert!(size(&chip.flash) >= u64::from(board.flash.length), "{}: {chip:?}", board.name);
        assert!(size(&chip.ram) >= u64::from(board.ram.length), "{}: {chip:?}", board.name);
        let Some(firmware) = firmware("every_board_fits_its_chip", board) else { continue };
        let plan = Plan::new(board, &chip, &firmware, Some((&[1; 1000], 400))).unwrap();
        assert_eq!(plan.against, Vec::<String>::new(), "{}", board.name);
        let whats: Vec<&str> = plan.segments.iter().map(|segment| segment.what).collect();
        assert!(["firmware", "model", "store"].iter().all(|what| whats.contains(what)), "{whats:?}");
        let model = plan.segments.iter().find(|segment| segment.what == "model").unwrap();
        assert_eq!((model.address, model.bytes.len()), (board.slots.a.into(), 1000), "{}", board.name);
        // The ELF's bytes, each once.
        let bytes: usize = plan.segments.iter().filter(|s| s.what == "firmware").map(|s| s.bytes.len()).sum();
        assert_eq!(bytes as u32, firmware.flash_bytes, "{}", board.name);
    }
}

#[test]
fn a_byte_too_many_is_counted() {
    for (board, chip) in real() {
        let Some(firmware) = firmware("a_byte_too_many_is_counted", board) else { continue };
        let model = vec![0; board.slots.bytes as usize + 7];
        let plan = Plan::new(board, &chip, &firmware, Some((&model, board.ram.arena))).unwrap();
        assert_eq!((plan.fits(), plan.over_by), (false, 7), "{}: {:?}", board.name, plan.against);
        assert!(plan.against[0].contains("over by 7 bytes"), "{:?}", plan.against);
        let plan = Plan::new(board, &chip, &firmware, Some((&model[7..], board.ram.arena + 4))).unwrap();
        assert_eq!((plan.fits(), plan.over_by), (false, 4), "{}: {:?}", board.name, plan.against);
    }
}

#[test]
fn another_chips_image_is_refused() {
    let board = Board::find("microbit-v2").unwrap();
    let Some(firmware) = firmware("another_chips_image_is_refused", board) else { return };
    let small = chip("nRF51822_xxAA").unwrap();
    let plan = Plan::new(board, &small, &firmware, None).unwrap();
    // 512 KB of flash and 128 KB of RAM on a chip with 256 KB and 16 KB.
    assert!(!plan.fits() && plan.against.iter().any(|line| line.contains("no memory of nRF51822")), "{plan:?}");
    assert!(plan.against.iter().any(|line| line.contains("slot B")), "{:?}", plan.against);
}

#[test]
fn a_fake_probe_takes_the_plan_up_to_the_write() {
    for name in ["qemu-m0", "nucleo-f446re"] {
        let board = Board::find(name).unwrap();
        let Some(firmware) = firmware("a_fake_probe_takes_the_plan_up_to_the_write", board) else { continue };
        let chip = chip(board.chip.as_deref().unwrap()).unwrap();
        let plan = Plan::new(board, &chip, &firmware, Some((&[1; 1000], 400))).unwrap();
        let probe = FakeProbe::with_mocked_core().into_probe();
        let mut attached = Attached { session: probe.attach(&chip.name, Permissions::default()).unwrap() };
        attached.commit(&plan.segments, &mut |_, _, _| {}, true).unwrap_or_else(|e| panic!("{name}: {e:#}"));
        // What lies beyond flash can't even be staged.
        let mut beyond = plan.segments;
        beyond[0].address = 0x0900_0000;
        let error = format!("{:#}", attached.commit(&beyond, &mut |_, _, _| {}, true).unwrap_err());
        assert!(error.contains("can't be staged"), "{name}: {error}");
    }
}
