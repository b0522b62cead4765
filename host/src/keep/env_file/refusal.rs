//! Why tokens are not written into a `.env` file.

use std::fmt;
use std::fs;
use std::path::Path;

use super::{MAX_FILE, asks_for_tokens};
use crate::files::trusted::{self, Untrusted};

/// Why a file is no mirror of the tokens, and what to do if it should be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Absent,
    /// It is a symbolic link, a directory, a pipe or a device.
    NotRegular,
    /// Strangers can write it.
    Untrusted(Untrusted),
    /// It is another user's: root's.
    NotOurs,
    /// It has no line of a token.
    HasNoLines,
    /// Others can read it.
    Readable,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there is none, so tokens are not mirrored to it"),
            Self::NotRegular => {
                f.write_str("tokens are not mirrored to .env: it is a link, or another thing than a regular file")
            }
            Self::Untrusted(why) => write!(f, "tokens are neither read from .env nor mirrored to it: {why}"),
            Self::NotOurs => f.write_str("tokens are not mirrored to .env: it belongs to another user"),
            Self::HasNoLines => f.write_str(
                "tokens are not mirrored to .env: add the line KROGER_USER_REFRESH_TOKEN= if they should be there",
            ),
            Self::Readable => f.write_str("tokens are not mirrored to .env: others may read it: chmod 600 .env"),
        }
    }
}

/// Why tokens may not be written into the file at `path`. None: they may.
pub(crate) fn refusal(path: &Path) -> Option<Refusal> {
    let Ok(found) = fs::symlink_metadata(path) else { return Some(Refusal::Absent) };
    if let Err(untrusted) = trusted::check(path) {
        return Some(Refusal::Untrusted(untrusted));
    }
    // A file that cannot be read is not refused, because its error is another one.
    let is_small = fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= MAX_FILE);
    let text = if is_small { fs::read(path).ok() } else { None };
    if text.is_some_and(|text| !asks_for_tokens(&text)) {
        return Some(Refusal::HasNoLines);
    }
    if !found.is_file() {
        return Some(Refusal::NotRegular);
    }
    if !trusted::is_ours(&found) {
        return Some(Refusal::NotOurs);
    }
    (!trusted::is_private(&found)).then_some(Refusal::Readable)
}
