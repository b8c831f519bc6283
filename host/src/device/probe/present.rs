//! The registry of chips, and flashing: stage the segments, erase, write, read back, start, show the log.

use super::{Progress, Step};
use crate::device::{Chip, Segment};
use anyhow::{Context, Result, anyhow, bail};
use defmt_decoder::{DecodeError, Table};
use object::{Object, ObjectSymbol};
use probe_rs::{
    Permissions, Session,
    config::{MemoryRegion, Registry},
    flashing::{DownloadOptions, FlashProgress, ProgressEvent, ProgressOperation},
    probe::list::Lister,
    rtt::{Rtt, ScanRegion, try_attach_to_rtt},
};
use std::{fs, path::Path, thread, time::Duration};

/// How long a board may take from its start to its log.
const UP: Duration = Duration::from_secs(5);
/// Pause between two looks at the log.
const PAUSE: Duration = Duration::from_millis(20);

/// A chip that probe-rs's registry leaves to a crate of its own.
const ESP32C3: &str = include_str!("esp32c3.yaml");

/// Memories of a chip, from probe-rs's registry.
///
/// # Errors
/// If there is no such chip; names those that are near.
pub fn chip(name: &str) -> Result<Chip> {
    let mut registry = Registry::from_builtin_families();
    registry.add_target_family_from_yaml(ESP32C3).context("esp32c3.yaml")?;
    let target = registry.get_target_by_name(name).map_err(|error| {
        let near = registry.search_chips(name.get(..name.len().min(8)).unwrap_or(name));
        let near = near.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        anyhow!("board.toml: chip {name:?} is not in probe-rs's registry ({error}); nearest: {near}")
    })?;
    let mut chip = Chip { name: target.name.clone(), flash: Vec::new(), ram: Vec::new(), aliases: Vec::new() };
    for region in &target.memory_map {
        match region {
            MemoryRegion::Nvm(nvm) => chip.flash.push(nvm.range.clone()),
            MemoryRegion::Ram(ram) if ram.is_alias => chip.aliases.push(ram.range.clone()),
            MemoryRegion::Ram(ram) => chip.ram.push(ram.range.clone()),
            MemoryRegion::Generic(_) => {}
        }
    }
    Ok(chip)
}

/// Debug probes that are plugged in.
pub fn probes() -> Result<Vec<String>> {
    Ok(Lister::new().list_all().iter().map(ToString::to_string).collect())
}

/// Version of probe-rs: that of Cargo.toml.
pub fn version() -> Result<String> {
    Ok("probe-rs 0.32".into())
}

/// A chip behind a probe.
pub struct Attached {
    pub(super) session: Session,
}

impl Attached {
    /// Attaches to `chip` over the one probe that is plugged in.
    pub fn open(chip: &str) -> Result<Attached> {
        if chip.starts_with("esp32") {
            bail!(
                "{chip} is reached over its serial port, or by the tool probe-rs, and not by this program's own probe-rs"
            );
        }
        let lister = Lister::new();
        let probes = lister.list_all();
        let probe = match probes.as_slice() {
            [probe] => probe,
            [] => bail!("no debug probe is found: plug the board in; `smidgen doctor` checks probe and udev rules"),
            many => bail!(
                "{} debug probes are plugged in, leave one: {}",
                many.len(),
                many.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        };
        let probe = probe.open().with_context(|| {
            format!("{probe} does not open: another program may hold it, or udev rules are missing (`smidgen doctor`)")
        })?;
        let session = probe.attach(chip, Permissions::default()).with_context(|| {
            format!("{chip} does not answer: is it this board, is it powered, is its debug port locked?")
        })?;
        Ok(Attached { session })
    }

    /// Writes the segments and reads them back. Sectors that no segment touches keep their contents, and so does
    /// the rest of a touched one.
    pub fn write(&mut self, segments: &[Segment], progress: &mut Progress<'_>) -> Result<()> {
        self.commit(segments, progress, false)
    }

    /// `write`, or with `dry_run` all of it but erasing and writing.
    pub(super) fn commit(&mut self, segments: &[Segment], progress: &mut Progress<'_>, dry_run: bool) -> Result<()> {
        let mut loader = self.session.target().flash_loader();
        for segment in segments {
            loader.add_data(segment.address, &segment.bytes).with_context(|| {
                format!("{}: {} bytes at {:#010x} can't be staged", segment.what, segment.bytes.len(), segment.address)
            })?;
        }
        let (mut totals, mut done) = ([0u64; 3], [0u64; 3]);
        let mut options = DownloadOptions::default();
        (options.verify, options.keep_unwritten_bytes, options.dry_run) = (true, true, dry_run);
        options.progress = FlashProgress::new(|event| {
            let (operation, total, size) = match event {
                ProgressEvent::AddProgressBar { operation, total } => (operation, total.unwrap_or(0), 0),
                ProgressEvent::Progress { operation, size, .. } => (operation, 0, size),
                _ => return,
            };
            let (i, step) = match operation {
                ProgressOperation::Fill => return,
                ProgressOperation::Erase => (0, Step::Erase),
                ProgressOperation::Program => (1, Step::Write),
                ProgressOperation::Verify => (2, Step::Verify),
            };
            totals[i] += total;
            done[i] += size;
            progress(step, done[i], totals[i]);
        });
        loader.commit(&mut self.session, options).context("flashing failed; the board holds a part of what it should")
    }

    /// Resets the chip and lets it run.
    pub fn start(&mut self) -> Result<()> {
        self.session.core(0)?.reset().context("the chip does not reset")
    }

    /// Gives the log line by line until `line` returns false: defmt messages of the image `elf`, over RTT.
    pub fn log(&mut self, elf: &Path, line: &mut dyn FnMut(&str) -> bool) -> Result<()> {
        let bytes = fs::read(elf).with_context(|| format!("{} cannot be read", elf.display()))?;
        let table = Table::parse(&bytes).map_err(|error| anyhow!("{error}"))?;
        let table = table.with_context(|| format!("{} has no defmt messages", elf.display()))?;
        let mut decoder = table.new_stream_decoder();
        let mut rtt = self.rtt(&bytes)?;
        let mut buffer = [0; 1024];
        loop {
            let mut core = self.session.core(0)?;
            let count = rtt.up_channel(0).context("the image has no log")?.read(&mut core, &mut buffer)?;
            drop(core);
            decoder.received(&buffer[..count]);
            loop {
                match decoder.decode() {
                    Ok(frame) => {
                        let level = frame.level().map_or("", |level| level.as_str());
                        if !line(&format!("{level:5} {}", frame.display_message())) {
                            return Ok(());
                        }
                    }
                    Err(DecodeError::UnexpectedEof) => break,
                    // Bytes were lost; the next frame is whole again.
                    Err(DecodeError::Malformed) => {}
                }
            }
            if count == 0 {
                thread::sleep(PAUSE);
            }
        }
    }

    /// RTT of the running image.
    pub(super) fn rtt(&mut self, elf: &[u8]) -> Result<Rtt> {
        let block = object::File::parse(elf)?.symbol_by_name("_SEGGER_RTT").map(|symbol| symbol.address());
        let region = block.map_or(ScanRegion::Ram, ScanRegion::Exact);
        try_attach_to_rtt(&mut self.session.core(0)?, UP, &region)
            .context("the firmware opens no RTT channel: is it ours, and does it run?")
    }
}
