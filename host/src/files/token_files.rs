//! Reads the token files of other programs: the users in them, and their pairs of tokens.
//!
//! The component decides whether a pair is taken. Nothing in a file is ever run, and no error contains
//! text of a file.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use kroger_core::ports::Timestamp;
use kroger_core::secret::Secret;
use kroger_core::sign_in::import::{Flaw, Found};
use kroger_core::user::UserId;
use serde_json::Value;

use super::dotenv;
use super::pickle::{self, Node, PickleError};

/// The longest file that is read: enough for a thousand users with long tokens.
const MAX_FILE: u64 = 2 << 20;

/// The mark that some editors write at the beginning of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The last second of the year 9999.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// The kind of a file, which tells the program that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The first system's `.tokens`.
    Pickle,
    /// The first system's `.kroger_tokens.json`.
    Json,
    /// The `.kroger_token_user.json` of the Python package `kroger-api`.
    KrogerApi,
    /// Three variables in a `.env`.
    Dotenv,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pickle => "token file (pickle)",
            Self::Json => "token file (JSON)",
            Self::KrogerApi => "kroger-api's token file",
            Self::Dotenv => "variables",
        })
    }
}

/// A file that holds sign-ins.
#[derive(Debug)]
pub(crate) struct TokenFile {
    pub sign_ins: Vec<SignIn>,
    /// Entries that cannot be used. The other entries can be used nevertheless.
    pub unusable: Vec<Unusable>,
}

/// An entry that has a token and cannot be used. Contains no token.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub user_id: Option<String>,
    pub why: String,
}

/// The tokens of one user. `Debug` shows none of them.
#[derive(Debug)]
pub(crate) struct SignIn {
    /// None: the file does not name the user.
    pub user_id: Option<String>,
    pub found: Found,
}

impl SignIn {
    /// The reason why the component would always refuse this sign-in.
    fn flaw(&self) -> Option<String> {
        let user_id = self.user_id.as_deref().map_or(Ok(()), |id| UserId::parse(id).map(drop));
        let of_user = user_id.err().map(|allowed| format!("its user id is not {allowed}"));
        let of_token = |flaw: Flaw| format!("its {} is not {}", flaw.part.replace('-', " "), flaw.allowed);
        of_user.or_else(|| self.found.check().err().map(of_token))
    }
}

/// Why a file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFileError {
    Unreadable(io::ErrorKind),
    /// It is a directory, a pipe or a device.
    NotAFile,
    TooLarge,
    Pickle(PickleError),
    /// It begins as JSON, and is damaged at this place.
    Json {
        line: usize,
        column: usize,
    },
    /// It has none of the four kinds.
    Unknown,
    /// It has a known kind, but no token of a user.
    Empty(Kind),
}

impl fmt::Display for TokenFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(io::ErrorKind::NotFound) => f.write_str("there is no such file"),
            Self::Unreadable(kind) => write!(f, "it cannot be read: {kind}"),
            Self::NotAFile => f.write_str("it is not a regular file"),
            Self::TooLarge => write!(f, "it is larger than {} MiB, which no token file is", MAX_FILE >> 20),
            Self::Pickle(error) => error.fmt(f),
            Self::Json { line, column } => {
                write!(
                    f,
                    "it is JSON that is cut off or damaged at line {line}, column {column}; take a whole copy of it"
                )
            }
            Self::Unknown => {
                f.write_str("it is neither a token file of the first system, nor one of kroger-api, nor a .env file")
            }
            Self::Empty(kind) => write!(f, "there is no user's token in it ({kind})"),
        }
    }
}

impl std::error::Error for TokenFileError {}

/// Reads the file at `path`, of any kind.
///
/// # Errors
/// [`TokenFileError`]. Nothing of the file is used then.
pub(crate) fn read(path: &Path) -> Result<TokenFile, TokenFileError> {
    let (bytes, written_at) = contents(path)?;
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    match text.trim_ascii_start().first() {
        Some(b'{') => json(text, written_at),
        _ if looks_like_pickle(path, &bytes) => pickle(&bytes),
        _ => variables(&bytes),
    }
}

/// Reads the file at `path` as the first system's pickle, and as no other kind.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_pickle(path: &Path) -> Result<TokenFile, TokenFileError> {
    pickle(&contents(path)?.0)
}

