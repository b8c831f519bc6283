//! A peer: a Python process that does the same work and says how much CPU time it took.
//!
//! The conversation is described in host/bench/work.py. A peer that is not installed, or fails, is
//! absent, with the reason.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// Scripts by name; `work.py` is what the others import.
const SCRIPTS: [(&str, &str); 4] = [
    ("work.py", include_str!("../../../bench/work.py")),
    ("jax_mlp.py", include_str!("../../../bench/jax_mlp.py")),
    ("torch_mlp.py", include_str!("../../../bench/torch_mlp.py")),
    ("torch_sampler.py", include_str!("../../../bench/torch_sampler.py")),
];

/// A process at work; it ends when this is dropped.
pub struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// Version of its library.
    pub version: String,
    /// Ways in which it does the work.
    pub names: Vec<String>,
}

/// What some steps took.
#[derive(Debug, Deserialize)]
pub struct Turn {
    /// Seconds of CPU time of the whole process.
    pub cpu: f64,
    /// Mean square error of every member after them; of a sampler, where it leads.
    pub losses: Vec<f64>,
}

#[derive(Deserialize)]
struct Hello {
    version: String,
    names: Vec<String>,
}

impl Peer {
    /// Starts `script` in the environment `peers` on `work`, with scripts and work in `folder`.
    ///
    /// # Errors
    /// Why it is absent, in a line.
    pub fn start(peers: &Path, script: &str, work: &Value, folder: &Path) -> Result<Peer> {
        let python = peers.join("bin/python");
        ensure!(
            python.exists(),
            "{} is not there; install the peers with: sh scripts/bench-peers {}",
            python.display(),
            peers.display()
        );
        for (name, text) in SCRIPTS {
            std::fs::write(folder.join(name), text)
                .with_context(|| format!("{} cannot be written", folder.display()))?;
        }
        let file = folder.join(format!("{script}.json"));
        std::fs::write(&file, serde_json::to_vec(work)?)?;
        // A file, since nobody reads along: a full pipe would stop the peer.
        let log = folder.join(format!("{script}.log"));
        let mut child = Command::new(&python)
            .arg(folder.join(script))
            .arg(&file)
            .envs([("OMP_NUM_THREADS", "1"), ("MKL_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?)
            .spawn()
            .with_context(|| format!("{} does not start", python.display()))?;
        let to = child.stdin.take().context("no way to speak to it")?;
        let mut from = BufReader::new(child.stdout.take().context("no way to hear it")?);
        let mut line = String::new();
        from.read_line(&mut line)?;
        let Ok(hello) = serde_json::from_str::<Hello>(&line) else {
            let _ = child.wait();
            let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
            let last = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("it said nothing");
            anyhow::bail!("{last}");
        };
        Ok(Peer { child, to, from, version: hello.version, names: hello.names })
    }

    /// Does `steps` more steps in one of its ways.
    ///
    /// # Errors
    /// Where it has ended or answers otherwise.
    pub fn turn(&mut self, name: &str, steps: usize) -> Result<Turn> {
        writeln!(self.to, "{name} {steps}").with_context(|| format!("{name} has ended"))?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("{name} answers {line:?}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
