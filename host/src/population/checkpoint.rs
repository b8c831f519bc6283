//! The one file that holds a population: a safetensors file with every member's state.
//!
//! Tensors `INDEX/NAME`; metadata `population` (the version below), `identity` (settings), `count`,
//! and by index `{"step": …, "note": …}`. Written to a temporary file and renamed: the old file
//! stays until the new one is whole.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde_json::{Value, json};

use super::Run;
use crate::engine::State;
use crate::net::Float;
use crate::report::write_atomic;

/// Version of the file's layout.
const VERSION: &str = "1";

/// What a member needs to go on: its step, numbers, and whatever else as JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    /// Steps done.
    pub step: usize,
    /// Named vectors, as bytes of the type beside them.
    tensors: Vec<(String, Type, Vec<u8>)>,
    /// Anything else.
    pub note: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    F32,
    F64,
    U32,
}

impl Saved {
    /// An engine's state.
    pub fn of<T: Float>(state: &State<T>) -> Saved {
        let mut saved = Saved { step: state.step, ..Saved::default() };
        for (name, values) in [("parameters", &state.parameters), ("first", &state.first), ("second", &state.second)] {
            saved.put(name, values);
        }
        saved
    }

    /// The state that [`Saved::of`] saved.
    ///
    /// # Errors
    /// A vector that is missing or of another type.
    pub fn state<T: Float>(&self) -> Result<State<T>> {
        let (parameters, first, second) = (self.get("parameters")?, self.get("first")?, self.get("second")?);
        Ok(State { step: self.step, parameters, first, second })
    }

    /// Adds a named vector of f32 or f64.
    pub fn put<T: Float>(&mut self, name: &str, values: &[T]) {
        let kind = if size_of::<T>() == 4 { Type::F32 } else { Type::F64 };
        self.tensors.push((name.to_string(), kind, bytemuck::cast_slice(values).to_vec()));
    }

    /// Adds a named vector of whole numbers.
    pub fn put_whole(&mut self, name: &str, values: &[u32]) {
        self.tensors.push((name.to_string(), Type::U32, bytemuck::cast_slice(values).to_vec()));
    }

    /// The vector of that name.
    ///
    /// # Errors
    /// Where it is missing or of another type.
    pub fn get<T: Float>(&self, name: &str) -> Result<Vec<T>> {
        let kind = if size_of::<T>() == 4 { Type::F32 } else { Type::F64 };
        Ok(bytemuck::pod_collect_to_vec(self.bytes(name, kind)?))
    }

    /// The whole numbers of that name.
    ///
    /// # Errors
    /// Where they are missing or of another type.
    pub fn get_whole(&self, name: &str) -> Result<Vec<u32>> {
        Ok(bytemuck::pod_collect_to_vec(self.bytes(name, Type::U32)?))
    }

    fn bytes(&self, name: &str, kind: Type) -> Result<&[u8]> {
        let found = self.tensors.iter().find(|(n, ..)| n == name).with_context(|| format!("it lacks {name}"))?;
        ensure!(found.1 == kind, "{name} is {:?}, expected {kind:?}", found.1);
        Ok(&found.2)
    }
}

/// All members' states, and the file that they go to.
pub(super) struct Slots {
    saved: Mutex<(BTreeMap<usize, Saved>, Instant)>,
    count: usize,
    path: Option<PathBuf>,
    identity: String,
    every: std::time::Duration,
}

impl Slots {
    /// Reads the checkpoint where the run goes on from one.
    pub(super) fn open(count: usize, run: &Run) -> Result<Slots> {
        let mut members = BTreeMap::new();
        if let Some(path) = run.checkpoint.as_deref().filter(|p| run.resume && p.exists()) {
            let bytes =
                std::fs::read(path).with_context(|| format!("cannot read the checkpoint {}", path.display()))?;
            members = parse(&bytes, Some((count, &run.identity))).with_context(|| {
                format!("{} does not fit; start the population again without --resume, or delete it", path.display())
            })?;
        }
        Ok(Slots {
            saved: Mutex::new((members, Instant::now())),
            count,
            path: run.checkpoint.clone(),
            identity: run.identity.clone(),
            every: run.every,
        })
    }

    pub(super) fn take(&self, member: usize) -> Option<Saved> {
        self.saved.lock().unwrap_or_else(|e| e.into_inner()).0.get(&member).cloned()
    }

    /// Keeps a member's state; writes the file where the last write is long ago.
    pub(super) fn put(&self, member: usize, saved: Saved) -> Result<()> {
        if self.path.is_none() {
            return Ok(());
        }
        let mut all = self.saved.lock().unwrap_or_else(|e| e.into_inner());
        all.0.insert(member, saved);
        if all.1.elapsed() >= self.every {
            all.1 = Instant::now();
            self.write_all(&all.0)?;
        }
        Ok(())
    }

    /// Writes the file, where there is to be one.
    pub(super) fn write(&self) -> Result<()> {
        self.write_all(&self.saved.lock().unwrap_or_else(|e| e.into_inner()).0)
    }

    pub(super) fn how_to_go_on(&self) -> String {
        match self.path.as_deref().and_then(Path::parent) {
            Some(folder) => format!("go on with: smidgen train --resume {}", folder.display()),
            None => "nothing was kept".into(),
        }
    }

