//! The same samples on host and board: draws of a denoiser, compared by the bits of every value.

use anyhow::Result;
use smidgen_shared::artifact::golden_sample;

use super::{Difference, Verified, locate};
use crate::compress::Aligned;
use crate::device::{Device, Link};
use crate::infer::{Host, Oracle};

/// Class and seed of a sample.
pub type Draw = (Option<u8>, u32);

/// `count` draws: of each class in turn, then of none, each with a seed of its own.
pub fn draws(labels: u8, count: usize) -> Vec<Draw> {
    let classes = usize::from(labels) + 1;
    (0..count).map(|i| (u8::try_from(i % classes).ok().filter(|&label| label < labels), i as u32)).collect()
}

/// Compares a board that runs some denoiser with the host's `model`, draw by draw; ends at the first difference.
///
/// Where one differs, the first operator that does is named, or `sampler` where none does.
pub fn compare_draws<L: Link>(
    device: &mut Device<L>,
    model: &Aligned,
    draws: &[Draw],
    mut progress: impl FnMut(usize),
) -> Result<Verified> {
    let artifact = model.artifact()?;
    let mut arena = Vec::new();
    let mut host = Host::new(artifact, &mut arena)?;
    let mut first_difference = None;
    let mut samples = 0;
    for (i, &(label, seed)) in draws.iter().enumerate() {
        let theirs = device.draw(label, seed, |_, _| {})?;
        let ours = host.draw(label, seed)?;
        samples += 1;
        progress(samples);
        if let Some(difference) = differ(i, artifact.ops().count(), &ours.values, &theirs.values) {
            let raw = golden(host.inputs());
            first_difference = Some(locate(device, &mut host, model, &raw, i)?.unwrap_or(difference));
            break;
        }
    }
    Ok(Verified { samples, first_difference, stats: device.stats()? })
}

/// The same on the host alone: the fast kernels of `fast` against the naive ones of `naive`.
pub fn compare_kernels(fast: &Aligned, naive: &Aligned, draws: &[Draw]) -> Result<(usize, Option<Difference>)> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let mut fast = Host::new(fast.artifact()?, &mut a)?;
    let mut naive = Oracle::new(naive.artifact()?, &mut b)?;
    let operators = fast.operators();
    for (i, &(label, seed)) in draws.iter().enumerate() {
        let (theirs, ours) = (fast.draw(label, seed)?, naive.draw(label, seed)?);
        if let Some(difference) = differ(i, operators.len(), &ours.values, &theirs.values) {
            let raw = golden(fast.inputs());
            for (n, op) in operators.iter().enumerate() {
                let [host, device] = [naive.trace(&raw, n as u8)?, fast.trace(&raw, n as u8)?]
                    .map(|bytes| super::values(&bytes, op.output().1));
                if let Some(index) = (0..host.len()).find(|&j| host[j] != device[j]) {
                    let (host, device) = (host[index], device[index]);
                    return Ok((
                        i + 1,
                        Some(Difference { sample: i, operator: n, kind: op.kind(), index, host, device }),
                    ));
                }
            }
            return Ok((i + 1, Some(difference)));
        }
    }
    Ok((draws.len(), None))
}

/// The first value whose bits differ.
fn differ(sample: usize, operator: usize, ours: &[f32], theirs: &[f32]) -> Option<Difference> {
    let bits = |values: &[f32], i: usize| values.get(i).map_or(i64::MIN, |value| value.to_bits().into());
    let index = (0..ours.len().max(theirs.len())).find(|&i| bits(ours, i) != bits(theirs, i))?;
    let (host, device) = (bits(ours, index), bits(theirs, index));
    Some(Difference { sample, operator, kind: "sampler", index, host, device })
}

/// An input of the network that any device can make.
fn golden(len: usize) -> Vec<i16> {
    (0..len as u16).map(|t| golden_sample(t, 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_go_through_classes_and_none() {
        assert_eq!(draws(2, 4), [(Some(0), 0), (Some(1), 1), (None, 2), (Some(0), 3)]);
        assert_eq!(draws(0, 2), [(None, 0), (None, 1)]);
    }
}
