//! The bucket `env`: offers the token variables of a `.env` file as one key, `mirror`.
//!
//! The value is up to three lines, `KROGER_USER_ACCESS_TOKEN=…`, `KROGER_USER_REFRESH_TOKEN=…` and
//! `KROGER_USER_TOKEN_EXPIRES_AT=…`, each with its newline. Every other line of the file stays as
//! it is, byte for byte. It never creates a `.env` file, and never lets more users read one.
//!
//! Agents start servers in folders with a `.env` of another kind: one that is in a repository, or that
//! strangers can write. So tokens are written only into a file that asks for them by the lines that it
//! has, that is this user's own, and that nobody else can read. No token is taken from a file that
//! strangers can write.

mod refusal;
mod replace;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::keyvalue::{KeyPage, KeyValueError};
use crate::files::dotenv::{Content, entries};
use refusal::{MAX_FILE, NAMES, mirrored_variable};
pub(crate) use refusal::{Refusal, refusal};
use replace::replace;

/// The bucket's one key.
pub(crate) const MIRROR: &str = "mirror";

/// How long to wait for another program's lock on the file.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// A handle on the file. Its clones take turns.
#[derive(Clone)]
pub(crate) struct Bucket(Arc<EnvFile>);

struct EnvFile {
    path: PathBuf,
    turn: Mutex<()>,
    /// The last reason for which the file was not written. It is told once.
    told: Mutex<Option<Refusal>>,
}

impl Bucket {
    /// Makes a handle on the file at `path`, which need not exist now.
    pub(super) fn at(path: PathBuf) -> Self {
        Self(Arc::new(EnvFile { path, turn: Mutex::default(), told: Mutex::default() }))
    }

    /// Whether there is a file to mirror into.
    pub(super) fn is_there(&self) -> bool {
        self.0.path.is_file()
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        if key != MIRROR {
            return Ok(None);
        }
        self.off_the_async_workers(EnvFile::mirror).await
    }

    pub(super) async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), KeyValueError> {
        if key != MIRROR {
            return Err(KeyValueError::other("the bucket env has one key, mirror"));
        }
        let mirrored = Mirrored::of_value(&value)?;
        self.off_the_async_workers(move |file| file.set(&mirrored)).await
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        if key != MIRROR {
            return Ok(());
        }
        self.off_the_async_workers(|file| file.set(&Mirrored::default())).await
    }

    pub(super) async fn list_keys(&self) -> Result<KeyPage, KeyValueError> {
        let mirror = self.get(MIRROR).await?;
        let keys = mirror.map(|_| MIRROR.to_owned()).into_iter().collect();
        Ok(KeyPage { keys, cursor: None })
    }

    async fn off_the_async_workers<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&EnvFile) -> Result<T, KeyValueError> + Send + 'static,
    ) -> Result<T, KeyValueError> {
        let file = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || deed(&file))
            .await
            .unwrap_or_else(|_| Err(KeyValueError::other("the host is stopping")))
    }
}

impl EnvFile {
    fn mirror(&self) -> Result<Option<Vec<u8>>, KeyValueError> {
        if let Some(refusal @ (Refusal::Untrusted(_) | Refusal::HasNoLines)) = refusal(&self.path) {
            return Err(self.refused(refusal));
        }
        let file = File::open(&self.path).map_err(|error| unreachable_file(&error))?;
        Ok(Mirrored::of_file(&contents(&file)?).to_value())
    }

    fn set(&self, mirrored: &Mirrored) -> Result<(), KeyValueError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match refusal(&self.path) {
            None => {}
            // Tokens may be taken out of a file that others can read.
            Some(Refusal::Readable) if mirrored.is_empty() => {}
            Some(refusal) => return Err(self.refused(refusal)),
        }
        let path = fs::canonicalize(&self.path).map_err(|error| unreachable_file(&error))?;
        let file = locked(&path)?;
        let old = contents(&file)?;
        let new = mirrored.written_into(&old);
        if new == old {
            return Ok(());
        }
        replace(&path, &new).map_err(|error| unreachable_file(&error))
    }

    /// Tells the operator why the file is no mirror, unless that was told before.
    fn refused(&self, refusal: Refusal) -> KeyValueError {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref() != Some(&refusal) {
            match &refusal {
                Refusal::Absent => {}
                Refusal::HasNoLines => tracing::info!("{refusal}"),
                _ => tracing::warn!("{refusal}"),
            }
            *told = Some(refusal);
        }
        KeyValueError::NoSuchStore
    }
}