    fn write_all(&self, members: &BTreeMap<usize, Saved>) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut metadata = HashMap::from([
            ("population".to_string(), VERSION.to_string()),
            ("identity".to_string(), self.identity.clone()),
            ("count".to_string(), self.count.to_string()),
        ]);
        let mut views = Vec::new();
        for (i, saved) in members {
            metadata.insert(i.to_string(), json!({ "step": saved.step, "note": saved.note }).to_string());
            for (name, kind, bytes) in &saved.tensors {
                let (kind, size) = match kind {
                    Type::F32 => (Dtype::F32, 4),
                    Type::F64 => (Dtype::F64, 8),
                    Type::U32 => (Dtype::U32, 4),
                };
                views.push((format!("{i}/{name}"), TensorView::new(kind, vec![bytes.len() / size], bytes)?));
            }
        }
        write_atomic(path, &serialize(views, Some(metadata))?)
            .with_context(|| format!("the checkpoint of {} members; the one before, if any, is unchanged", self.count))
    }
}

/// All members' states in a population's checkpoint.
///
/// # Errors
/// No such file, or one that is no checkpoint.
pub fn read(path: &Path) -> Result<BTreeMap<usize, Saved>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read the checkpoint {}", path.display()))?;
    parse(&bytes, None).with_context(|| format!("{} is damaged; train again", path.display()))
}

/// `expected`: count and identity, where they must be these.
fn parse(bytes: &[u8], expected: Option<(usize, &str)>) -> Result<BTreeMap<usize, Saved>> {
    let (_, header) = SafeTensors::read_metadata(bytes).context("it is no checkpoint, or cut short")?;
    let metadata = header.metadata().clone().context("it is no population's checkpoint: it has no metadata")?;
    let field = |name: &str| {
        metadata.get(name).map(String::as_str).with_context(|| format!("it is no population's checkpoint: no {name}"))
    };
    let version = field("population")?;
    ensure!(version == VERSION, "it has version {version}, this program reads version {VERSION}");
    let count: usize = field("count")?.parse().context("its number of members")?;
    if let Some((members, identity)) = expected {
        if field("identity")? != identity {
            bail!(
                "it belongs to another population\n  its settings: {}\n  these:        {identity}",
                field("identity")?
            );
        }
        ensure!(count == members, "it has {count} members, expected {members}");
    }
    let file = SafeTensors::deserialize(bytes).context("it is cut short")?;
    let mut members: BTreeMap<usize, Saved> = BTreeMap::new();
    for (key, text) in metadata.iter() {
        let Ok(i) = key.parse::<usize>() else { continue };
        ensure!(i < count, "it has a member {i} of {count}");
        let value: Value = serde_json::from_str(text).with_context(|| format!("member {i}"))?;
        let step = value["step"].as_u64().with_context(|| format!("member {i} has no step"))? as usize;
        members.insert(i, Saved { step, tensors: vec![], note: value["note"].clone() });
    }
    for (key, view) in file.iter() {
        let (i, name) = key.split_once('/').with_context(|| format!("a tensor {key}"))?;
        let member = members.get_mut(&i.parse::<usize>()?).with_context(|| format!("a tensor {key} of no member"))?;
        let kind = match view.dtype() {
            Dtype::F32 => Type::F32,
            Dtype::F64 => Type::F64,
            Dtype::U32 => Type::U32,
            other => bail!("tensor {key} is {other:?}"),
        };
        member.tensors.push((name.to_string(), kind, view.data().to_vec()));
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn run(path: &Path, identity: &str) -> Run {
        Run {
            threads: 1,
            checkpoint: Some(path.to_path_buf()),
            resume: true,
            identity: identity.into(),
            every: Duration::from_secs(3600),
        }
    }

    fn written(path: &Path) -> Saved {
        let slots = Slots::open(3, &run(path, "x")).unwrap();
        let mut saved = Saved::of(&State {
            step: 5,
            parameters: vec![1.5f64, -0.0],
            first: vec![0.25; 2],
            second: vec![1e-300; 2],
        });
        saved.put_whole("places", &[2, 0, 1]);
        saved.note = json!({ "loss": 0.5 });
        slots.put(2, saved.clone()).unwrap();
        slots.write().unwrap();
        saved
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("population.safetensors");
        let saved = written(&path);
        let again = Slots::open(3, &run(&path, "x")).unwrap();
        assert!(again.take(0).is_none());
        let read = again.take(2).unwrap();
        assert_eq!(read.state::<f64>().unwrap(), saved.state::<f64>().unwrap());
        assert_eq!((read.get_whole("places").unwrap(), &read.note), (vec![2, 0, 1], &saved.note));
        assert!(read.state::<f32>().is_err() && read.get_whole("other").is_err());
    }

    #[test]
    fn a_checkpoint_that_does_not_fit_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("population.safetensors");
        written(&path);
        let error = |count, identity: &str| {
            let result = Slots::open(count, &run(&path, identity));
            crate::output::chain(&result.err().expect("refused"))
        };
        assert!(error(3, "y").contains("another population"));
        assert!(error(4, "x").contains("3 members, expected 4"));
        let whole = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&whole).replace("\"population\":\"1\"", "\"population\":\"9\"");
        assert!(text.contains("\"population\":\"9\""));
        for cut in [0, 4, 40, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(error(3, "x").contains("does not fit"), "cut at {cut}");
        }
        let mut other = whole.clone();
        let at = whole.windows(16).position(|w| w == b"\"population\":\"1\"").expect("the version");
        other[at + 14] = b'9';
        std::fs::write(&path, &other).unwrap();
        assert!(error(3, "x").contains("version 9"), "{}", error(3, "x"));
    }
}
