//! Mounts a small filesystem in memory over a store. No other process sees the mount.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A mount namespace with the filesystem. Dropping this removes both.
pub struct SmallDisk {
    holder: Child,
    ballast: PathBuf,
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts 1 MiB over `.tokens` in `folder`. An error says why this machine does not allow it.
    pub fn over_store_in(folder: &Path) -> Result<Self, String> {
        Self::of_size("1m", folder)
    }

    /// Mounts `size`, as `mount` takes it, over `.tokens` in `folder`.
    pub fn of_size(size: &str, folder: &Path) -> Result<Self, String> {
        let store = folder.join(".tokens");
        std::fs::create_dir_all(&store).map_err(|error| error.to_string())?;
        let mut holder = Command::new("unshare")
            .args(["-m", "sh", "-c", "mount -t tmpfs -o size=\"$1\",mode=0700 none \"$0\" && echo mounted && exec cat"])
            .arg(&store)
            .arg(size)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("unshare does not start: {error}"))?;
        let mut said = String::new();
        let stdout = holder.stdout.take().expect("a pipe");
        let read = BufReader::new(stdout).read_line(&mut said);
        if read.is_err() || said.trim() != "mounted" {
            let _ = holder.wait();
            return Err("this user may not mount a filesystem of its own".to_owned());
        }
        Ok(Self { holder, ballast: store.join("ballast"), folder: folder.to_owned() })
    }

    /// The arguments for [`Kroger::under`](crate::support::Kroger::under) that run a command in the
    /// namespace.
    pub fn entering(&self) -> Vec<String> {
        let holder = self.holder.id().to_string();
        let folder = self.folder.to_str().expect("a path of text");
        ["-t", &holder, "-m", "sh", "-c", "cd \"$0\" && exec \"$@\"", folder].map(str::to_owned).to_vec()
    }

    /// Fills the disk up to the last byte.
    pub fn fill(&self) {
        // dd fails when the disk is full, so its status is ignored.
        self.run("dd if=/dev/zero of=\"$0\" bs=4k 2>/dev/null; test -s \"$0\"");
    }

    pub fn empty(&self) {
        self.run("rm \"$0\"");
    }

    /// Whether a shell ends `script` without an error. `$0` is a path on the disk.
    pub fn says(&self, script: &str) -> bool {
        let mut command = Command::new("nsenter");
        command.args(self.entering()).args(["sh", "-c", script]).arg(&self.ballast);
        command.status().unwrap().success()
    }

    fn run(&self, script: &str) {
        assert!(self.says(script), "{script}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
