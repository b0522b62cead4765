//! Keeps a little room on the disk, so that tokens can be deleted when the disk is full.
//!
//! `SQLite` writes a deletion into its log before it frees anything. On a full disk it could delete
//! nothing. So a file beside the store takes up room while there is plenty, and makes way for the first
//! deletion that finds the disk full.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::in_place::with_end;

/// Enough for the log of a sign-out, and for the index of a log that is opened.
const SIZE: usize = 128 * 1024;

/// Room is taken only where the disk has more than this.
const PLENTY: u64 = 16 * SIZE as u64;

pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    pub(super) fn beside(file: &Path) -> Self {
        Self { path: with_end(file, "-reserve") }
    }

    /// Takes up the room, if it is not taken and the disk has plenty.
    pub(super) fn take(&self) {
        if self.path.exists() || self.available().is_none_or(|bytes| bytes < PLENTY) {
            return;
        }
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path);
        let taken = created.and_then(|mut file| {
            file.write_all(&vec![0; SIZE])?;
            file.sync_all()
        });
        if taken.is_err() {
            self.release();
        }
    }

    /// Frees the room. False if none was taken.
    pub(super) fn release(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }

    /// Frees the room if the disk has so little that a store can hardly be opened.
    pub(super) fn release_if_full(&self) {
        if self.available().is_some_and(|bytes| bytes < SIZE as u64) {
            self.release();
        }
    }

    fn available(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(self.path.parent()?).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}
