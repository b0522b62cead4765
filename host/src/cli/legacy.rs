//! The first system's token file: a regular file in the place of the store's directory. A command that
//! starts a server or signs a person in takes it in, and keeps it under another name. A command that
//! only looks leaves it, and says so.
//!
//! A file that cannot be read as a token file stays where it is, and nothing starts.

use std::fmt::Display;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

use super::print::{printable, warn};
use crate::files::token_files::{self, SignIn, TokenFile, TokenFileError, Unusable};
use crate::files::trusted;
use crate::{Host, ImportOutcome, Standing, StoreLocation};

/// Files that are kept beside the store.
const MOST_KEPT: usize = 100;

/// A token file that lies beside the store.
pub(super) struct Kept {
    name: String,
    file: TokenFile,
}

/// Moves a token file out of the store's place. Answers the kept files, whose sign-ins are to be taken
/// in: an earlier start may have ended before it did so.
pub(super) fn set_aside(store: &StoreLocation) -> Result<Vec<Kept>> {
    if in_the_stores_place(store).map_err(|refused| anyhow!(refused))?.is_some() {
        let unmoved = |error: io::Error| anyhow!(refused(store, &format!("it cannot be moved away: {}", error.kind())));
        let aside = move_away(&store.directory).map_err(unmoved)?;
        tracing::warn!(kept_as = %file_name(&aside), "the first system's token file is taken in");
    }
    Ok(kept(store))
}

/// The token file in the store's place.
fn in_the_stores_place(store: &StoreLocation) -> Result<Option<TokenFile>, String> {
    if !store.directory.is_file() {
        return Ok(None);
    }
    trusted::check(&store.directory).map_err(|untrusted| {
        format!("{} is a file where the store's directory should be, and is not taken in: {untrusted}", store.path())
    })?;
    readable(&store.directory).map(Some).map_err(|error| refused(store, &error))
}

/// A sentence about the token file in the store's place, if there is one. Fails with a sentence if the
/// file there is no token file.
pub(super) fn waiting(store: &StoreLocation) -> Result<Option<String>, String> {
    let told = |_: TokenFile| {
        format!(
            "{} is the first system's token file. The next `kroger-mcp serve`, `stdio`, `login`, `refresh` or `import` \
             takes it in, and keeps it as {}.",
            store.path(),
            file_name(&aside_of(&store.directory, 0)),
        )
    };
    Ok(in_the_stores_place(store)?.map(told))
}

/// The entries that are not taken in from files of the first system, in the
/// store's place or beside it, a sentence each.
pub(super) fn all_left_out(store: &StoreLocation) -> Vec<String> {
    let here = in_the_stores_place(store).ok().flatten().map(|file| file.unusable).unwrap_or_default();
    let here = here.iter().map(|unusable| left_out(&store.name, unusable));
    here.chain(kept(store).iter().flat_map(Kept::left_out)).collect()
}

/// A sentence about an entry of `file` that cannot be used.
pub(super) fn left_out(file: &str, Unusable { user_id, why }: &Unusable) -> String {
    let user: String = printable(user_id.as_deref().unwrap_or_default()).chars().take(64).collect();
    let whose = if user.is_empty() { String::new() } else { format!(" of {user}") };
    format!("{}: the entry{whose} is left out: {why}; to sign in anew: kroger-mcp login --user ID", printable(file))
}

fn refused(store: &StoreLocation, why: &dyn Display) -> String {
    format!(
        "{} is a file where the store's directory should be, and {why}. It was left as it is. Move it away and \
         sign in again, or name another store with --store.",
        store.path()
    )
}

/// The token files beside the store. The last moved file is first.
fn kept(store: &StoreLocation) -> Vec<Kept> {
    let asides = (0..MOST_KEPT).map(|number| aside_of(&store.directory, number));
    let mut asides: Vec<PathBuf> = asides.take_while(|aside| aside.is_file()).collect();
    asides.reverse();
    let read = |aside: &PathBuf| {
        if let Err(untrusted) = trusted::check(aside) {
            tracing::warn!("not taken in: {untrusted}");
            return None;
        }
        Some(Kept { name: file_name(aside), file: readable(aside).ok()? })
    };
    asides.iter().filter_map(read).collect()
}

