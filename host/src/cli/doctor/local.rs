//! What lies on this machine: settings, the store's files and disk, `.env`, the
//! log.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::point::{Point, Verdict};
use crate::cli::legacy;
use crate::keep::env_file::{Refusal, refusal};
use crate::keep::sqlite;
use crate::quote::quoted;
use crate::settings::ignored;
use crate::{Given, Settings, StoreLocation};

/// With less free space than this, the store may soon be unable to save tokens.
const LEAST_SPACE: u64 = 16 << 20;
const LITTLE_SPACE: u64 = 256 << 20;

pub(super) fn settings(settings: &Settings, given: &Given) -> Point {
    // The mode of `.env` is left out: the point `.env` reports it.
    let ignored = settings.component.ignored.iter().map(ignored::sentence);
    let warnings: Vec<String> = given.warnings.iter().cloned().chain(ignored).collect();
    if !given.has_credentials() {
        return Point::bad(
            "settings",
            "KROGER_CLIENT_ID is not set; get it at developer.kroger.com and put it into the environment or .env",
        );
    }
    if given.variable("KROGER_CLIENT_SECRET").is_none() {
        return Point::new("settings", Verdict::Note, "KROGER_CLIENT_SECRET is not set: the app is a public client");
    }
    if warnings.is_empty() {
        return Point::good("settings", format!("valid; Kroger API is at {}", settings.component.api_base_url));
    }
    Point::new("settings", Verdict::Warning, warnings.join("; "))
}

/// The store's place, its disk, and `.env`.
pub(super) fn files(store: &StoreLocation, given: &Given) -> Vec<Point> {
    let mut points = vec![permissions(store), disk(store)];
    let left_out = legacy::all_left_out(store).into_iter();
    points.extend(left_out.map(|told| Point::new("old token file", Verdict::Warning, told)));
    points.extend(given.dotenv_path.as_deref().map(env_file));
    points
}

fn permissions(store: &StoreLocation) -> Point {
    const NAME: &str = "permissions";
    let name = &store.path();
    match legacy::waiting(store) {
        Ok(None) => {}
        Ok(Some(waiting)) => return Point::new(NAME, Verdict::Warning, waiting),
        Err(refused) => return Point::bad(NAME, refused),
    }
    match sqlite::is_store(&store.directory) {
        Ok(true) => {}
        Ok(false) => {
            let words = format!("there is no store at {name} yet; the first sign-in makes it");
            return Point::new(NAME, Verdict::Note, words);
        }
        Err(error) => {
            let words = format!("{name} cannot be read ({}); give this user access to it", error.kind());
            return Point::bad(NAME, words);
        }
    }
    if let Err(untrusted) = sqlite::safe::check(&store.directory) {
        return Point::bad(NAME, untrusted.to_string());
    }
    let open: Vec<String> = readable_by_others(&store.directory);
    if !open.is_empty() {
        let files = open.join(" ");
        return Point::bad(NAME, format!("others may read tokens: chmod -R go= {} ({files})", quoted(name)));
    }
    match OpenOptions::new().read(true).write(true).open(store.directory.join("store.sqlite3")) {
        Ok(_) => Point::good(NAME, format!("{name} is its owner's alone, and can be read and written")),
        Err(error) => {
            Point::bad(NAME, format!("{name} cannot be written ({}); give this user access to it", error.kind()))
        }
    }
}

/// The names of files in `directory` that others may use, if they may use `directory`.
fn readable_by_others(directory: &Path) -> Vec<String> {
    let is_open = |path: &Path| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
    if !is_open(directory) {
        return Vec::new();
    }
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let open = entries.filter(|entry| is_open(&entry.path()));
    open.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn disk(store: &StoreLocation) -> Point {
    const NAME: &str = "disk space";
    let place = store.directory.ancestors().find(|place| place.is_dir()).unwrap_or(Path::new("."));
    let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
    let Ok(found) = rustix::fs::statvfs(place) else {
        return Point::new(NAME, Verdict::Note, "it cannot be told for this filesystem");
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let words = format!("{} MiB are free for {}", free >> 20, store.path());
    match free {
        _ if free < LEAST_SPACE => Point::bad(NAME, format!("{words}; free some, or tokens cannot be saved")),
        _ if free < LITTLE_SPACE => Point::new(NAME, Verdict::Warning, format!("{words}; free some soon")),
        _ => Point::good(NAME, words),
    }
}

/// The mirror in `.env`. To have none is no fault.
fn env_file(path: &Path) -> Point {
    let found = fs::metadata(path);
    if found.as_ref().is_ok_and(|found| !found.is_file()) {
        return Point::new(".env", Verdict::Warning, "it is not a regular file and is not read");
    }
    if found.is_ok_and(|found| found.mode() & 0o044 != 0) {
        return Point::bad(".env", "others may read what is in it, and no tokens are written to it: chmod 600 .env");
    }
    match refusal(path) {
        None => {}
        Some(refusal @ (Refusal::Absent | Refusal::HasNoLines)) => {
            return Point::new(".env", Verdict::Note, refusal.to_string());
        }
        Some(refusal) => return Point::new(".env", Verdict::Warning, refusal.to_string()),
    }
    match OpenOptions::new().append(true).open(path) {
        Ok(_) => Point::good(".env", "tokens are mirrored to it; only its owner can read it"),
        Err(error) => Point::new(
            ".env",
            Verdict::Warning,
            format!("it cannot be written ({}), so an old pair stays in it; the store has the new one", error.kind()),
        ),
    }
}

pub(super) fn log() -> Point {
    Point::new(
        "log",
        Verdict::Note,
        "on stderr of `serve` (under systemd: journalctl -u kroger-mcp); KROGER_LOG=debug says more",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_others_may_read_is_bad_and_is_said_how_to_mend() {
        let directory = tempfile::tempdir().unwrap();
        let store = StoreLocation { directory: directory.path().join(".tokens"), name: ".tokens".to_owned() };
        drop(sqlite::Store::open(&store.directory, ".tokens").unwrap());

        let closed = permissions(&store);
        fs::set_permissions(&store.directory, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(store.directory.join("store.sqlite3"), fs::Permissions::from_mode(0o644)).unwrap();
        let open = permissions(&store);

        assert_eq!(closed.verdict, Verdict::Good, "{closed:?}");
        assert_eq!(open.verdict, Verdict::Bad, "{open:?}");
        let path = store.directory.display().to_string();
        assert!(open.detail.contains(&format!("chmod -R go= {path}")), "{open:?}");
    }

    #[test]
    fn an_env_file_is_looked_at_for_who_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        assert_eq!(env_file(&path).verdict, Verdict::Note);
        fs::write(&path, "KROGER_DEFAULT_ZIP_CODE=45202\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(env_file(&path).verdict, Verdict::Note);
        fs::write(&path, "KROGER_USER_REFRESH_TOKEN=\n").unwrap();
        for (mode, verdict) in [(0o600, Verdict::Good), (0o640, Verdict::Bad), (0o604, Verdict::Bad)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(env_file(&path).verdict, verdict, "{mode:o}");
        }
    }

    #[test]
    fn the_disk_of_a_store_that_is_not_there_yet_is_that_of_its_nearest_folder() {
        let store = StoreLocation { directory: "/nonexistent/deep/.tokens".into(), name: ".tokens".to_owned() };

        assert!(disk(&store).detail.contains("MiB are free"), "{:?}", disk(&store));
    }
}
