//! The variables that the operator gave: the environment, and the `.env` file that fills in what the
//! environment lacks.
//!
//! Only variables with a value in UTF-8 count. This module does not know what a variable means.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use kroger_core::settings::known::{another_in, is_credential, is_known, showable, steers};

use super::refused::Refused;
use crate::files::dotenv::{Dotenv, Malformed, read_dotenv};
use crate::files::trusted;

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
    /// [`Refused`] if a `.env` exists and cannot be read or may be written by strangers, if one of its
    /// settings cannot be read or may not come from there, or if a variable of ours is not UTF-8.
    pub fn here() -> Result<Self, Refused> {
        let path = PathBuf::from(DOTENV);
        let environment = texts(std::env::vars_os())?;
        let (dotenv, warnings) = read_regular(&path)?;
        check_malformed(&dotenv, &environment)?;
        check_joined(&dotenv, &environment)?;
        check_sources(&dotenv, &environment)?;
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
    // A folder that strangers may write does no harm while there is no such file in it.
    if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok((Dotenv::default(), Vec::new()));
    }
    trusted::check(path).map_err(|untrusted| Refused::UntrustedDotenv(untrusted.to_string()))?;
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

/// Refuses a setting in whose value another one stands. The other would count as absent, and the value
/// would be shown where the setting's value is.
fn check_joined(dotenv: &Dotenv, environment: &[(String, String)]) -> Result<(), Refused> {
    let in_file = dotenv.variables.iter().zip(&dotenv.lines).map(|(variable, line)| (variable, Some(*line)));
    let all = environment.iter().map(|variable| (variable, None)).chain(in_file);
    for ((name, value), line) in all.filter(|((name, _), _)| is_ours(name)) {
        if let Some(other) = another_in(value) {
            return Err(Refused::Joined { line, name: showable(name).to_owned(), other });
        }
    }
    Ok(())
}

