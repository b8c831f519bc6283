//! Ctrl-C: the first asks for a stop after the step at hand, the second ends the process at once.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};

static ASKED: LazyLock<AtomicBool> = LazyLock::new(|| {
    let handler = || {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nstopping after this step; press Ctrl-C again to end at once");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("Ctrl-C will end the program at once: {error}");
    }
    AtomicBool::new(false)
});

/// From now on Ctrl-C, and the signals that ask a process to end, are remembered instead of obeyed.
pub fn listen() {
    LazyLock::force(&ASKED);
}

/// Whether a stop was asked for since [`listen`].
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// `Err` once a stop was asked for.
pub fn check() -> Result<()> {
    if asked() { bail!("stopped") } else { Ok(()) }
}
