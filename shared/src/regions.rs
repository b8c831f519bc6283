//! Regions of the arena as slices: of bytes, of one type, two or more at once.

use crate::kernel::Out;
use crate::op::{Region, Width};
use crate::run::Error;

/// Regions that don't meet, each of them empty or inside the arena.
pub(crate) fn views<'a, const N: usize>(
    arena: &'a mut [u8],
    regions: &[(Region, Width); N],
) -> Result<[&'a mut [u8]; N], Error> {
    let ranges = core::array::from_fn(|i| regions.get(i).map_or(0..0, |&(region, width)| range(region, width)));
    arena.get_disjoint_mut(ranges).map_err(|_| Error::Corrupt)
}

/// Two regions that don't meet, as [`views`] gives them: most operators have no more.
pub(crate) fn pair<'a>(
    arena: &'a mut [u8],
    (a, a_width): (Region, Width),
    (b, b_width): (Region, Width),
) -> Result<[&'a mut [u8]; 2], Error> {
    let (a, b) = (range(a, a_width), range(b, b_width));
    let split = |arena: &'a mut [u8], first: core::ops::Range<usize>, second: core::ops::Range<usize>| {
        let (low, high) = arena.split_at_mut_checked(second.start)?;
        Some([low.get_mut(first)?, high.get_mut(..second.len())?])
    };
    if a.end <= b.start { split(arena, a, b) } else { split(arena, b, a).map(|[b, a]| [a, b]) }.ok_or(Error::Corrupt)
}

/// One region.
pub(crate) fn get(arena: &mut [u8], region: Region, width: Width) -> Result<&mut [u8], Error> {
    arena.get_mut(range(region, width)).ok_or(Error::Corrupt)
}

/// Words from a byte on.
pub(crate) fn words(arena: &mut [u8], at: u32, words: usize) -> Result<&mut [u32], Error> {
    let bytes = get(arena, Region { at, len: u32::try_from(words).map_err(|_| Error::Corrupt)? }, Width::I32)?;
    bytemuck::try_cast_slice_mut(bytes).map_err(|_| Error::Corrupt)
}

/// Bytes as activations.
pub(crate) fn i8s(bytes: &mut [u8]) -> Result<&mut [i8], Error> {
    bytemuck::try_cast_slice_mut(bytes).map_err(|_| Error::Corrupt)
}

/// Bytes as what an operator with a choice of widths writes.
pub(crate) fn out(bytes: &mut [u8], width: Width, relu: bool) -> Result<Out<'_>, Error> {
    match width {
        Width::I8 if relu => Ok(Out::Relu(i8s(bytes)?)),
        Width::I8 => Ok(Out::I8(i8s(bytes)?)),
        Width::I16 => Ok(Out::I16(bytemuck::try_cast_slice_mut(bytes).map_err(|_| Error::Corrupt)?)),
        Width::I32 => Err(Error::Corrupt),
    }
}

/// Element `i` of an operator's output.
pub(crate) fn element(bytes: &[u8], width: Width, i: usize) -> Option<i32> {
    let bytes = bytes.get(i.checked_mul(width.bytes() as usize)?..)?;
    match width {
        Width::I8 => bytes.first().map(|&b| i32::from(b as i8)),
        Width::I16 => bytes.first_chunk().map(|&b| i32::from(i16::from_le_bytes(b))),
        Width::I32 => bytes.first_chunk().map(|&b| i32::from_le_bytes(b)),
    }
}

/// A region's bytes in the arena.
pub(crate) fn range(region: Region, width: Width) -> core::ops::Range<usize> {
    if region.len == 0 {
        return 0..0;
    }
    let start = region.at as usize;
    start..start.saturating_add((region.len as usize).saturating_mul(width.bytes() as usize))
}
