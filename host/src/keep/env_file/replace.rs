//! Replaces the contents of a file by a rename, so that no reader ever sees half of it. If a rename is
//! not possible, it rewrites the file in place.
//!
//! Mode and owner stay as they were.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// Writes `contents` to the file at `path` and flushes it to the disk. The file exists and is no
/// symbolic link.
pub(super) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    match rename_over(path, contents) {
        Err(error) if forbids_renaming(&error) => rewrite_in_place(path, contents),
        result => result,
    }
}

fn rename_over(path: &Path, contents: &[u8]) -> io::Result<()> {
    let replacement = replacement_of(path);
    let renamed = write_replacement(&replacement, path, contents).and_then(|()| fs::rename(&replacement, path));
    if renamed.is_err() {
        // The replacement may be absent. The first error is the one to report.
        drop(fs::remove_file(&replacement));
    }
    renamed?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// The name of the replacement. It is always the same, so that the next write overwrites the
/// leftover of a crash.
fn replacement_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".kroger-mcp.tmp");
    path.with_file_name(name)
}

/// Writes the replacement. Only its owner can read it until it is complete; then it takes the mode of
/// the file that it replaces.
fn write_replacement(replacement: &Path, path: &Path, contents: &[u8]) -> io::Result<()> {
    drop(fs::remove_file(replacement));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(replacement)?;
    let (old, new) = (fs::metadata(path)?, file.metadata()?);
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        fchown(&file, Some(old.uid()), Some(old.gid()))?;
    }
    file.write_all(contents)?;
    file.set_permissions(old.permissions())?;
    file.sync_all()
}

/// Whether the file must be rewritten in place: it is mounted by itself, its directory cannot be
/// written, or its owner cannot be set.
fn forbids_renaming(error: &io::Error) -> bool {
    // EPERM is an ErrorKind::PermissionDenied too.
    matches!(
        error.kind(),
        ErrorKind::ResourceBusy
            | ErrorKind::CrossesDevices
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
    )
}

fn rewrite_in_place(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(contents)?;
    file.set_len(contents.len() as u64)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewrite_in_place_leaves_nothing_of_a_longer_file() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join(".env");
        fs::write(&path, "longer than what comes").expect("write");
        let inode = fs::metadata(&path).expect("stat").ino();
        rewrite_in_place(&path, b"shorter").expect("rewrite");

        assert_eq!(fs::read(&path).expect("read"), b"shorter");
        assert_eq!(fs::metadata(&path).expect("stat").ino(), inode);
    }

    #[test]
    fn a_forbidden_rename_leads_to_a_rewrite_and_a_full_disk_does_not() {
        for errno in ["EPERM", "EACCES", "EBUSY", "EXDEV", "EROFS"].map(number) {
            assert!(forbids_renaming(&io::Error::from_raw_os_error(errno)), "{errno}");
        }
        for errno in ["ENOSPC", "EIO", "ENOENT"].map(number) {
            assert!(!forbids_renaming(&io::Error::from_raw_os_error(errno)), "{errno}");
        }
    }

    /// These numbers are the same on Linux, macOS and the BSDs.
    fn number(name: &str) -> i32 {
        match name {
            "EPERM" => 1,
            "ENOENT" => 2,
            "EIO" => 5,
            "EACCES" => 13,
            "EBUSY" => 16,
            "EXDEV" => 18,
            "ENOSPC" => 28,
            "EROFS" => 30,
            _ => panic!("no such error: {name}"),
        }
    }
}
