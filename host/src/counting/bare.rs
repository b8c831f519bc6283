//! The kernels alone: an image of nothing but a core's kernels, called layer by layer on packed weights.
//!
//! What is counted is what any executor has to pay; what the firmware's takes beyond it is its own. The image's code and
//! RAM are the least that a model of these layers needs: no link, no executor, no checks of the artifact.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection};
use smidgen_shared::op::{Op, Width};

use super::image::count_image;
use super::package::Package;
use super::workload::Part;
use crate::device::{Board, boards_folder};
use crate::infer::Host;

const MAIN: &str = include_str!("../../bench/kernels/alone.rs");

/// What the kernels alone take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alone {
    /// Executed instructions of one inference; of several parts, their sum.
    pub instructions: u64,
    /// Flash beyond weights and the constants of rows [bytes]; of several parts, the most.
    pub code_bytes: u32,
    /// RAM of buffers and scratch [bytes]; likewise.
    pub static_bytes: u32,
    /// The highest use of the stack seen [bytes]; likewise.
    pub stack_bytes: u32,
}

impl Alone {
    /// With another part of the same workload.
    pub fn and(self, other: Alone) -> Alone {
        Alone {
            instructions: self.instructions + other.instructions,
            code_bytes: self.code_bytes.max(other.code_bytes),
            static_bytes: self.static_bytes.max(other.static_bytes),
            stack_bytes: self.stack_bytes.max(other.stack_bytes),
        }
    }
}

/// Builds and counts the image of a chain of dense and sparse layers; `name`: of its package.
///
/// # Errors
/// Where there is another operator, where it does not build, or where its scores are not the host's.
pub fn count(board: &Board, part: &Part, name: &str) -> Result<Alone> {
    let shared = boards_folder()?.join("../shared");
    let shared = shared.canonicalize().with_context(|| format!("{} is not there", shared.display()))?;
    let package = Package {
        name: format!("alone-{}-{name}", board.name),
        dependencies: format!("smidgen-shared = {{ path = {:?} }}\nbytemuck = \"1\"\n", shared),
        profile: Package::firmware_profile()?,
        lock: boards_folder()?.join("Cargo.lock"),
        files: vec![("src/main.rs".into(), MAIN.into()), ("src/model.rs".into(), model(part)?.into())],
    };
    let elf = package.build(board)?;
    let counted = count_image(board, &elf)?;
    let (code_bytes, static_bytes) = sizes(&elf)?;
    let stack_bytes = counted.stack_bytes.context("the image does not say how much stack it takes")?;
    Ok(Alone { instructions: counted.instructions, code_bytes, static_bytes, stack_bytes })
}

/// Bytes of code beyond the model, and of statics.
fn sizes(elf: &Path) -> Result<(u32, u32)> {
    let bytes = fs::read(elf).with_context(|| format!("{} cannot be read", elf.display()))?;
    let elf = object::File::parse(&*bytes)?;
    let of = |names: &[&str]| {
        let named = elf.sections().filter(|section| section.name().is_ok_and(|name| names.contains(&name)));
        named.map(|section| section.size() as u32).sum::<u32>()
    };
    Ok((of(&[".vectors", ".text", ".rodata", ".data"]), of(&[".data", ".bss"])))
}

fn list<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|v| v.to_string()).collect::<Vec<_>>().join(",")
}

