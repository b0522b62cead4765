//! A copy of the core and the simulation in which a mutant is built and run.
//!
//! The copy is this package, this simulation and the pages that the unit tests read, in
//! a workspace of its own below the temporary folder. It never changes the checkout.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::mutation::{CORE, Mutation, UnitTest};

/// A mutant survives if this many seeds do not notice it.
pub(crate) const SEEDS: u64 = 50_000;

const SIMULATION: &str = "tests/simulation";
const PACKAGE: &str = env!("CARGO_PKG_NAME");
/// The pages that the core's unit tests hold against its sources.
const PAGES: &str = "docs";

/// The result of trying a mutant.
#[derive(PartialEq, Eq)]
pub(crate) enum MutantResult {
    /// The first seed that shows a violation, and the violation.
    Caught(u64, String),
    /// The unit test that fails.
    Failed(&'static str),
    Survived,
}

/// The copy, which is deleted when it is dropped.
pub(crate) struct CoreCopy {
    folder: PathBuf,
    /// The folder of the package, below the root of the copy.
    package: PathBuf,
    target: PathBuf,
    /// Held for as long as the target folder is in use.
    _lock: File,
}

impl CoreCopy {
    /// Copies the package and the simulation.
    pub(crate) fn new() -> io::Result<Self> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).expect("a workspace");
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("mutants");
        let lock = lock(&target)?;
        let folder = std::env::temp_dir().join(format!("{PACKAGE}-mutants-{}", std::process::id()));
        let below = package.strip_prefix(root).expect("a package of this workspace").to_owned();
        let copy = Self { folder, package: below, target, _lock: lock };
        copy.fill(root)?;
        Ok(copy)
    }

    fn fill(&self, root: &Path) -> io::Result<()> {
        let package = self.folder.join(&self.package);
        copy_folder(&root.join(&self.package).join(CORE), &package.join(CORE))?;
        copy_folder(&root.join(SIMULATION), &self.folder.join(SIMULATION))?;
        copy_folder(&root.join(PAGES), &self.folder.join(PAGES))?;
        fs::copy(root.join("Cargo.lock"), self.folder.join("Cargo.lock"))?;
        let workspace = fs::read_to_string(root.join("Cargo.toml"))?;
        fs::write(self.folder.join("Cargo.toml"), with_one_member(&workspace, &self.package)?)?;
        fs::copy(root.join(&self.package).join("Cargo.toml"), package.join("Cargo.toml"))?;
        Ok(())
    }

    /// Breaks the copy, runs what should notice, and mends the copy.
    pub(crate) fn try_out(&self, mutation: &Mutation) -> io::Result<MutantResult> {
        let path = self.core().join(mutation.file);
        let sound = fs::read_to_string(&path)?;
        fs::write(&path, mutation.apply(&sound).map_err(io::Error::other)?)?;
        let result = match mutation.test {
            None => self.run_simulation(),
            Some(test) => self.run_test(test),
        };
        fs::write(&path, sound)?;
        result
    }

    /// The folder of the core's sources in the copy.
    pub(crate) fn core(&self) -> PathBuf {
        self.folder.join(&self.package).join(CORE)
    }

    fn run_simulation(&self) -> io::Result<MutantResult> {
        self.build(&["build", "--example", "simulate"])?;
        let program = self.target.join("release/examples/simulate");
        let output = Command::new(program).args(["--hunt", &SEEDS.to_string()]).output()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if printed.starts_with("survived") {
            return Ok(MutantResult::Survived);
        }
        let caught = printed.strip_prefix("caught ").and_then(|rest| rest.split_once(' '));
        let Some((seed, violation)) = caught else {
            let last = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
            return Err(io::Error::other(format!("the simulation broke off: {}, {last}", output.status)));
        };
        let seed = seed.parse().map_err(io::Error::other)?;
        Ok(MutantResult::Caught(seed, violation.trim().to_owned()))
    }

    fn run_test(&self, test: UnitTest) -> io::Result<MutantResult> {
        self.build(&["test", "--lib", "--no-run"])?;
        let path = test.path();
        let output = self.cargo(&["test", "--lib"]).args(["--", "--exact", &path]).output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        match (printed.contains("running 1 test"), output.status.success()) {
            (true, false) => Ok(MutantResult::Failed(test.name)),
            (true, true) => Ok(MutantResult::Survived),
            (false, _) => Err(io::Error::other(format!("there is no test {path}"))),
        }
    }

    /// Builds the copy as it is now.
    fn build(&self, arguments: &[&str]) -> io::Result<()> {
        let output = self.cargo(arguments).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("does not compile\n{}", String::from_utf8_lossy(&output.stderr))))
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(arguments)
            .args(["--release", "--quiet", "--offline", "-p", PACKAGE])
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2");
        command
    }
}

impl Drop for CoreCopy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Takes the target folder for this run: two runs would replace each other's programs.
fn lock(target: &Path) -> io::Result<File> {
    fs::create_dir_all(target)?;
    let lock = File::create(target.join("lock"))?;
    let is_taken = |_| io::Error::other(format!("another run of mutants uses {}", target.display()));
    lock.try_lock().map_err(is_taken)?;
    Ok(lock)
}

/// The workspace's manifest, for the one package that the copy has.
fn with_one_member(manifest: &str, package: &Path) -> io::Result<String> {
    let list = manifest.split_once("members = [").and_then(|(before, rest)| {
        let (_, after) = rest.split_once(']')?;
        Some((before, after))
    });
    let Some((before, after)) = list else { return Err(io::Error::other("the workspace lists no members")) };
    Ok(format!("{before}members = [\"{}\"]{after}", package.display()))
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
