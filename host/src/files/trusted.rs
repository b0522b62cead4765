//! Checks that no stranger can write a file or a directory, or exchange it: the rule of OpenSSH's
//! `StrictModes`.
//!
//! Code that is executed and tokens that are used are only as safe as their place. Each directory from
//! the root down to the path must belong to this user or to root, and nobody else may write it. The
//! same holds for the path itself, for each symbolic link on the way, and for what the link leads to.
//!
//! Three cases are decided here:
//!
//! - A sticky directory such as `/tmp` may lie on the way: strangers can add entries to it, but cannot
//!   exchange ours. The path itself may not be such a directory.
//! - A group may write if it is the private group of the owner, which has no other member. Many systems
//!   give each user such a group and a umask of 002. Debian's OpenSSH allows the same.
//! - In a user namespace that does not map the real root, root's directories belong to the overflow
//!   user. They count as root's if `/` belongs to that user too.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use crate::quote::quoted;

/// More symbolic links on one way are a circle.
const MOST_LINKS: usize = 40;

/// More entries than a cache of compiled code has.
const MOST_ENTRIES: usize = 10_000;

const RIGHTS_OF_OTHERS: u32 = 0o077;
const STICKY: u32 = 0o1000;
const GROUP_MAY_WRITE: u32 = 0o020;
const ALL_MAY_WRITE: u32 = 0o002;

/// A path that strangers can write, and how to correct that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Untrusted {
    path: PathBuf,
    flaw: Flaw,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Flaw {
    /// It belongs to `owner`, who is neither `user` nor root.
    Owner { owner: u32, user: u32 },
    /// Others than its owner may write it.
    Writable,
    /// It is a symbolic link, or leads through too many.
    Link,
    /// There are too many files to look at.
    Entries,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = quoted(&self.path.to_string_lossy()).into_owned();
        match self.flaw {
            Flaw::Owner { owner, user } => write!(
                f,
                "{path} belongs to user {owner}, and may only belong to this user ({user}) or to root; run as its \
                 owner, or correct it: chown {user} {path}"
            ),
            Flaw::Writable => write!(f, "others than its owner may write {path}; correct it: chmod go-w {path}"),
            Flaw::Link => write!(f, "{path} is a symbolic link that is not followed; remove it: rm {path}"),
            Flaw::Entries => write!(f, "{path} has too many entries; remove it: rm -r {path}"),
        }
    }
}

impl std::error::Error for Untrusted {}

/// Checks `path` and each directory above it. What does not exist, or cannot be reached, has no flaw.
pub(crate) fn check(path: &Path) -> Result<(), Untrusted> {
    Judge::of_this_process().check(path)
}

/// Checks all that is below the directory `path`. No symbolic link may be in it.
pub(crate) fn check_below(path: &Path) -> Result<(), Untrusted> {
    Judge::of_this_process().check_below(path)
}

/// Whether the file's owner alone has rights to it.
pub(crate) fn is_private(found: &Metadata) -> bool {
    found.mode() & RIGHTS_OF_OTHERS == 0
}

/// Whether the file belongs to this user.
pub(crate) fn is_ours(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

/// Whom to trust.
struct Judge {
    user: u32,
    /// The user that root appears as, where it has no number of its own.
    unmapped_root: Option<u32>,
}

/// Where an entry is on the way to the path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Above,
    Last,
}

impl Judge {
    fn of_this_process() -> Self {
        let overflow = fs::read_to_string("/proc/sys/fs/overflowuid").ok().and_then(|text| text.trim().parse().ok());
        let overflow = overflow.unwrap_or(65_534);
        let is_roots = fs::metadata("/").is_ok_and(|root| root.uid() == overflow);
        Self { user: rustix::process::geteuid().as_raw(), unmapped_root: is_roots.then_some(overflow) }
    }

    fn check(&self, path: &Path) -> Result<(), Untrusted> {
        let Ok(absolute) = std::path::absolute(path) else { return Ok(()) };
        let (mut here, mut left) = (PathBuf::from("/"), VecDeque::new());
        push_front(&mut left, &absolute);
        let mut links = 0;
        if let Ok(root) = fs::symlink_metadata(&here) {
            self.judge(&here, &root, if left.is_empty() { Place::Last } else { Place::Above })?;
        }
        while let Some(name) = left.pop_front() {
            if name == ".." {
                // The directories above were checked on the way down.
                here.pop();
                continue;
            }
            let next = here.join(&name);
            let Ok(found) = fs::symlink_metadata(&next) else { return Ok(()) };
            if !found.is_symlink() {
                self.judge(&next, &found, if left.is_empty() { Place::Last } else { Place::Above })?;
                here = next;
                continue;
            }
            self.judge_owner(&next, &found, Place::Above)?;
            links += 1;
            if links > MOST_LINKS {
                return Err(Untrusted { path: next, flaw: Flaw::Link });
            }
            let Ok(target) = fs::read_link(&next) else { return Ok(()) };
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            push_front(&mut left, &target);
        }
        Ok(())
    }