/// Opens the file and locks it.
///
/// The lock works only if other programs honour it and the filesystem has locks.
fn locked(path: &PathBuf) -> Result<File, KeyValueError> {
    let start = Instant::now();
    loop {
        let file = File::open(path).map_err(|error| unreachable_file(&error))?;
        match file.try_lock() {
            // Otherwise the lock's last owner replaced the file, and this lock is on the old one.
            Ok(()) if is_at(&file, path) => return Ok(file),
            Err(TryLockError::Error(_)) => return Ok(file),
            _ if start.elapsed() > LOCK_WAIT => {
                return Err(KeyValueError::other("another program holds the .env file"));
            }
            _ => thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn is_at(file: &File, path: &PathBuf) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let (Ok(opened), Ok(placed)) = (file.metadata(), fs::metadata(path)) else {
        return false;
    };
    identity(opened) == identity(placed)
}

fn contents(file: &File) -> Result<Vec<u8>, KeyValueError> {
    let mut text = Vec::new();
    let length = file.take(MAX_FILE + 1).read_to_end(&mut text);
    match length.map_err(|error| unreachable_file(&error))? as u64 {
        0..=MAX_FILE => Ok(text),
        _ => Err(KeyValueError::other("the .env file is longer than 1 MiB")),
    }
}

fn unreachable_file(error: &io::Error) -> KeyValueError {
    KeyValueError::other(match error.kind() {
        io::ErrorKind::NotFound => return KeyValueError::NoSuchStore,
        io::ErrorKind::PermissionDenied => "access to the .env file is denied",
        io::ErrorKind::ReadOnlyFilesystem => "the .env file is read-only",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk of the .env file is full",
        _ => "the .env file could not be read or written",
    })
}

/// The values of [`NAMES`]. An absent value has no line.
#[derive(Default)]
struct Mirrored([Option<String>; 3]);

impl Mirrored {
    /// Reads a file. If a name occurs twice, the last line counts. An empty value counts as absent.
    fn of_file(text: &[u8]) -> Self {
        let mut mirrored = Self::default();
        for entry in entries(text) {
            if let Some((index, value)) = mirrored_variable(entry.content) {
                mirrored.0[index] = Some(value).filter(|value| is_one_line(value));
            }
        }
        mirrored
    }

    fn of_value(value: &[u8]) -> Result<Self, KeyValueError> {
        let text = std::str::from_utf8(value).map_err(|_| KeyValueError::other("the mirror is not text"))?;
        let mut mirrored = Self::default();
        for line in text.split_terminator('\n') {
            let (index, value) = of_line(line)?;
            if mirrored.0[index].replace(value.to_owned()).is_some() {
                return Err(KeyValueError::other("a variable of the mirror is there twice"));
            }
        }
        Ok(mirrored)
    }

    fn to_value(&self) -> Option<Vec<u8>> {
        let lines = NAMES.iter().zip(&self.0);
        let text: String =
            lines.filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}\n"))).collect();
        (!text.is_empty()).then(|| text.into_bytes())
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Returns `old` with these values. Each value takes the first line of its name, else a new line at
    /// the end. The line of a value that is absent stays, empty: it asks for the next value.
    fn written_into(&self, old: &[u8]) -> Vec<u8> {
        let mut values = self.0.each_ref().map(|value| Some(value.as_deref()));
        let mut new = Vec::with_capacity(old.len());
        for entry in entries(old) {
            let Content::Variable { before, name, .. } = &entry.content else {
                new.extend_from_slice(entry.bytes);
                continue;
            };
            match NAMES.iter().position(|known| known == name) {
                None => new.extend_from_slice(entry.bytes),
                Some(index) => match values[index].take() {
                    Some(value) => {
                        write_line(&mut new, before, index, value.unwrap_or_default(), line_end(entry.bytes));
                    }
                    None => keep_mark(&mut new, before),
                },
            }
        }
        append(&mut new, values.map(Option::flatten), old);
        new
    }
}

fn append(new: &mut Vec<u8>, values: [Option<&str>; 3], old: &[u8]) {
    let end = old.split_inclusive(|byte| *byte == b'\n').next().map_or("\n", line_end);
    for (index, value) in values.into_iter().enumerate() {
        if value.is_some() && !new.is_empty() && !new.ends_with(b"\n") {
            new.extend_from_slice(end.as_bytes());
        }
        if let Some(value) = value {
            write_line(new, b"", index, value, end);
        }
    }
}

fn write_line(new: &mut Vec<u8>, before: &[u8], index: usize, value: &str, end: &str) {
    new.extend_from_slice(before);
    new.extend_from_slice(format!("{}={}{end}", NAMES[index], quoted(value)).as_bytes());
}

/// Keeps the byte order mark of a line that goes.
fn keep_mark(new: &mut Vec<u8>, before: &[u8]) {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    if before.starts_with(BYTE_ORDER_MARK) {
        new.extend_from_slice(BYTE_ORDER_MARK);
    }
}

fn line_end(line: &[u8]) -> &'static str {
    if line.ends_with(b"\r\n") { "\r\n" } else { "\n" }
}

fn of_line(line: &str) -> Result<(usize, &str), KeyValueError> {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    let index = NAMES
        .iter()
        .position(|known| *known == name)
        .ok_or_else(|| KeyValueError::other("the mirror holds the three token variables and nothing else"))?;
    if is_one_line(value) {
        return Ok((index, value));
    }
    Err(KeyValueError::other("a value of the mirror is empty or has a control character"))
}

fn is_one_line(value: &str) -> bool {
    !value.is_empty() && !value.contains(char::is_control)
}

/// Returns the value as it is if every reader of such files accepts it, else in single quotes.
fn quoted(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=:@%,".contains(&byte);
    if value.bytes().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests;