/// The file's contents, and the time when it was written.
fn contents(path: &Path) -> Result<(Vec<u8>, Option<Timestamp>), TokenFileError> {
    const NONBLOCK: i32 = if cfg!(target_os = "linux") { 0o4000 } else { 0x4 };

    let unreadable = |error: io::Error| TokenFileError::Unreadable(error.kind());
    // Without this, opening a pipe would block.
    let file = File::options().read(true).custom_flags(NONBLOCK).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(TokenFileError::NotAFile);
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(TokenFileError::TooLarge);
    }
    let written = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Ok((bytes, written.map(|since| Timestamp::from_secs(since.as_secs()))))
}

/// Whether to read the file as a pickle: its first byte occurs in no `.env`, or its
/// name is that of a pickle, so that errors treat it as one.
fn looks_like_pickle(path: &Path, bytes: &[u8]) -> bool {
    let is_called_so = path.extension().is_some_and(|end| end == "pickle" || end == "pkl" || end == "tokens")
        || path.file_name().is_some_and(|name| name == ".tokens");
    is_called_so || matches!(bytes.first(), Some(b'(' | b'}' | 0x80))
}

/// Whether the file begins like a pickle of protocol 0 that first imports something:
/// GLOBAL, then a module and a name, each on its own line.
fn begins_with_an_import(bytes: &[u8]) -> bool {
    let is_name =
        |line: &[u8]| !line.is_empty() && line.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(byte));
    let Some(rest) = bytes.strip_prefix(b"c") else { return false };
    let mut lines = rest.split(|byte| *byte == b'\n');
    lines.next().is_some_and(is_name) && lines.next().is_some_and(is_name)
}

fn pickle(bytes: &[u8]) -> Result<TokenFile, TokenFileError> {
    let pickle = pickle::read(bytes).map_err(TokenFileError::Pickle)?;
    let users = pickle.top().get("user_tokens").into_iter().flat_map(Node::entries);
    let sign_ins = users.map(|(user, tokens)| SignIn {
        user_id: Some(user.to_owned()),
        found: found(
            |name| tokens.get(name)?.text().map(str::to_owned),
            |name| {
                let value = tokens.get(name)?;
                value.number().or_else(|| value.text()?.trim().parse().ok())
            },
        ),
    });
    holding(Kind::Pickle, sign_ins)
}

fn json(bytes: &[u8], written_at: Option<Timestamp>) -> Result<TokenFile, TokenFileError> {
    let broken = |error: serde_json::Error| TokenFileError::Json { line: error.line(), column: error.column() };
    let value: Value = serde_json::from_slice(bytes).map_err(broken)?;
    let Some(users) = value.get("user_tokens") else { return kroger_api(&value, written_at) };
    let users = users.as_object().into_iter().flatten();
    let sign_ins = users.map(|(user, tokens)| SignIn { user_id: Some(user.clone()), found: found_in(tokens) });
    holding(Kind::Json, sign_ins)
}

/// Reads a bare answer of the token endpoint, from the time when the file was
/// written. The package keeps the app's own token in the same form, without a
/// refresh token.
fn kroger_api(value: &Value, written_at: Option<Timestamp>) -> Result<TokenFile, TokenFileError> {
    if value.get("access_token").is_none() && value.get("refresh_token").is_none() {
        return Err(TokenFileError::Unknown);
    }
    let mut found = found_in(value);
    found.obtained_at = found.obtained_at.or(written_at);
    let lifetime = number(value, "expires_in").and_then(seconds);
    let expires_at = written_at.zip(lifetime).map(|(at, lifetime)| Timestamp(at.0.saturating_add(lifetime.0)));
    found.expires_at = found.expires_at.or(expires_at);
    let is_of_a_user = found.refresh_token.is_some();
    holding(Kind::KrogerApi, is_of_a_user.then_some(SignIn { user_id: None, found }))
}

fn found_in(tokens: &Value) -> Found {
    found(|name| tokens.get(name)?.as_str().map(str::to_owned), |name| number(tokens, name))
}