/// The source of `model.rs`: constants, buffers, and the calls.
fn model(part: &Part) -> Result<String> {
    let wrong = |e| anyhow::anyhow!("{e}");
    let artifact = part.model.artifact().map_err(wrong)?;
    let mut arena = Vec::new();
    let mut host = Host::new(artifact, &mut arena)?;
    let raw = &part.inputs[0];
    let input = host.trace(raw, 0)?;
    let scores = host.answer(raw)?.scores;
    let (mut text, mut calls) = (String::new(), String::new());
    let mut buffers = [input.len(), 4];
    let mut scratch = 0;
    for (k, op) in artifact.ops().skip(1).enumerate() {
        let (region, width) = op.output();
        let bytes = (region.len * width.bytes()) as usize;
        let (from, to) = if k % 2 == 0 { ("a", "b") } else { ("b", "a") };
        buffers[(k + 1) % 2] = buffers[(k + 1) % 2].max(bytes);
        let out = |relu| match width {
            Width::I8 => Ok(format!("Out::{}(bytes_mut(&mut m.{to}, {bytes}))", if relu { "Relu" } else { "I8" })),
            Width::I16 => Ok(format!("Out::I16(shorts_mut(&mut m.{to}, {}))", region.len)),
            Width::I32 => bail!("{} ends in int32, which no layer here does", op.kind()),
        };
        let constant = |name: &str, kind: &str, count: usize, values: String| {
            format!("weights! {{ static {name}{k}: Aligned<[{kind}; {count}]> = Aligned([{values}]); }}\n")
        };
        match op {
            Op::Dense { x, y, relu, weights, rows, .. } => {
                let matrix = artifact.matrix(weights, x.len, y.len).map_err(wrong)?;
                let rows = artifact.packed_rows(rows, y.len).map_err(wrong)?;
                let words = matrix.packing().scratch_words(x.len as usize);
                scratch = scratch.max(words);
                text += &constant("W", "i8", matrix.weights().len(), list(matrix.weights()));
                text += &constant("R", "i32", rows.words.len(), list(rows.words));
                writeln!(
                    text,
                    "static L{k}: Layer<'static> = Layer::new(Matrix::constant(Packing::{:?}, {}, {}, &W{k}).unwrap(), \
                     &R{k}.0).unwrap();",
                    matrix.packing(),
                    matrix.n_out(),
                    matrix.n_in()
                )?;
                writeln!(
                    calls,
                    "    Native::layer(bytes(&m.{from}, {}), &L{k}, &mut m.scratch[..{words}], &mut {});",
                    x.len,
                    out(relu)?
                )?;
            }
            Op::Sparse { x, y, relu, layout, groups, counts, entries, rows, .. } => {
                let matrix = artifact.sparse(layout, (x.len, y.len), groups, counts, entries).map_err(wrong)?;
                let rows = artifact.rows(rows, y.len as usize).map_err(wrong)?;
                let words = artifact.packing().scratch_words(op.columns() as usize);
                scratch = scratch.max(words);
                text += &constant("C", "u16", matrix.counts.len(), list(matrix.counts));
                text += &constant("E", "u8", matrix.entries.len(), list(matrix.entries));
                let written = rows.iter().map(|row| format!("{row:?}"));
                text += &constant("R", "Row", rows.len(), list(written));
                writeln!(
                    calls,
                    "    sparse::<Native>(bytes(&m.{from}, {}), &Sparse {{ layout: Layout::{layout:?}, counts: &C{k}.0, entries: &E{k}.0 }}, &R{k}.0, &mut m.scratch[..{words}], {});",
                    x.len,
                    out(relu)?
                )?;
            }
            _ => bail!("{} is neither a dense nor a sparse layer", op.kind()),
        }
    }
    let layers = artifact.ops().count() - 1;
    let scores: Vec<i16> = scores.as_chunks().0.iter().map(|b| i16::from_le_bytes(*b)).collect();
    let [a, b] = buffers.map(|bytes| bytes.div_ceil(4));
    let last = if layers % 2 == 0 { "a" } else { "b" };
    Ok(format!(
        "//! Made by `smidgen bench kernels` from an artifact: its constants, and its layers as calls.\n\
         #![allow(unused_imports)]\n\
         use smidgen_shared::kernel::{{Aligned, Kernel, Layer, Matrix, Out, Packing, Rows, Sparse, arch::Native, sparse}};\n\
         use smidgen_shared::op::Layout;\n\n\
         use crate::{{Memory, Row, bytes, bytes_mut, shorts_mut}};\n\n\
         pub const A: usize = {a};\npub const B: usize = {b};\npub const SCRATCH: usize = {scratch};\n\
         check! {{ pub static INPUT: [i8; {inputs}] = [{input}]; }}\n\
         check! {{ pub static SCORES: [i16; {outputs}] = [{scores}]; }}\n\n\
         pub fn scores(m: &Memory) -> &[i16] {{ &bytemuck::cast_slice(&m.{last})[..{outputs}] }}\n\n\
         {text}\n#[inline(never)]\npub fn infer(m: &mut Memory) {{\n{calls}}}\n",
        inputs = input.len(),
        input = list(input.iter().map(|&byte| byte as i8)),
        outputs = scores.len(),
        scores = list(&scores),
    ))
}
