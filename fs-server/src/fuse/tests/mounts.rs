//! Mounting, unmounting, and directories that contain themselves.

use super::super::table::Inodes;
use super::super::{Options, mount};
use super::rig;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};
use vfs::{BindFlags, Caller, Follow, MemTree, Namespace};

#[test]
fn a_namespace_that_contains_itself_does_not_upset_the_kernel() {
    let Some(rig) = rig() else { return };
    fs::create_dir(rig.path("d")).unwrap();
    fs::write(rig.path("d/f"), b"x").unwrap();
    let deep = rig.path("dev/root/dev/root/dev/root");
    assert_eq!(fs::read(deep.join("d/f")).unwrap(), b"x");
    let mut seen = std::collections::HashSet::new();
    let mut path = rig.dir.path().to_owned();
    for _ in 0..4 {
        let ino = fs::metadata(path.join("d")).unwrap().ino();
        assert!(seen.insert(ino), "one directory at two places has one inode");
        path.push("dev/root");
    }
    let out =
        Command::new("find").args([".", "-maxdepth", "7"]).current_dir(rig.dir.path()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let listing = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(listing.contains("./dev/root/dev/root/d/f"), "{listing}");
    let out = Command::new("ls").arg("-laR").arg(deep.join("d")).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    // What is made through one name is there through the other.
    fs::write(deep.join("d/g"), b"y").unwrap();
    assert_eq!(fs::read(rig.path("d/g")).unwrap(), b"y");
    fs::rename(deep.join("d/g"), deep.join("d/h")).unwrap();
    assert!(!rig.path("d/g").exists());
}

#[test]
fn binds_and_unions_are_seen_with_true_inode_numbers() {
    let Some(rig) = rig() else { return };
    let me = Caller::me();
    for dir in ["a", "b"] {
        fs::create_dir(rig.path(dir)).unwrap();
        fs::write(rig.path(&format!("{dir}/in-{dir}")), dir).unwrap();
    }
    let at = |path: &str| rig.ns.root().resolve(&me, path.as_bytes(), Follow::Yes).now().unwrap().unwrap();
    rig.ns.bind(&at("/a"), &at("/b"), BindFlags::AFTER).unwrap();
    assert_eq!(fs::read(rig.path("b/in-a")).unwrap(), b"a");
    for entry in fs::read_dir(rig.path("a")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(std::os::unix::fs::DirEntryExt::ino(&entry), entry.metadata().unwrap().ino());
    }
    let names: Vec<_> = fs::read_dir(rig.path("b")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    rig.ns.unmount(None, &at("/b")).unwrap();
    assert!(!rig.path("b/in-a").exists());
}

#[test]
fn unmounting_a_busy_mount_ends_those_who_wait() {
    let Some(mut rig) = rig() else { return };
    let path = rig.path("dev/pipe");
    let reader = std::thread::spawn(move || File::open(path).unwrap().read(&mut [0; 1]));
    let kept = File::create(rig.path("kept")).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let begun = Instant::now();
    rig.mount.take().unwrap().unmount().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(reader.join().unwrap().is_err());
    assert_eq!(fs::read_dir(rig.dir.path()).unwrap().count(), 0, "the directory below is back");
    assert!(kept.sync_all().is_err());
}

#[test]
fn somebody_else_may_unmount_first() {
    let Some(mut rig) = rig() else { return };
    let done = Command::new("umount").arg(rig.dir.path()).status().unwrap();
    if !done.success() {
        let fusermount = Command::new("fusermount3").arg("-u").arg(rig.dir.path()).status().unwrap();
        assert!(fusermount.success());
    }
    std::thread::sleep(Duration::from_millis(100));
    rig.mount.take().unwrap().unmount().unwrap();
}

#[test]
fn what_cannot_be_mounted_on_is_named() {
    let Some(rig) = rig() else { return };
    let ns = Namespace::new(MemTree::new().root(), "mem");
    let dir = rig.path("not/there");
    let error = mount(ns, &dir, &Options::default(), rig.runtime.handle().clone()).err().unwrap();
    assert!(error.to_string().contains("not/there"), "{error}");
}

#[test]
fn an_inode_is_remembered_as_long_as_the_kernel_counts_it() {
    let ns = Namespace::new(MemTree::new().root(), "mem");
    let me = Caller::me();
    let root = ns.root();
    let dir = root.mkdir(&me, vfs::Name::new(b"d").unwrap(), vfs::Mode::new(0o755)).now().unwrap().unwrap();
    let inodes = Inodes::new(ns);
    let ino = inodes.remember(&dir);
    assert_eq!(inodes.remember(&dir), ino);
    inodes.forget(ino, 1);
    assert_eq!(inodes.place(ino).unwrap().path(), b"/d");
    inodes.forget(ino, 1);
    assert_eq!(inodes.count(), 0);
    assert_eq!(inodes.place(ino).unwrap_err().errno(), vfs::Errno::ESTALE);
}
