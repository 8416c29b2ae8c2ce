//! Mounting, unmounting, and directories that contain themselves.

use super::super::inodes::Inodes;
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
    let deep = rig.path("dev/root");
    assert_eq!(fs::read(deep.join("d/f")).unwrap(), b"x");
    let inode = |path: &std::path::Path| fs::metadata(path).unwrap().ino();
    assert_ne!(inode(&rig.path("d")), inode(&deep.join("d")), "one directory at two places has one inode");
    // Behind the way in the way in is shut: the walk ends.
    let out = Command::new("find").arg(".").current_dir(rig.dir.path()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let listing = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(listing.contains("./dev/root/d/f"), "{listing}");
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
    rig.heard();
    assert_eq!(fs::read(rig.path("b/in-a")).unwrap(), b"a");
    for entry in fs::read_dir(rig.path("a")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(std::os::unix::fs::DirEntryExt::ino(&entry), entry.metadata().unwrap().ino());
    }
    let names: Vec<_> = fs::read_dir(rig.path("b")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    rig.ns.unmount(None, &at("/b")).unwrap();
    rig.heard();
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
    if rustix::process::geteuid().is_root() {
        assert!(kept.sync_all().is_err());
    }
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
fn what_another_server_has_mounted_over_ours_meanwhile_is_not_taken_away() {
    let Some(mut rig) = rig() else { return };
    let other = Namespace::new(MemTree::new().root(), "other");
    let dir = rig.dir.path().to_owned();
    let above = mount(other, &dir, &Options::default(), rig.runtime.handle().clone()).unwrap();
    fs::write(dir.join("above"), "there").unwrap();
    rig.mount.take().unwrap().unmount().unwrap();
    assert_eq!(fs::read(dir.join("above")).unwrap(), b"there");
    above.unmount().unwrap();
    assert!(!dir.join("above").exists());
    // What was left is ours, which would end with this process.
    assert!(Command::new("umount").arg("-l").arg(&dir).status().unwrap().success());
}

#[test]
fn what_was_mounted_there_before_is_there_again_afterwards() {
    let Some(rig) = rig() else { return };
    fs::write(rig.path("below"), "there").unwrap();
    let other = Namespace::new(MemTree::new().root(), "other");
    let above = mount(other, rig.dir.path(), &Options::default(), rig.runtime.handle().clone()).unwrap();
    assert!(!rig.path("below").exists());
    above.unmount().unwrap();
    assert_eq!(fs::read(rig.path("below")).unwrap(), b"there");
}

#[test]
fn a_dead_mount_is_taken_away() {
    let Some(rig) = rig() else { return };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // What kill -9 leaves: a mount whose device is closed.
    let device = File::options().read(true).write(true).open("/dev/fuse").unwrap();
    let data = format!("fd={},rootmode=40000,user_id=0,group_id=0", std::os::fd::AsRawFd::as_raw_fd(&device));
    let data = std::ffi::CString::new(data).unwrap();
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("dead", dir.path(), "fuse", flags, data.as_c_str()).unwrap();
    drop(device);
    assert_eq!(fs::metadata(dir.path()).unwrap_err().raw_os_error(), Some(libc::ENOTCONN));
    let mounted =
        mount(rig.ns.clone(), dir.path(), &Options::default(), rig.runtime.handle().clone()).unwrap();
    assert!(dir.path().join("dev/ctl").exists());
    mounted.unmount().unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn an_ordinary_user_mounts_through_fusermount() {
    if rig().is_none() {
        return;
    }
    let helper =
        ["/bin/fusermount3", "/usr/bin/fusermount3"].iter().any(|p| std::path::Path::new(p).exists());
    if !helper || !rustix::process::geteuid().is_root() {
        return super::cannot_run("fuse as an ordinary user: not root to become one, or no fusermount3");
    }
    // This very program again, as another user, in a mount namespace where everyone may open /dev/fuse: the tests of
    // names, of a busy mount, and of signals.
    let scratch = tempfile::tempdir().unwrap();
    fs::set_permissions(scratch.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let script = r#"
        cp "$1" program && mknod fuse c 10 229 && chmod 666 fuse && mount --bind fuse /dev/fuse || exit 77
        exec setpriv --reuid=65534 --regid=65534 --clear-groups ./program \
            fuse::tests::posix::names fuse::tests::mounts::unmounting fuse::tests::signals::a_blocked
    "#;
    let out = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let (said, failed) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    if failed.starts_with("unshare: ") {
        // In a chroot / is no mount point.
        return super::cannot_run(&format!("fuse as an ordinary user: {}", failed.trim()));
    }
    assert!(out.status.success(), "{said}{failed}");
    assert!(said.contains("4 passed"), "{said}");
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
    let inodes = Inodes::new(ns, 1, Duration::ZERO);
    let first = inodes.hold(&dir);
    let ino = first.ino();
    first.give();
    // Held, but never given.
    assert_eq!(inodes.hold(&dir).ino(), ino);
    let second = inodes.hold(&dir);
    assert_eq!(second.ino(), ino);
    second.give();
    inodes.forget(ino, 1);
    assert_eq!(inodes.place(ino).unwrap().path(), b"/d");
    inodes.forget(ino, 1);
    assert_eq!(inodes.count(), 0);
    assert_eq!(inodes.place(ino).unwrap_err().errno(), vfs::Errno::ESTALE);
}
