//! A regular file where the store's directory should be: the first system's
//! token file. It is taken in by itself at start, and kept under another name.
//!
//! A file that is not wholly data stays where it is, and nothing starts.

use std::fmt::Display;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Ending;
use crate::settings::StoreLocation;
use crate::token_files::{self, SignIn, TokenFileError};
use crate::{Host, ImportOutcome, Standing};

/// Files that are kept beside the store.
const MOST_KEPT: usize = 100;

/// Moves a token file out of the store's place, and answers what is to be taken
/// in from there: at this start, or because an earlier one was ended before it
/// had done so.
pub(super) fn set_aside(store: &StoreLocation) -> Result<Vec<SignIn>, Ending> {
    if store.directory.is_file() {
        let refused = |why: &dyn Display| {
            Ending::Failed(format!(
                "{} is a file where the store's directory should be, and {why}. It was left as it is. Move it away and \
                 sign in again, or name another store with --store.",
                store.name
            ))
        };
        readable(&store.directory).map_err(|error| refused(&error))?;
        let aside = move_away(&store.directory)
            .map_err(|error| refused(&format!("it cannot be moved away: {}", error.kind())))?;
        tracing::info!(kept_as = %file_name(&aside), "the first system's token file is taken in");
    }
    Ok(kept(&store.directory))
}

/// What lies beside the store, the file that was moved there last first.
fn kept(file: &Path) -> Vec<SignIn> {
    let asides = (0..MOST_KEPT).map(|number| aside_of(file, number));
    let mut kept: Vec<PathBuf> = asides.take_while(|aside| aside.is_file()).collect();
    kept.reverse();
    kept.iter().flat_map(|aside| readable(aside).unwrap_or_default()).collect()
}

/// Takes in those of `sign_ins` whose users the store does not know.
pub(super) async fn take_in(host: &Host, sign_ins: Vec<SignIn>) -> Result<(), Ending> {
    let mut taken = 0_usize;
    for SignIn { user_id, found } in sign_ins {
        let Some(user) = user_id else { continue };
        let outcome = host.import(&user, &found, Standing::Absent).await.map_err(Ending::failed)?;
        taken += usize::from(matches!(outcome, ImportOutcome::Imported));
    }
    if taken > 0 {
        tracing::info!(
            users = taken,
            "signed in from the first system's token file; it must not run any more, since refresh tokens are single use"
        );
    }
    Ok(())
}

/// A file without any user's token is as good as none.
fn readable(path: &Path) -> Result<Vec<SignIn>, TokenFileError> {
    match token_files::read_pickle(path) {
        Ok(file) => Ok(file.sign_ins),
        Err(TokenFileError::Empty(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// By a link and its removal, never by a rename: where two start at once, the
/// second must not move the directory that the first has made since.
fn move_away(file: &Path) -> io::Result<PathBuf> {
    for number in 0..MOST_KEPT {
        let aside = aside_of(file, number);
        match fs::hard_link(file, &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !is_same(file, &aside) {
                    continue;
                }
            }
            // Somebody else has just moved it.
            Err(_) if file.is_dir() || !file.exists() => return Ok(aside_of(file, 0)),
            Err(error) => return Err(error),
        }
        fs::set_permissions(&aside, fs::Permissions::from_mode(0o600))?;
        fs::remove_file(file)?;
        return Ok(aside);
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// `.tokens.pickle`, and `.tokens.pickle.1` where there is one already.
fn aside_of(file: &Path, number: usize) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".pickle");
    if number > 0 {
        name.push(format!(".{number}"));
    }
    file.with_file_name(name)
}

fn is_same(a: &Path, b: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(a).is_some_and(|a| Some(a) == identity(b))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `pickle.dumps({"user_tokens": {"u": {"refresh_token": "r"}}}, 0)`
    const PICKLE: &[u8] = b"(dp0\nVuser_tokens\np1\n(dp2\nVu\np3\n(dp4\nVrefresh_token\np5\nVr\np6\nsss.";

    fn store(directory: &Path) -> StoreLocation {
        StoreLocation { directory: directory.join(".tokens"), name: ".tokens".to_owned() }
    }

    #[test]
    fn a_pickle_is_moved_and_read_and_read_again_after_a_crash() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path());
        fs::write(&store.directory, PICKLE).unwrap();

        let first = set_aside(&store).unwrap();
        let second = set_aside(&store).unwrap();

        assert_eq!((first.len(), second.len()), (1, 1));
        assert!(!store.directory.exists());
        let aside = directory.path().join(".tokens.pickle");
        assert_eq!(fs::read(&aside).unwrap(), PICKLE);
        assert_eq!(fs::metadata(&aside).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_not_data_stays_and_nothing_starts() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path());
        for bytes in [&b"cos\nsystem\n(S'touch canary'\ntR."[..], b"nonsense", b""] {
            fs::write(&store.directory, bytes).unwrap();

            let Err(Ending::Failed(words)) = set_aside(&store) else { panic!("{bytes:?} was taken") };

            assert!(words.contains(".tokens") && words.contains("--store"), "{words}");
            assert_eq!(fs::read(&store.directory).unwrap(), bytes);
        }
    }

    #[test]
    fn what_was_kept_before_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path());
        fs::write(directory.path().join(".tokens.pickle"), b"kept").unwrap();
        fs::write(&store.directory, PICKLE).unwrap();

        assert_eq!(set_aside(&store).unwrap().len(), 1);

        assert_eq!(fs::read(directory.path().join(".tokens.pickle")).unwrap(), b"kept");
        assert_eq!(fs::read(directory.path().join(".tokens.pickle.1")).unwrap(), PICKLE);
    }

    #[test]
    fn a_directory_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path());
        fs::create_dir(&store.directory).unwrap();

        assert!(set_aside(&store).unwrap().is_empty());
        assert!(store.directory.is_dir());
    }
}
