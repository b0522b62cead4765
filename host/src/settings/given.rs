//! The variables that the operator gave: the environment, and the `.env` file that fills in what the
//! environment lacks.
//!
//! Only variables with a value in UTF-8 count. This module does not know what a variable means.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use kroger_core::settings::known::is_known;

use super::refused::Refused;
use crate::files::dotenv::{Dotenv, Malformed, read_dotenv};

const DOTENV: &str = ".env";

/// The three variables of the mirror in `.env`. The component reads the mirror as a bucket, because
/// there it sees later changes too.
pub(super) const TOKENS: [&str; 3] =
    ["KROGER_USER_ACCESS_TOKEN", "KROGER_USER_REFRESH_TOKEN", "KROGER_USER_TOKEN_EXPIRES_AT"];

/// The variables as they were found. `Debug` shows only their names.
#[derive(Default)]
pub struct Given {
    /// The process environment; it wins.
    pub environment: Vec<(String, String)>,
    /// The `.env` file; it fills in.
    pub dotenv: Vec<(String, String)>,
    /// The path of the `.env` file, which need not exist.
    pub dotenv_path: Option<PathBuf>,
    /// What was ignored in that file, a sentence each.
    pub warnings: Vec<String>,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |variables: &[(String, String)]| -> Vec<String> {
            variables.iter().map(|(name, _)| name.clone()).collect()
        };
        f.debug_struct("Given")
            .field("environment", &names(&self.environment))
            .field("dotenv", &names(&self.dotenv))
            .finish_non_exhaustive()
    }
}

impl Given {
    /// This process's environment and the `.env` file of its working directory.
    ///
    /// # Errors
    /// [`Refused`] if a `.env` exists and cannot be read, if one of its settings cannot be read, or if
    /// a variable of ours is not UTF-8.
    pub fn here() -> Result<Self, Refused> {
        let path = PathBuf::from(DOTENV);
        let environment = texts(std::env::vars_os())?;
        let (dotenv, warnings) = read_regular(&path)?;
        check_malformed(&dotenv, &environment)?;
        Ok(Self { environment, dotenv: dotenv.variables, dotenv_path: Some(path), warnings })
    }

    /// The value of `name`. The environment comes first.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let in_order = self.environment.iter().chain(self.dotenv.iter().rev());
        in_order.filter(|given| has_value(given)).find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether `KROGER_CLIENT_ID` is set.
    pub fn has_credentials(&self) -> bool {
        self.variable("KROGER_CLIENT_ID").is_some()
    }

    /// The `KROGER_*` variables that the component gets to see.
    pub(super) fn for_component(&self) -> BTreeMap<String, String> {
        let dotenv = self.dotenv.iter().filter(|(name, _)| !TOKENS.contains(&name.as_str()));
        let in_order = dotenv.chain(&self.environment).filter(|given| has_value(given));
        in_order.filter(|(name, _)| name.starts_with("KROGER_")).cloned().collect()
    }
}

/// An empty value counts as absent, and hides no other value.
fn has_value((_, value): &(String, String)) -> bool {
    !value.trim().is_empty()
}

/// Reads the file at `path` if it is a regular file. A pipe is not read: its writer may never come.
fn read_regular(path: &Path) -> Result<(Dotenv, Vec<String>), Refused> {
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return Ok((Dotenv::default(), vec![".env is not a regular file and is not read".to_owned()]));
    }
    let dotenv = read_dotenv(path).map_err(|error| Refused::Dotenv(error.kind()))?;
    let numbers: Vec<String> = dotenv.malformed.iter().map(|malformed| format!("line {}", malformed.line)).collect();
    let warning = format!("ignored in .env, being neither `NAME=value` nor a comment: {}", numbers.join(", "));
    let warnings = if numbers.is_empty() { Vec::new() } else { vec![warning] };
    Ok((dotenv, warnings))
}

/// Refuses a setting that stands in a malformed line: it must not count as absent. Token variables are
/// ignored, because the store has newer tokens.
fn check_malformed(dotenv: &Dotenv, environment: &[(String, String)]) -> Result<(), Refused> {
    let is_given = |wanted: &str| environment.iter().any(|given| given.0 == wanted && has_value(given));
    let is_lost = |name: &str| is_ours(name) && !TOKENS.contains(&name) && !is_given(name);
    let lost = dotenv
        .malformed
        .iter()
        .find_map(|Malformed { line, name }| Some((*line, name.clone().filter(|name| is_lost(name))?)));
    lost.map_or(Ok(()), |(line, name)| Err(Refused::MalformedLine { line, name }))
}

fn is_ours(name: &str) -> bool {
    name.starts_with("KROGER_") || is_known(name)
}

fn texts(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>, Refused> {
    let mut texts = Vec::new();
    for (name, value) in variables {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => texts.push((name, value)),
            Err(_) if is_ours(&name) => return Err(Refused::NoText(name)),
            Err(_) => {}
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn given(environment: &[(&str, &str)], dotenv: &[(&str, &str)]) -> Given {
        Given { environment: owned(environment), dotenv: owned(dotenv), ..Given::default() }
    }

    #[test]
    fn an_empty_value_counts_as_absent() {
        assert_eq!(given(&[("PORT", "")], &[]).variable("PORT"), None);
        assert_eq!(given(&[], &[("PORT", "1"), ("PORT", "2")]).variable("PORT"), Some("2"));
    }

    #[test]
    fn a_variable_of_ours_that_is_not_utf_8_is_refused_by_name() {
        use std::os::unix::ffi::OsStringExt as _;
        let no_text = || OsString::from_vec(b"canary\xff".to_vec());

        let refused = texts([("KROGER_CLIENT_ID".into(), no_text())]).unwrap_err().to_string();

        assert!(refused.contains("KROGER_CLIENT_ID") && !refused.contains("canary"), "{refused}");
        assert_eq!(texts([("LESSOPEN".into(), no_text())]).unwrap(), []);
    }

    #[test]
    fn a_setting_in_a_malformed_line_is_refused_by_name_and_line_unless_the_environment_has_it() {
        let dotenv = |text: &str| crate::files::dotenv::parse(text.as_bytes());
        let secret = "# ours\nKROGER_CLIENT_SECRET=\"canary\n";

        let refused = check_malformed(&dotenv(secret), &[]).unwrap_err().to_string();

        assert!(refused.contains("KROGER_CLIENT_SECRET") && refused.contains("line 2"), "{refused}");
        assert!(!refused.contains("canary"), "{refused}");
        assert!(check_malformed(&dotenv(secret), &owned(&[("KROGER_CLIENT_SECRET", "x")])).is_ok());
        for harmless in ["PATH='open\n", "nonsense\n", "KROGER_USER_ACCESS_TOKEN='open\n"] {
            assert!(check_malformed(&dotenv(harmless), &[]).is_ok(), "{harmless}");
        }
    }
}