/// Refuses a setting of `.env` that says where secrets go or who may call, if a credential comes from
/// the environment.
///
/// Agents start servers in project folders, and strangers write what is in those. With such a setting
/// they would get the credentials of the environment, or could call the server from a web page.
fn check_sources(dotenv: &Dotenv, environment: &[(String, String)]) -> Result<(), Refused> {
    let given = |wanted: &str| environment.iter().any(|variable| variable.0 == wanted && has_value(variable));
    let credential = environment.iter().find(|variable| is_credential(&variable.0) && has_value(variable));
    let Some((credential, _)) = credential else { return Ok(()) };
    let in_file = dotenv.variables.iter().zip(&dotenv.lines);
    let mut foreign = in_file.filter(|(variable, _)| steers(&variable.0) && has_value(variable) && !given(&variable.0));
    let refused = foreign.next().map(|((name, _), line)| (name.clone(), *line));
    refused.map_or(Ok(()), |(name, line)| Err(Refused::ForeignSetting { line, name, credential: credential.clone() }))
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

    const CREDENTIALS: [&str; 4] =
        ["KROGER_CLIENT_ID", "KROGER_CLIENT_SECRET", "KROGER_USER_ACCESS_TOKEN", "KROGER_USER_REFRESH_TOKEN"];

    #[test]
    fn what_says_where_secrets_go_or_who_may_call_comes_from_where_the_credentials_are() {
        let parsed = |text: &str| crate::files::dotenv::parse(text.as_bytes());
        for setting in [
            "KROGER_API_BASE_URL=https://evil.example",
            "KROGER_TOKEN_PATH=/elsewhere",
            "KROGER_AUTHORIZE_PATH=/elsewhere",
            "KROGER_REDIRECT_URI=https://evil.example/auth/callback",
            "KROGER_ALLOWED_ORIGINS=https://evil.example",
            "KROGER_STORE=tokens",
            "KROGER_BUCKET=cache",
            "export KROGER_API_BASE_URL='https://evil.example'",
        ] {
            let name = setting.trim_start_matches("export ").split('=').next().unwrap();
            let beside = parsed(&format!("# theirs\n{setting}\n"));
            let complete = parsed(&format!("{setting}\nKROGER_CLIENT_ID=a\nKROGER_CLIENT_SECRET=b\n"));

            for credential in CREDENTIALS {
                let environment = owned(&[(credential, "hush")]);
                let refused = check_sources(&beside, &environment).unwrap_err().to_string();
                assert!(refused.contains(&format!("{name} in .env, line 2")), "{refused}");
                assert!(
                    refused.contains(credential) && !refused.contains("evil") && !refused.contains("hush"),
                    "{refused}"
                );
                // Half of the credentials in the file do not make the file the operator's.
                assert!(check_sources(&complete, &environment).is_err(), "{credential}, {setting}");
                let both = owned(&[(credential, "hush"), (name, "https://api-ce.kroger.com")]);
                assert!(check_sources(&beside, &both).is_ok(), "the environment wins: {setting}");
            }
            assert!(check_sources(&complete, &[]).is_ok(), "{setting}");
            assert!(check_sources(&complete, &owned(&[("KROGER_CLIENT_ID", " ")])).is_ok(), "{setting}");
        }
        let harmless = "KROGER_DEFAULT_ZIP_CODE=45202\nKROGER_USER_REFRESH_TOKEN=r\nPORT=1\nKROGER_API_BASE_URL=\n";
        assert!(check_sources(&parsed(harmless), &owned(&[("KROGER_CLIENT_SECRET", "hush")])).is_ok());
    }

    #[test]
    fn an_env_file_is_read_if_strangers_cannot_write_it_and_the_folder_matters_only_with_it() {
        use std::os::unix::fs::PermissionsExt as _;

        for (mode, folder_mode, is_read) in
            [(0o600, 0o755, true), (0o644, 0o1777, true), (0o666, 0o755, false), (0o600, 0o777, false)]
        {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(DOTENV);
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(folder_mode)).unwrap();
            assert!(read_regular(&path).is_ok(), "{folder_mode:o}");
            std::fs::write(&path, "KROGER_CLIENT_ID=app\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();

            assert_eq!(read_regular(&path).is_ok(), is_read, "{mode:o} {folder_mode:o}");
        }
    }

    #[test]
    fn two_settings_on_one_line_are_refused_by_name_and_line_and_never_shown() {
        for text in [
            "# ours\nKROGER_CLIENT_ID=app1 KROGER_CLIENT_SECRET=canary\n",
            "# ours\nexport KROGER_CLIENT_ID=app1 KROGER_CLIENT_SECRET=canary\n",
            "# ours\nKROGER_CLIENT_ID=app1;KROGER_CLIENT_SECRET='canary'\r\n",
            "# ours\nKROGER_STORE=app1,KROGER_CLIENT_SECRET=canary\n",
            "# ours\nPORT=1 KROGER_CLIENT_SECRET=canary\n",
            "# ours\nKROGER_CLIENT_ID=\"app1 KROGER_CLIENT_SECRET=canary\"\n",
            "# ours\nKROGER_CLIENT_ID=\"app1\nKROGER_CLIENT_SECRET=canary\"\n",
            "# ours\nKROGER_CLIENT_ID=app1\rKROGER_CLIENT_SECRET=canary\r",
            "# ours\nKROGER_CLIENT_ID=\"app1\" KROGER_CLIENT_SECRET=canary\n",
            "# ours\nKROGER_CLIENT_SECRET: canary\n",
            "# ours\nKROGER_CLIENT_SECRET canary=x\n",
            "# ours\nKROGER_CLIENT_SECRETcanary\n",
        ] {
            let dotenv = crate::files::dotenv::parse(text.as_bytes());

            let refused = check_malformed(&dotenv, &[]).and_then(|()| check_joined(&dotenv, &[]));

            let told = format!("{} {dotenv:?}", refused.unwrap_err());
            assert!(told.contains("line 2") && told.contains("KROGER_"), "{told}");
            assert!(!told.contains("canary"), "{text:?}: {told}");
        }
        let joined = owned(&[("KROGER_CLIENT_ID", "app1 KROGER_CLIENT_SECRET=canary")]);
        let refused = check_joined(&Dotenv::default(), &joined).unwrap_err().to_string();
        assert!(refused.contains("KROGER_CLIENT_ID in the environment") && !refused.contains("canary"), "{refused}");
    }
}
