//! Places that strangers can write, and places that they cannot.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn judge() -> Judge {
    Judge::of_this_process()
}

/// A directory `a`, in it a directory `b`, in it a file `file`.
fn furnished() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let b = folder.path().join("a/b");
    fs::create_dir_all(&b).unwrap();
    fs::write(b.join("file"), "").unwrap();
    for (path, mode) in [("a", 0o755), ("a/b", 0o700), ("a/b/file", 0o600)] {
        set_mode(&folder.path().join(path), mode);
    }
    let file = b.join("file");
    (folder, file)
}

#[test]
fn a_place_that_strangers_may_write_anywhere_on_the_way_is_untrusted() {
    for (changed, mode, is_trusted) in [
        ("a", 0o755, true),
        ("a", 0o777, false),
        ("a", 0o757, false),
        ("a", 0o1777, true),
        ("a", 0o3777, true),
        ("a/b", 0o777, false),
        ("a/b", 0o702, false),
        ("a/b/file", 0o644, true),
        ("a/b/file", 0o666, false),
        ("a/b/file", 0o602, false),
        // The sticky bit of a file means nothing.
        ("a/b/file", 0o1666, false),
    ] {
        let (folder, file) = furnished();
        set_mode(&folder.path().join(changed), mode);

        let judged = judge().check(&file);

        assert_eq!(judged.is_ok(), is_trusted, "{changed} {mode:o}: {judged:?}");
        if let Err(untrusted) = judged {
            let path = folder.path().join(changed).display().to_string();
            assert!(untrusted.to_string().ends_with(&format!("chmod go-w {path}")), "{untrusted}");
        }
    }
}

#[test]
fn a_sticky_directory_is_a_passage_and_no_place() {
    let (folder, _) = furnished();
    set_mode(&folder.path().join("a/b"), 0o1777);

    assert!(judge().check(&folder.path().join("a/b/absent")).is_ok());
    assert!(judge().check(&folder.path().join("a/b")).is_err());
}

#[test]
fn what_is_absent_is_trusted_only_if_strangers_cannot_make_it_by_exchange() {
    let (folder, _) = furnished();
    assert!(judge().check(&folder.path().join("a/absent/deep")).is_ok());
    set_mode(&folder.path().join("a"), 0o777);
    assert!(judge().check(&folder.path().join("a/absent/deep")).is_err());
}

#[test]
fn a_link_is_as_safe_as_the_place_of_the_link_and_of_its_target() {
    for (open, is_trusted) in [(None, true), (Some("links"), false), (Some("a"), false), (Some("a/b"), false)] {
        for target in ["../a/b/file", "ABSOLUTE"] {
            let (folder, file) = furnished();
            let links = folder.path().join("links");
            fs::create_dir(&links).unwrap();
            set_mode(&links, 0o755);
            let target = if target == "ABSOLUTE" { file.clone() } else { PathBuf::from(target) };
            symlink(target, links.join("link")).unwrap();
            if let Some(open) = open {
                set_mode(&folder.path().join(open), 0o777);
            }

            let judged = judge().check(&links.join("link"));

            assert_eq!(judged.is_ok(), is_trusted, "{open:?}: {judged:?}");
        }
    }
}

#[test]
fn a_circle_of_links_ends() {
    let (folder, _) = furnished();
    symlink("two", folder.path().join("one")).unwrap();
    symlink("one", folder.path().join("two")).unwrap();

    assert!(judge().check(&folder.path().join("one")).is_err());
}

/// The test's files belong to a stranger: to the test's own user if that is not root, else to a user
/// that root gave them to.
#[test]
fn what_belongs_to_another_user_is_untrusted_wherever_it_is_on_the_way() {
    for changed in ["a", "a/b", "a/b/file"] {
        let (folder, file) = furnished();
        let path = folder.path().join(changed);
        let us = rustix::process::geteuid().as_raw();
        let judge = if us == 0 {
            std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
            judge()
        } else {
            Judge { user: us + 1, unmapped_root: None }
        };

        let told = judge.check(&file).unwrap_err().to_string();

        assert!(told.contains(" belongs to user ") && told.contains("chown "), "{told}");
    }
}

#[test]
fn a_link_of_another_user_is_untrusted() {
    let us = rustix::process::geteuid().as_raw();
    if us != 0 {
        println!("skipped: only root can make a link of another user");
        return;
    }
    let (folder, file) = furnished();
    let link = folder.path().join("link");
    symlink(file, &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(12_345), None).unwrap();

    assert!(judge().check(&link).is_err());
}

#[test]
fn all_files_below_a_cache_are_looked_at_and_no_link_is_in_it() {
    let (folder, file) = furnished();
    assert!(judge().check_below(folder.path()).is_ok());

    set_mode(&file, 0o666);
    assert!(judge().check_below(folder.path()).is_err());

    set_mode(&file, 0o600);
    symlink("file", file.with_file_name("link")).unwrap();
    assert!(judge().check_below(folder.path()).is_err());
}

#[test]
fn a_group_may_write_only_if_its_owner_alone_is_in_it() {
    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/:\nbob:x:1001:100::/:\ncyd:x:1002:100::/:\n\
        dan:x:1003:1003::/:\nbroken\n";
    const GROUPS: &str = "root:x:0:\nann:x:1000:\nusers:x:100:\ndan:x:1003:dan,ann\nwheel:x:10:ann\nbroken\n";

    for (uid, gid, is_private) in [
        (1_000, 1_000, true),
        (0, 0, true),
        // Others have the group as their first.
        (1_001, 100, false),
        // Another user is a member.
        (1_003, 1_003, false),
        // It is not the first group of its one member.
        (1_000, 10, false),
        // It is another user's.
        (1_001, 1_000, false),
        // Nobody knows who is in it.
        (1_000, 7_777, false),
        (7_777, 7_777, false),
    ] {
        assert_eq!(is_private_group_in(USERS, GROUPS, uid, gid), is_private, "{uid} {gid}");
    }
}

#[test]
fn roots_directories_count_as_roots_where_root_has_no_number() {
    let (folder, file) = furnished();
    let us = rustix::process::geteuid().as_raw();
    let owner = if us == 0 { 12_345 } else { us };
    if us == 0 {
        for path in ["", "a", "a/b", "a/b/file"] {
            std::os::unix::fs::chown(folder.path().join(path), Some(owner), None).unwrap();
        }
    }
    let judge = |unmapped_root| Judge { user: 4_000_000_000, unmapped_root };

    assert!(judge(Some(owner)).check(&file.with_file_name("absent")).is_ok());
    assert!(judge(Some(owner)).check(&file).is_err(), "root does not write such a file");
    assert!(judge(None).check(&file.with_file_name("absent")).is_err());
}
