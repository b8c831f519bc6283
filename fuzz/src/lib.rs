//! What both targets do to their bytes.

use smidgen_shared::artifact::{HEADER_BYTES, Header};

/// `data` with a checksum that fits.
pub fn forge(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    if bytes.len() >= HEADER_BYTES {
        let total = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
        let crc = Header::checksum(&bytes[..total.min(bytes.len())]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    }
    bytes
}

/// `bytes` at a 16-byte boundary, as flash gives them, and their length.
pub fn aligned(bytes: &[u8]) -> (Vec<u128>, usize) {
    let mut words = vec![0u128; bytes.len().div_ceil(16)];
    bytemuck::cast_slice_mut::<u128, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
    (words, bytes.len())
}
