//! Memory that callers can make this process hold, in portions that are settled at the start.
//!
//! Instances, large bodies and instances that grow each have a portion. What finds its portion used up
//! waits for a moment, and is refused then. So the process stays below the limit of its container: a
//! process that the kernel kills loses the refreshes that are under way.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the process needs besides what callers make it hold: code, the store's pages, buckets in
/// memory, connections, and the instances for upkeep.
const OWN: u64 = 64 << 20;

/// The portions together never have less. A smaller container cannot run this program.
const LEAST: u64 = 16 << 20;

/// The portions together never have more: what all the slots of the pool need.
const MOST: u64 = 512 << 20;

/// The least address space: a compilation, the threads, and some instances.
const LEAST_SPACE: u64 = 1 << 30;

/// A claim counts in these, because a semaphore counts to 2^32 at most.
const UNIT: usize = 1 << 10;

/// How the memory is divided.
#[derive(Clone)]
pub(crate) struct Budget {
    /// For instances, each of its usual size.
    pub(crate) instances: usize,
    /// For the growth of instances beyond that.
    pub(crate) growth: Portion,
    /// For bodies that are being received, or wait for an instance.
    pub(crate) bodies: Portion,
}

impl Budget {
    /// Divides what this process may have, by the limits that the system sets.
    pub(crate) fn here() -> Self {
        let limit = limit(Path::new("/"));
        let shares = Self::of(limit);
        tracing::debug!(limit, instances = shares.instances, "memory is divided");
        shares
    }

    fn of(limit: Option<u64>) -> Self {
        let all = limit.map_or(MOST, |limit| limit.saturating_sub(OWN).clamp(LEAST, MOST));
        let all = usize::try_from(all).unwrap_or(usize::MAX);
        Self { instances: all / 2, growth: Portion::of(all / 4), bodies: Portion::of(all / 4) }
    }
}

/// A number of bytes that can be claimed. Its clones share it.
#[derive(Clone)]
pub(crate) struct Portion {
    free: Arc<Semaphore>,
    all: u32,
}

impl Portion {
    pub(crate) fn of(bytes: usize) -> Self {
        let all = units(bytes);
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Waits until `bytes` are free, and claims them. The first to ask is the first to get. A claim of
    /// more than the whole portion gets the whole portion.
    pub(crate) async fn claim(&self, bytes: usize) -> Option<Claim> {
        let units = units(bytes).min(self.all);
        Arc::clone(&self.free).acquire_many_owned(units).await.ok().map(Claim)
    }

    /// How many bytes are free.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.free.available_permits() * UNIT
    }
}

/// Bytes of a [`Portion`]. Dropping this gives them back.
#[derive(Debug)]
pub(crate) struct Claim(#[expect(dead_code, reason = "dropping it gives the bytes back")] OwnedSemaphorePermit);

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// The most memory that this process may have: the least of the limits of its control groups, a
/// quarter of its address space, and the memory of the machine. `root` is `/`, except in tests.
fn limit(root: &Path) -> Option<u64> {
    let own = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let groups = groups(&own("proc/self/cgroup"));
    let groups = groups.iter().filter_map(|path| fs::read_to_string(root.join(path)).ok()?.trim().parse().ok());
    let space = address_space(root).map(|bytes| bytes / 4);
    let machine = number_after(&own("proc/meminfo"), "MemTotal:").map(|kib| kib.saturating_mul(1 << 10));
    groups.chain(space).chain(machine).min()
}

/// The address space that this process may have, if it is limited.
fn address_space(root: &Path) -> Option<u64> {
    number_after(&fs::read_to_string(root.join("proc/self/limits")).unwrap_or_default(), "Max address space")
}

/// Whether the address space is too small to run the component and its calls.
pub(crate) fn is_space_too_small() -> bool {
    address_space(Path::new("/")).is_some_and(|bytes| bytes < LEAST_SPACE)
}

fn number_after(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The files that may limit the memory of a process in these control groups: of the first and of the
/// second version, of each group above, and of the root that a container sees as its own group.
fn groups(listed: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in listed.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let path = Path::new(path.trim_start_matches('/'));
        files.extend(path.ancestors().map(|group| Path::new(mount).join(group).join(file)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_least_of_all_limits_counts_in_each_form() {
        let machine = ("proc/meminfo", "MemTotal:       1000 kB\nMemFree: 1 kB\n");
        let own = ("proc/self/cgroup", "0::/pod/app\n");
        for (files, limit) in [
            (vec![], None),
            (vec![machine], Some(1_024_000)),
            (vec![machine, own, ("sys/fs/cgroup/pod/app/memory.max", "max\n")], Some(1_024_000)),
            (vec![machine, own, ("sys/fs/cgroup/pod/app/memory.max", "5000\n")], Some(5_000)),
            (vec![machine, own, ("sys/fs/cgroup/pod/memory.max", "4000\n")], Some(4_000)),
            (vec![machine, own, ("sys/fs/cgroup/memory.max", "3000\n")], Some(3_000)),
            (
                vec![
                    ("proc/self/cgroup", "9:cpu,memory:/docker/x\n0::/\n"),
                    ("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "2000\n"),
                    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ],
                Some(2_000),
            ),
            (
                vec![("proc/self/limits", "Max address space         4000                 unlimited  bytes\n")],
                Some(1_000),
            ),
            (vec![("proc/self/limits", "Max address space         unlimited            unlimited  bytes\n")], None),
        ] {
            assert_eq!(super::limit(root(&files).path()), limit, "{files:?}");
        }
    }

    #[test]
    fn a_small_container_gets_small_shares_and_no_limit_gives_the_largest() {
        let all = |limit| {
            let shares = Budget::of(limit);
            shares.instances + shares.growth.free() + shares.bodies.free()
        };

        assert_eq!(all(Some(128 << 20)), 64 << 20);
        assert_eq!([all(None), all(Some(u64::MAX))], [512 << 20; 2]);
        assert_eq!([all(Some(0)), all(Some(32 << 20))], [16 << 20; 2]);
    }

    #[tokio::test]
    async fn what_is_claimed_is_given_back_and_no_claim_waits_for_ever() {
        let share = Portion::of(10 << 10);
        let claim = share.claim(1 << 40).await.unwrap();
        assert_eq!(share.free(), 0);

        drop(claim);
        assert_eq!(share.free(), 10 << 10);
    }
}
