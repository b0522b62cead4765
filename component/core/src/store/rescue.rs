//! The bucket `rescue`: token pairs in the host's memory that the store could not take.

use crate::Context;
use crate::ports::{Bucket, StoreError};

/// The keys of pairs that wait to be saved; none on a host without the bucket.
pub fn waiting(cx: Context<'_>) -> Result<Vec<String>, StoreError> {
    match cx.ports.list_keys(Bucket::Rescue, None) {
        Ok(page) => Ok(page.keys),
        Err(StoreError::NoSuchBucket) => Ok(Vec::new()),
        Err(StoreError::Failed) => Err(StoreError::Failed),
    }
}
