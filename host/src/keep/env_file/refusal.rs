//! The lines by which a `.env` file asks for tokens, and why tokens are not written into it.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::files::dotenv::{Content, entries};
use crate::files::trusted::{self, Untrusted};

/// The mirrored variables, in the order of the value's lines.
pub(super) const NAMES: [&str; 3] =
    ["KROGER_USER_ACCESS_TOKEN", "KROGER_USER_REFRESH_TOKEN", "KROGER_USER_TOKEN_EXPIRES_AT"];

/// The longest file that is read, in bytes.
pub(super) const MAX_FILE: u64 = 1024 * 1024;

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

/// Whether a file with this text has one of the lines that hold tokens, with or without a value.
fn asks_for_tokens(text: &[u8]) -> bool {
    entries(text).into_iter().any(|entry| mirrored_variable(entry.content).is_some())
}

/// The variable of [`NAMES`] that a piece of the file sets, and its value.
pub(super) fn mirrored_variable(content: Content<'_>) -> Option<(usize, String)> {
    let Content::Variable { name, value, .. } = content else {
        return None;
    };
    let index = NAMES.iter().position(|known| *known == name)?;
    Some((index, value))
}
