//! Real boards under QEMU: noise on the line, deaths in mid-run, no orphans; and what the images contain.

use super::*;
use object::{Object, ObjectSection, ObjectSymbol};
use smidgen_shared::artifact;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
    thread,
};

/// A small and quick board.
const BOARD: &str = "qemu-m3";
/// Set for the process that `a_killed_program_leaves_no_qemu` kills.
const VICTIM: &str = "SMIDGEN_TEST_VICTIM";

/// A running board, or a line that says why the test is skipped.
fn start(test: &str) -> Option<Qemu> {
    let board = Board::find(BOARD).unwrap();
    if let Err(error) = qemu_version(&board.machine().unwrap().qemu) {
        println!("SKIPPED {test}: {error}");
        return None;
    }
    Some(Qemu::start(board, &[], false).unwrap())
}

fn is_running(process: u32) -> bool {
    // A process that has ended but was not waited for is a zombie.
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn ends_soon(process: u32) -> bool {
    (0..300).any(|_| {
        thread::sleep(Duration::from_millis(10));
        !is_running(process)
    })
}

#[test]
fn garbage_never_stops_the_board() {
    let Some(qemu) = start("garbage_never_stops_the_board") else { return };
    let mut device = Device::connect(qemu).unwrap();
    let mut state = 1u32;
    for round in 0..40 {
        let noise: Vec<u8> = (0..round * 37)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        device.link().send(&noise).unwrap();
        let stats = device.stats().unwrap();
        assert_eq!(stats.lost, 0);
        assert!(stats.stack_peak < stats.stack_bytes);
    }
    assert!(device.stats().unwrap().refused > 0);
    // No model is in the slot: said so, and the board goes on.
    assert_eq!(device.hello().model, Err(Fault::BadModel(artifact::Error::BadMagic as u8)));
    let error = device.infer(&[1, 2, 3], 1).unwrap_err().to_string();
    assert!(error.contains("not a Smidgen artifact"), "{error}");
    device.stats().unwrap();
}

#[test]
fn a_death_in_mid_run_is_one_line() {
    let Some(qemu) = start("a_death_in_mid_run_is_one_line") else { return };
    let process = qemu.process_id();
    let mut device = Device::connect(qemu).unwrap();
    assert!(Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
    let error = device.stats().unwrap_err().to_string();
    assert!(error.contains("in mid-run") && error.contains("doctor") && !error.contains('\n'), "{error}");
}

#[test]
fn a_qemu_that_is_not_there_names_the_package() {
    let error = qemu_version("qemu-system-none").unwrap_err().to_string();
    assert!(error.contains("not installed") && error.contains("apt-get install"), "{error}");
}

#[test]
fn a_qemu_that_refuses_says_why() {
    let mut board = Board::find(BOARD).unwrap().clone();
    let machine = board.machine.as_mut().unwrap();
    if qemu_version(&machine.qemu).is_err() {
        println!("SKIPPED a_qemu_that_refuses_says_why: {} is not installed", machine.qemu);
        return;
    }
    machine.arguments = vec!["-machine".into(), "no-such-machine".into()];
    let error = format!("{:#}", Qemu::start(&board, &[], false).err().unwrap());
    assert!(error.contains("does not start") && error.contains("unsupported machine"), "{error}");
}

#[test]
fn dropping_ends_qemu() {
    let Some(qemu) = start("dropping_ends_qemu") else { return };
    let process = qemu.process_id();
    assert!(is_running(process));
    drop(qemu);
    assert!(!is_running(process));
}

#[test]
fn a_killed_program_leaves_no_qemu() {
    if std::env::var_os(VICTIM).is_some() {
        // The victim: holds a board, says its process number, and waits to be killed.
        let qemu = start("victim").unwrap();
        println!("process {}", qemu.process_id());
        thread::sleep(Duration::from_secs(60));
        return;
    }
    if qemu_version("qemu-system-arm").is_err() {
        println!("SKIPPED a_killed_program_leaves_no_qemu: qemu-system-arm is not installed");
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "device::tests::a_killed_program_leaves_no_qemu", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let process: u32 = BufReader::new(victim.stdout.as_mut().unwrap() as &mut dyn Read)
        .lines()
        .map_while(|line| line.ok())
        .find_map(|line| line.split_once("process ")?.1.parse().ok())
        .expect("the victim starts QEMU");
    assert!(is_running(process));
    // SIGKILL: nothing of the victim's own code runs any more.
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(ends_soon(process), "QEMU {process} outlives the program");
}

#[test]
fn images_keep_their_budget_and_cannot_panic() {
    for board in Board::all() {
        let firmware = match Firmware::of(board) {
            Ok(firmware) => firmware,
            Err(error) if error.to_string().contains("run `rustup ") => {
                println!("SKIPPED images_keep_their_budget_and_cannot_panic for {}: {error}", board.name);
                continue;
            }
            Err(error) => panic!("{error:#}"),
        };
        let (got, budget) = (firmware.flash_bytes, board.budget.firmware);
        println!("{}: {got} bytes of flash of {budget}, {} of RAM for statics", board.name, firmware.static_bytes);
        assert!(got <= budget, "{}: {got} bytes of flash, over the budget by {}", board.name, got - budget);
        // esp-hal's linker script gives the stack what statics leave; its sections count otherwise.
        if !board.name.starts_with("esp32") {
            assert!(firmware.static_bytes + board.ram.stack <= board.ram.length, "{}", board.name);
        }
        // Boards on a desk have their HALs' panics: tests/tests/images.rs.
        if board.machine.is_some() {
            assert_eq!(panics(&firmware.path), Vec::<String>::new(), "{}", board.name);
        }
    }
}

/// An overflow of the stack must fault instead of running into statics: nothing lies below it.
#[test]
fn the_stack_lies_at_the_bottom_of_ram() {
    for board in Board::all().iter().filter(|board| !board.name.starts_with("esp32")) {
        let firmware = match Firmware::of(board) {
            Ok(firmware) => firmware,
            Err(error) if error.to_string().contains("run `rustup ") => {
                println!("SKIPPED the_stack_lies_at_the_bottom_of_ram for {}: {error}", board.name);
                continue;
            }
            Err(error) => panic!("{error:#}"),
        };
        let bytes = fs::read(&firmware.path).unwrap();
        let elf = object::File::parse(&*bytes).unwrap();
        let at = |name: &str| elf.symbol_by_name(name).unwrap_or_else(|| panic!("{}: no {name}", board.name)).address();
        let bottom = u64::from(board.ram.origin);
        assert_eq!(at("_stack_end"), bottom, "{}", board.name);
        assert_eq!(at("_stack_start"), bottom + u64::from(board.ram.stack), "{}", board.name);
        let ram = bottom..bottom + u64::from(board.ram.length);
        // riscv-rt gives the stack a section of its own.
        for section in elf.sections().filter(|s| s.size() > 0 && ram.contains(&s.address()) && s.name() != Ok(".stack"))
        {
            assert!(section.address() >= at("_stack_start"), "{}: {:?}", board.name, section.name());
        }
    }
}

/// Symbols of core's panicking code in an image. Ours is none of them: the handler calls nothing.
fn panics(image: &Path) -> Vec<String> {
    let bytes = fs::read(image).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let names: Vec<_> = elf.symbols().filter_map(|symbol| symbol.name().ok().map(String::from)).collect();
    assert!(names.iter().any(|name| name.contains("smidgen_firmware")), "{}: no symbols to look at", image.display());
    let panicking = |name: &String| {
        ["9panicking", "_fail17h", "unwrap_failed", "expect_failed"].iter().any(|part| name.contains(part))
            || name.ends_with("_fail")
    };
    names.into_iter().filter(panicking).collect()
}
