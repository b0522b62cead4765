//! Makes the profile ids of customers. Stores nothing: an id depends on the name alone.

use sha2::{Digest, Sha256};

/// Returns the profile id of `user`, a UUID.
pub(crate) fn profile_id(user: &str) -> String {
    let digest = Sha256::digest(user);
    let hex = digest[..16].iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let hex = format!("{hex:032x}");
    // Version 8 of RFC 9562 leaves the bits to us.
    let (time_high, sequence) = (&hex[13..16], &hex[17..20]);
    format!("{}-{}-8{time_high}-a{sequence}-{}", &hex[..8], &hex[8..12], &hex[20..])
}
