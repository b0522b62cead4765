//! The hash behind everything that varies in the catalog. Not for secrets.

/// Hashes with FNV-1a, which gives the same on every machine and in every run.
pub(super) fn hash(parts: &[&str]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // The low bits of FNV-1a depend on few of the bytes.
    hash ^ (hash >> 15)
}
