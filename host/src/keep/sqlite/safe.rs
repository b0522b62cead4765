//! Checks that only this user, or root, can write the store's directory and files, and takes from others
//! the right to read them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::open_error::FILE;
use crate::files::trusted::{self, Untrusted};

/// Checks the directory, all directories above it, and the files of the store.
///
/// # Errors
/// The first of them that strangers may write.
pub(crate) fn check(directory: &Path) -> Result<(), Untrusted> {
    trusted::check(directory)?;
    files(&directory.join(FILE)).iter().try_for_each(|file| trusted::check(file))
}

/// Takes from others the right to read the store's `file` and what `SQLite` keeps beside it. `SQLite`
/// gives later files the same mode.
pub(super) fn close_to_others(file: &Path) {
    let mut closed = false;
    for file in files(file) {
        let Ok(found) = fs::metadata(&file) else { continue };
        if !found.is_file() || trusted::is_private(&found) || !trusted::is_ours(&found) {
            continue;
        }
        let mode = found.permissions().mode() & 0o700;
        // Opening the file instead would drop the locks that this process may have on it.
        closed |= fs::set_permissions(&file, fs::Permissions::from_mode(mode)).is_ok();
    }
    if closed {
        let store = file.parent().unwrap_or(file);
        tracing::warn!(store = %store.display(), "others had rights to the store's files; now only their owner has");
    }
}

/// The store's file, and what `SQLite` keeps beside it: beside the target, if the file is a link.
fn files(file: &Path) -> [PathBuf; 4] {
    let real = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let beside = |end: &str| {
        let mut name = real.clone().into_os_string();
        name.push(end);
        PathBuf::from(name)
    };
    [file.to_owned(), beside("-wal"), beside("-shm"), beside("-journal")]
}

#[cfg(test)]
mod tests {
    use crate::keep::sqlite::{OpenError, Store};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// A closed store in `folder/.tokens`.
    fn store_in(folder: &Path) -> PathBuf {
        let directory = folder.join(".tokens");
        drop(Store::open(&directory, ".tokens").unwrap());
        directory
    }

    #[test]
    fn a_store_that_strangers_may_write_is_not_opened_and_the_error_says_how_to_correct_it() {
        for (changed, mode) in [
            ("", 0o777),
            (".tokens", 0o777),
            (".tokens", 0o1777),
            (".tokens", 0o702),
            (".tokens/store.sqlite3", 0o666),
            (".tokens/store.sqlite3-wal", 0o602),
            (".tokens/store.sqlite3-shm", 0o666),
            (".tokens/store.sqlite3-journal", 0o666),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let directory = store_in(folder.path());
            let path = folder.path().join(changed);
            if !path.exists() {
                fs::write(&path, "").unwrap();
            }
            set_mode(&path, mode);

            let refused = Store::open(&directory, ".tokens").err();

            let told = refused.as_ref().map(ToString::to_string).unwrap_or_default();
            assert!(matches!(refused, Some(OpenError::Untrusted { .. })), "{changed} {mode:o}: {told}");
            let path = path.display().to_string();
            assert!(told.ends_with(&format!("chmod go-w {}", path.trim_end_matches('/'))), "{told}");
        }
    }

    #[test]
    fn a_store_is_not_made_where_strangers_may_exchange_it() {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o777);

        assert!(Store::open(&folder.path().join("deep/.tokens"), ".tokens").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        set_mode(folder.path(), 0o1777);
        assert!(Store::open(&folder.path().join("deep/.tokens"), ".tokens").is_ok());
    }

    #[test]
    fn a_link_to_a_file_that_strangers_may_write_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let directory = store_in(folder.path());
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::rename(directory.join(FILE), elsewhere.join(FILE)).unwrap();
        std::os::unix::fs::symlink(elsewhere.join(FILE), directory.join(FILE)).unwrap();
        assert!(Store::open(&directory, ".tokens").is_ok());

        set_mode(&elsewhere, 0o777);

        assert!(Store::open(&directory, ".tokens").is_err());
    }

    #[test]
    fn files_that_others_may_only_read_are_closed_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let directory = store_in(folder.path());
        set_mode(&directory, 0o755);
        set_mode(&directory.join(FILE), 0o644);

        let store = Store::open(&directory, ".tokens").unwrap();

        assert_eq!(mode(&directory.join(FILE)), 0o600);
        assert_eq!(mode(&directory.join("store.sqlite3-wal")), 0o600);
        drop(store);
    }
}