impl Kept {
    /// The entries that were not taken in, a sentence each. The other entries are in the store.
    fn left_out(&self) -> Vec<String> {
        let told = |unusable| format!("{}, then remove {}", left_out(&self.name, unusable), self.name);
        self.file.unusable.iter().map(told).collect()
    }
}

/// Takes in the sign-ins of users that the store does not know. A sign-in that fails is tried again at
/// the next start, and does not prevent the others.
pub(super) async fn take_in(host: &Host, kept: &[Kept]) {
    let mut taken = 0_usize;
    for Kept { name, file } in kept {
        for SignIn { user_id, found } in &file.sign_ins {
            let Some(user) = user_id else { continue };
            match host.import(user, found, Standing::Absent).await {
                Ok(outcome) => taken += usize::from(matches!(outcome, ImportOutcome::Imported)),
                Err(error) => tracing::warn!(file = name, user = printable(user), "not taken in: {error}"),
            }
        }
    }
    warn(&kept.iter().flat_map(Kept::left_out).collect::<Vec<_>>());
    if taken > 0 {
        tracing::warn!(
            users = taken,
            "signed in from the first system's token file; it must not run any more, since refresh tokens are single use"
        );
    }
}

/// Reads a token file. A file without a token of a user counts as empty.
fn readable(path: &Path) -> Result<TokenFile, TokenFileError> {
    match token_files::read_pickle(path) {
        Err(TokenFileError::Empty(_)) => Ok(TokenFile { sign_ins: Vec::new(), unusable: Vec::new() }),
        read => read,
    }
}

/// Moves the file by a link and a removal, never by a rename. If two processes start at once, the
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
            // Another process has just moved it.
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

        let users = |kept: &[Kept]| kept.iter().map(|kept| kept.file.sign_ins.len()).collect::<Vec<_>>();
        assert_eq!((users(&first), users(&second)), (vec![1], vec![1]));
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

            let Err(error) = set_aside(&store) else { panic!("{bytes:?} was taken") };
            let words = error.to_string();

            assert!(words.contains(".tokens") && words.contains("--store"), "{words}");
            assert_eq!(fs::read(&store.directory).unwrap(), bytes);
        }
    }

    #[test]
    fn a_token_file_that_strangers_may_write_is_not_taken_in() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path());
        fs::write(&store.directory, PICKLE).unwrap();
        fs::set_permissions(&store.directory, fs::Permissions::from_mode(0o666)).unwrap();

        let refused = set_aside(&store).err().map(|error| error.to_string()).unwrap_or_default();

        assert!(refused.ends_with(&format!("chmod go-w {}", store.path())), "{refused}");
        assert!(waiting(&store).is_err());
        fs::set_permissions(&store.directory, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(set_aside(&store).unwrap().len(), 1);
        let aside = directory.path().join(".tokens.pickle");
        fs::set_permissions(&aside, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(set_aside(&store).unwrap().is_empty());
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
    fn one_who_only_looks_is_told_of_a_token_file_and_leaves_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path());
        fs::write(&store.directory, PICKLE).unwrap();

        let told = waiting(&store).unwrap().unwrap();

        assert!(told.contains(".tokens") && told.contains("kroger-mcp serve"), "{told}");
        assert_eq!(fs::read(&store.directory).unwrap(), PICKLE);
    }

    #[test]
    fn an_entry_that_cannot_be_used_is_told_by_file_and_user_in_print() {
        let unusable = Unusable { user_id: Some("we\u{1b}ird\nid".to_owned()), why: "its reasons".to_owned() };

        let told = left_out(".tokens.pickle", &unusable);

        assert!(told.starts_with(".tokens.pickle: the entry of weird id is left out: its reasons;"), "{told}");
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