fn number(value: &Value, name: &str) -> Option<f64> {
    let value = value.get(name)?;
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn variables(bytes: &[u8]) -> Result<TokenFile, TokenFileError> {
    let dotenv = dotenv::parse(bytes);
    if dotenv.variables.is_empty() {
        return if begins_with_an_import(bytes) { pickle(bytes) } else { Err(TokenFileError::Unknown) };
    }
    let value = |name: &str| {
        let (_, value) = dotenv.variables.iter().rev().find(|(known, _)| known == name)?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let secret = |name| value(name).map(Secret::new);
    let found = Found {
        access_token: secret("KROGER_USER_ACCESS_TOKEN"),
        refresh_token: secret("KROGER_USER_REFRESH_TOKEN"),
        expires_at: value("KROGER_USER_TOKEN_EXPIRES_AT").and_then(|text| seconds(text.parse().ok()?)),
        ..Found::default()
    };
    holding(Kind::Dotenv, [SignIn { user_id: value("KROGER_HARDCODED_USER_ID"), found }])
}

/// Reads the members of a token dict, with two functions that look them up.
fn found(text: impl Fn(&str) -> Option<String>, number: impl Fn(&str) -> Option<f64>) -> Found {
    let secret = |name| text(name).filter(|text| !text.is_empty()).map(Secret::new);
    Found {
        access_token: secret("access_token"),
        refresh_token: secret("refresh_token"),
        expires_at: number("expires_at").and_then(seconds),
        obtained_at: number("refreshed_at").and_then(seconds),
        scope: text("scope").filter(|scope| !scope.trim().is_empty()),
    }
}

fn seconds(number: f64) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    (0.0..=LAST_SECOND).contains(&number).then_some(Timestamp((number * 1_000.0) as u64))
}

/// Sorts the entries that have a token: those that can be used, and those that cannot.
fn holding(kind: Kind, sign_ins: impl IntoIterator<Item = SignIn>) -> Result<TokenFile, TokenFileError> {
    let has_token = |sign_in: &SignIn| sign_in.found.access_token.is_some() || sign_in.found.refresh_token.is_some();
    let mut file = TokenFile { sign_ins: Vec::new(), unusable: Vec::new() };
    for sign_in in sign_ins.into_iter().filter(has_token) {
        match sign_in.flaw() {
            None => file.sign_ins.push(sign_in),
            Some(why) => file.unusable.push(Unusable { user_id: sign_in.user_id, why }),
        }
    }
    if file.sign_ins.is_empty() && file.unusable.is_empty() { Err(TokenFileError::Empty(kind)) } else { Ok(file) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_as(name: &str, bytes: &[u8]) -> Result<TokenFile, TokenFileError> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(name), bytes).unwrap();
        read(&directory.path().join(name))
    }

    fn refresh_token(sign_in: &SignIn) -> &str {
        sign_in.found.refresh_token.as_ref().unwrap().expose()
    }

    #[test]
    fn the_first_systems_pickle_gives_each_users_pair_with_its_times() {
        let bytes = b"\x80\x03}(X\x0b\0\0\0user_tokens}(X\x05\0\0\0alice}(X\x0d\0\0\0refresh_tokenX\x01\0\0\0r\
            X\x0a\0\0\0expires_atG@\x8f@\0\0\0\0\0X\x0c\0\0\0refreshed_atK\x07uX\x03\0\0\0bob}uu.";

        let file = read_as("anything", bytes).unwrap();

        assert_eq!(file.sign_ins.len(), 1);
        assert_eq!(file.sign_ins[0].user_id.as_deref(), Some("alice"));
        assert_eq!(refresh_token(&file.sign_ins[0]), "r");
        assert_eq!(file.sign_ins[0].found.expires_at, Some(Timestamp::from_secs(1_000)));
        assert_eq!(file.sign_ins[0].found.obtained_at, Some(Timestamp::from_secs(7)));
    }

    #[test]
    fn the_first_systems_json_gives_its_users_and_not_the_apps_own_token() {
        let file = read_as(
            ".kroger_tokens.json",
            br#"{"user_tokens": {"bob": {"access_token": "a", "refresh_token": "r", "expires_at": "1755496304.68"}},
                "client_credentials": {"access_token": "c", "expires_at": 1755496304}, "last_updated": 1.5}"#,
        )
        .unwrap();

        assert_eq!(file.sign_ins.len(), 1);
        assert_eq!(file.sign_ins[0].user_id.as_deref(), Some("bob"));
        assert_eq!(file.sign_ins[0].found.expires_at.map(Timestamp::as_secs), Some(1_755_496_304));
    }

    #[test]
    fn an_entry_that_cannot_be_used_is_reported_and_the_others_are_read() {
        let file = read_as(
            "x.json",
            b"\xef\xbb\xbf{\"user_tokens\": {\"ann\": {\"refresh_token\": \"r\"}, \"bob\": {\"access_token\": \"bad canary\"},
                \"weird\\nid\": {\"refresh_token\": \"r\"}}}",
        )
        .unwrap();

        assert_eq!(file.sign_ins.len(), 1);
        assert_eq!(file.sign_ins[0].user_id.as_deref(), Some("ann"));
        let told: Vec<(&str, &str)> =
            file.unusable.iter().map(|entry| (entry.user_id.as_deref().unwrap(), entry.why.as_str())).collect();
        assert_eq!(
            told,
            [
                ("bob", "its access token is not at most 16 KiB of printable ASCII without blanks"),
                (
                    "weird\nid",
                    "its user id is not 1 to 256 characters, none of them hidden, such as a control or zero-width character"
                ),
            ]
        );
    }

    #[test]
    fn kroger_apis_file_is_as_old_as_it_was_written() {
        let bytes = br#"{"access_token": "a", "refresh_token": "r", "expires_in": 1800, "token_type": "bearer"}"#;

        let file = read_as(".kroger_token_user.json", bytes).unwrap();

        let found = &file.sign_ins[0].found;
        assert_eq!(file.sign_ins[0].user_id.as_deref(), None);
        assert_eq!(found.expires_at.unwrap().since(found.obtained_at.unwrap()).as_secs(), 1_800);
    }

    #[test]
    fn kroger_apis_file_with_the_apps_own_token_signs_nobody_in() {
        let bytes = br#"{"access_token": "a", "expires_in": 1800}"#;

        assert_eq!(read_as("c.json", bytes).unwrap_err(), TokenFileError::Empty(Kind::KrogerApi));
    }

    #[test]
    fn a_foreign_env_file_gives_its_three_variables_and_whose_they_are() {
        let file = read_as(
            ".env",
            b"# theirs\nnot a line\nexport KROGER_USER_REFRESH_TOKEN='r'\nKROGER_USER_ACCESS_TOKEN=\n\
              KROGER_USER_TOKEN_EXPIRES_AT=1755496304.682251\nKROGER_HARDCODED_USER_ID=ann\n",
        )
        .unwrap();

        assert_eq!(file.sign_ins[0].user_id.as_deref(), Some("ann"));
        assert_eq!(refresh_token(&file.sign_ins[0]), "r");
        assert!(file.sign_ins[0].found.access_token.is_none());
    }

    #[test]
    fn a_file_of_another_kind_is_refused_with_the_reason() {
        let cases: [(&str, &[u8], TokenFileError); 10] = [
            ("x", b"", TokenFileError::Unknown),
            ("x", b"\xff\xfe\x00", TokenFileError::Unknown),
            ("x.json", b"{\"a\": 1}", TokenFileError::Unknown),
            ("x.json", b"{\"user_tokens\": []}", TokenFileError::Empty(Kind::Json)),
            ("x.env", b"A=b\n", TokenFileError::Empty(Kind::Dotenv)),
            ("x.json", b"{\"user_tokens\": {\"ann\":", TokenFileError::Json { line: 1, column: 23 }),
            ("x", b"cos\nsystem\n(S'touch canary'\ntR.", TokenFileError::Pickle(PickleError::WouldRunCode("GLOBAL"))),
            ("x", b"consider this:\nno file at all.", TokenFileError::Unknown),
            (".tokens", b"cos\nsystem\n.", TokenFileError::Pickle(PickleError::WouldRunCode("GLOBAL"))),
            ("x", b"}.", TokenFileError::Empty(Kind::Pickle)),
        ];
        for (name, bytes, expected) in cases {
            assert_eq!(read_as(name, bytes).unwrap_err(), expected, "{name} {bytes:?}");
        }
    }

    #[test]
    fn a_directory_and_a_huge_file_are_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let huge = directory.path().join("huge");
        File::create(&huge).unwrap().set_len(MAX_FILE + 1).unwrap();

        assert_eq!(read(&huge).unwrap_err(), TokenFileError::TooLarge);
        assert_eq!(read(&directory.path().join(".")).unwrap_err(), TokenFileError::NotAFile);
        let absent = read(&directory.path().join("absent")).unwrap_err();
        assert_eq!(absent, TokenFileError::Unreadable(io::ErrorKind::NotFound));
    }

    #[test]
    fn debug_shows_no_token() {
        let file = read_as("x", br#"{"user_tokens": {"bob": {"access_token": "canary"}}}"#).unwrap();

        assert!(!format!("{file:?}").contains("canary"));
    }
}
