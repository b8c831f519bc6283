//! Checkpoints: one safetensors file with parameters, moments and the step.
//!
//! Tensors `p.NAME`, `m.NAME`, `v.NAME` (f32); metadata `step` and `identity` (settings and seed).
//! Written to a temporary file beside it and renamed: the old file stays until the new one is whole.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use super::AdamW;
use crate::net::Parameters;

/// A training run at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Steps done.
    pub step: usize,
    /// Settings and seed of the run.
    pub identity: String,
    /// Name, shape and values, in the parameters' order with `p.`, `m.`, `v.` before the name.
    pub tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl Checkpoint {
    /// The state of a run.
    pub fn of(parameters: &Parameters, optimiser: &AdamW, step: usize, identity: &str) -> Result<Self> {
        let mut tensors = Vec::new();
        for ((name, _), [m, v]) in parameters.iter().zip(&optimiser.moments) {
            let (shape, values) = parameters.values(name)?;
            tensors.push((format!("p.{name}"), shape.clone(), values));
            tensors.push((format!("m.{name}"), shape.clone(), m.clone()));
            tensors.push((format!("v.{name}"), shape, v.clone()));
        }
        Ok(Checkpoint { step, identity: identity.to_owned(), tensors })
    }

    /// Writes the file, or leaves the old one as it is.
    ///
    /// # Errors
    /// With the file's path.
    pub fn write(&self, path: &Path) -> Result<()> {
        let bytes: Vec<Vec<u8>> =
            self.tensors.iter().map(|(_, _, v)| v.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
        let views =
            self.tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
                Ok((name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
            });
        let views = views.collect::<Result<Vec<_>>>()?;
        let metadata =
            HashMap::from([("step".to_owned(), self.step.to_string()), ("identity".to_owned(), self.identity.clone())]);
        let file = serialize(views, Some(metadata))?;
        write_whole(path, &file)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// With the file's path, if it cannot be read or is no checkpoint.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read the checkpoint {}", path.display()))?;
        Self::parse(&bytes).with_context(|| {
            format!("{} is no checkpoint of a training run; delete it to start afresh", path.display())
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let metadata = header.metadata().clone().context("it has no metadata")?;
        let field = |name: &str| metadata.get(name).with_context(|| format!("its metadata lack `{name}`"));
        let file = SafeTensors::deserialize(bytes)?;
        let mut tensors = Vec::new();
        for (name, view) in file.iter() {
            ensure!(view.dtype() == Dtype::F32, "tensor {name} is {:?}, expected F32", view.dtype());
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            tensors.push((name.to_owned(), view.shape().to_vec(), values));
        }
        Ok(Checkpoint { step: field("step")?.parse()?, identity: field("identity")?.clone(), tensors })
    }

    /// Puts parameters and moments back; returns the number of steps done.
    ///
    /// # Errors
    /// If the file belongs to another run, or its tensors do not fit; `path` is for the message.
    pub fn restore(
        &self,
        parameters: &Parameters,
        optimiser: &mut AdamW,
        identity: &str,
        path: &Path,
    ) -> Result<usize> {
        if self.identity != identity {
            bail!(
                "the checkpoint {} belongs to another run\n  its settings: {}\n  these:        {identity}\nresume with its settings, or delete it",
                path.display(),
                self.identity
            );
        }
        let find = |prefix: &str, name: &str, shape: &[usize]| {
            let wanted = format!("{prefix}.{name}");
            let found = self.tensors.iter().find(|(n, _, _)| *n == wanted);
            let (_, got, values) =
                found.with_context(|| format!("the checkpoint {} lacks tensor {wanted}", path.display()))?;
            ensure!(got == shape, "the checkpoint {}: tensor {wanted} is {got:?}, expected {shape:?}", path.display());
            Ok(values.clone())
        };
        for ((name, var), moments) in parameters.iter().zip(&mut optimiser.moments) {
            *moments = [find("m", name, var.dims())?, find("v", name, var.dims())?];
            parameters.set(name, find("p", name, var.dims())?)?;
        }
        optimiser.steps = self.step;
        Ok(self.step)
    }
}

/// Writes `bytes` to a file beside `path`, then renames it: `path` is the old file or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = Path::new(&temporary);
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)
    };
    write().map_err(|e| {
        // Best effort: what matters is that the old file is whole.
        let _ = fs::remove_file(temporary);
        anyhow::Error::from(e)
            .context(format!("cannot write the checkpoint {}; the one before, if any, is unchanged", path.display()))
    })
}
