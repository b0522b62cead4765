//! Breaks the protocol on purpose, one way at a time, and shows that the
//! simulation notices: `cargo run --release -p kroger-connector --example mutants`.
//!
//! Each mutant is a text in one of the core's files and what takes its place, in
//! a copy of the sources under a temporary directory; the checkout is never
//! touched. A text that is not there exactly once is an error: the mutant no
//! longer says what it means to break. Where another rule stands behind the broken
//! one, a unit test is asked in place of the simulation.

mod mutations;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use mutations::{MUTATIONS, Mutation};

/// As many seeds a mutant must survive to count as a survivor.
const SEEDS: u64 = 50_000;

fn main() -> ExitCode {
    let only: Vec<String> = std::env::args().skip(1).collect();
    match run(&only) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether every mutant was caught.
fn run(only: &[String]) -> io::Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout");
    let copy = Copy::of(root)?;
    let chosen = || {
        MUTATIONS
            .iter()
            .filter(|mutation| only.is_empty() || only.iter().any(|name| mutation.name.contains(name.as_str())))
    };
    for mutation in chosen() {
        copy.check(mutation)?;
    }
    println!("{:<58}{:>7}  caught by", "mutant", "seeds");
    let mut survivors = 0;
    for mutation in chosen() {
        let verdict = copy.try_out(mutation)?;
        survivors += u64::from(verdict == Verdict::Survived);
        println!("{:<58}{verdict}", mutation.name);
    }
    println!("{} mutants, {survivors} survived", chosen().count());
    Ok(survivors == 0)
}

/// What became of a mutant.
#[derive(PartialEq, Eq)]
enum Verdict {
    /// The first seed that catches it, and what it saw.
    Caught(u64, String),
    Failed(&'static str),
    Survived,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught(seed, text) => write!(f, "{:>7}  {:.90}", seed + 1, text),
            Self::Failed(test) => write!(f, "{:>7}  {}", "test", test.rsplit(':').next().unwrap_or_default()),
            Self::Survived => write!(f, "{SEEDS:>7}  SURVIVED"),
        }
    }
}

/// The core and the simulation, in a package of their own.
struct Copy {
    folder: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn of(root: &Path) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("kroger-connector-mutants-{}", std::process::id()));
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("mutants");
        let component = folder.join("component");
        copy_folder(&root.join("component/src/core"), &component.join("src/core"))?;
        fs::copy(root.join("component/src/core.rs"), component.join("src/core.rs"))?;
        fs::copy(root.join("component/src/ports.rs"), component.join("src/ports.rs"))?;
        fs::copy(root.join("component/src/testing.rs"), component.join("src/testing.rs"))?;
        fs::write(component.join("src/lib.rs"), "pub mod core;\npub mod ports;\n#[cfg(test)]\npub mod testing;\n")?;
        copy_folder(&root.join("tests/simulation"), &folder.join("tests/simulation"))?;
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        let workspace = fs::read_to_string(root.join("Cargo.toml"))?;
        fs::write(folder.join("Cargo.toml"), only_the_component(&workspace))?;
        let package = fs::read_to_string(root.join("component/Cargo.toml"))?;
        fs::write(component.join("Cargo.toml"), package.replace("\"cdylib\", ", ""))?;
        Ok(Self { folder, target })
    }

    fn path(&self, mutation: &Mutation) -> PathBuf {
        self.folder.join("component/src/core").join(mutation.file)
    }

    /// Whether the text to be replaced is there exactly once.
    fn check(&self, mutation: &Mutation) -> io::Result<()> {
        let found = fs::read_to_string(self.path(mutation))?.matches(mutation.find).count();
        if found == 1 {
            return Ok(());
        }
        let text =
            format!("the mutant `{}` no longer applies: its text is {found} times in {}", mutation.name, mutation.file);
        Err(io::Error::other(text))
    }

    fn try_out(&self, mutation: &Mutation) -> io::Result<Verdict> {
        let path = self.path(mutation);
        let sound = fs::read_to_string(&path)?;
        fs::write(&path, sound.replace(mutation.find, mutation.replace))?;
        let verdict = match mutation.test {
            None => self.hunt(),
            Some(test) => self.ask(test),
        };
        fs::write(&path, sound)?;
        verdict.map_err(|error| io::Error::other(format!("the mutant `{}`: {error}", mutation.name)))
    }

    fn hunt(&self) -> io::Result<Verdict> {
        self.cargo(&["build", "--example", "simulate"])?;
        let program = self.target.join("release/examples/simulate");
        let output = Command::new(program).args(["--hunt", &SEEDS.to_string()]).output()?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        if told.starts_with("survived") {
            return Ok(Verdict::Survived);
        }
        let caught = told.strip_prefix("caught ").and_then(|rest| rest.split_once(' '));
        let Some((seed, text)) = caught else {
            let last = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
            return Err(io::Error::other(format!("the simulation broke off: {}, {last}", output.status)));
        };
        let seed = seed.parse().map_err(io::Error::other)?;
        Ok(Verdict::Caught(seed, text.trim().to_owned()))
    }

    fn ask(&self, test: &'static str) -> io::Result<Verdict> {
        self.cargo(&["test", "--lib", "--no-run"])?;
        let mut asked = self.command(&["test", "--lib"]);
        let output = asked.args(["--", "--exact", test]).output()?;
        let told = String::from_utf8_lossy(&output.stdout);
        match (told.contains("running 1 test"), output.status.success()) {
            (true, false) => Ok(Verdict::Failed(test)),
            (true, true) => Ok(Verdict::Survived),
            (false, _) => Err(io::Error::other(format!("there is no test {test}"))),
        }
    }

    /// Builds the copy as it is now.
    fn cargo(&self, arguments: &[&str]) -> io::Result<()> {
        let output = self.command(arguments).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("does not compile\n{}", String::from_utf8_lossy(&output.stderr))))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(arguments)
            .args(["--release", "--quiet", "--offline", "-p", "kroger-connector"])
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2");
        command
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The workspace's manifest, for the one package that the copy has.
fn only_the_component(manifest: &str) -> String {
    let lines =
        manifest.lines().map(|line| if line.starts_with("members") { "members = [\"component\"]" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