    fn check_below(&self, path: &Path) -> Result<(), Untrusted> {
        let mut directories = vec![path.to_owned()];
        let mut entries = 0;
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                entries += 1;
                if entries > MOST_ENTRIES {
                    return Err(Untrusted { path: path.to_owned(), flaw: Flaw::Entries });
                }
                // An entry that is gone was removed by another process of this user.
                let Ok(found) = entry.metadata() else { continue };
                if found.is_symlink() {
                    return Err(Untrusted { path: entry.path(), flaw: Flaw::Link });
                }
                self.judge(&entry.path(), &found, Place::Last)?;
                if found.is_dir() {
                    directories.push(entry.path());
                }
            }
        }
        Ok(())
    }

    fn judge(&self, path: &Path, found: &Metadata, place: Place) -> Result<(), Untrusted> {
        self.judge_owner(path, found, place)?;
        let is_passage = place == Place::Above && found.is_dir() && found.mode() & STICKY != 0;
        if is_passage || !others_may_write(path, found) {
            return Ok(());
        }
        Err(Untrusted { path: path.to_owned(), flaw: Flaw::Writable })
    }

    fn judge_owner(&self, path: &Path, found: &Metadata, place: Place) -> Result<(), Untrusted> {
        let owner = found.uid();
        let is_roots = owner == 0 || (place == Place::Above && self.unmapped_root == Some(owner));
        if is_roots || owner == self.user {
            return Ok(());
        }
        Err(Untrusted { path: path.to_owned(), flaw: Flaw::Owner { owner, user: self.user } })
    }
}

/// Puts the parts of `path` before those that are left.
fn push_front(left: &mut VecDeque<OsString>, path: &Path) {
    for part in path.components().rev() {
        if matches!(part, Component::Normal(_) | Component::ParentDir) {
            left.push_front(part.as_os_str().to_owned());
        }
    }
}

fn others_may_write(path: &Path, found: &Metadata) -> bool {
    let mode = found.mode();
    if mode & ALL_MAY_WRITE != 0 {
        return true;
    }
    mode & GROUP_MAY_WRITE != 0 && (has_access_list(path) || !is_private_group(found.uid(), found.gid()))
}

/// Whether the path has an access control list. The mode then shows the most that the list grants as
/// the rights of the group.
fn has_access_list(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        let mut list = [0_u8; 1];
        let found = rustix::fs::lgetxattr(path, "system.posix_acl_access", &mut list[..]);
        matches!(found, Ok(_) | Err(rustix::io::Errno::RANGE))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        false
    }
}

/// Whether `gid` is a group that `uid` alone has, by the files in `/etc`. A group that is not in them
/// has unknown members.
fn is_private_group(uid: u32, gid: u32) -> bool {
    let read = |path: &str| -> io::Result<String> { fs::read_to_string(path) };
    let (Ok(users), Ok(groups)) = (read("/etc/passwd"), read("/etc/group")) else { return false };
    is_private_group_in(&users, &groups, uid, gid)
}

fn is_private_group_in(users: &str, groups: &str, uid: u32, gid: u32) -> bool {
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let number = |fields: &[String], at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok());
    let users: Vec<_> = users.lines().map(fields).collect();
    let mut holders = users.iter().filter(|user| number(user, 3) == Some(gid)).peekable();
    let is_only_holder = holders.peek().is_some() && holders.all(|user| number(user, 2) == Some(uid));
    let names: Vec<&str> = users
        .iter()
        .filter(|user| number(user, 2) == Some(uid))
        .filter_map(|user| user.first())
        .map(String::as_str)
        .collect();
    let groups: Vec<_> = groups.lines().map(fields).filter(|group| number(group, 2) == Some(gid)).collect();
    let is_member = |group: &Vec<String>| {
        let members = group.get(3).map(String::as_str).unwrap_or_default();
        members.split(',').all(|member| member.is_empty() || names.contains(&member))
    };
    is_only_holder && !groups.is_empty() && groups.iter().all(is_member)
}

#[cfg(test)]
mod tests;
