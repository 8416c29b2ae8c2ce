//! A host directory behaves as the host does: every operation through the tree, looked at from outside, and the other way
//! round.

mod host_support;

use host_support::*;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use vfs::host::{HostOptions, HostTree};
use vfs::lock::{Lock, LockKind, LockOwner, LockSort};
use vfs::{
    Allocate, Caller, Device, Errno, Gid, Kind, Mode, Name, NodeRef, OpenFlags, RenameFlags, SetStat,
    SetTime, SetXattr, Time, Uid,
};

const NONE: SetStat = SetStat { mode: None, uid: None, gid: None, size: None, atime: None, mtime: None };

#[test]
fn what_the_host_writes_is_read_and_the_other_way_round() {
    let host = host();
    host.put("a", "from outside");
    assert_eq!(read(&host.open("a", READ).unwrap()), b"from outside");

    let (node, file) = host.create("b");
    assert_eq!(write(&file, 3, b"inside").unwrap(), 6);
    assert_eq!(host.get("b"), b"\0\0\0inside");
    assert_eq!(read(&file), b"\0\0\0inside");
    assert_eq!(stat(&node).size, 9);
    assert_eq!(now(file.read(9, &mut [0; 4])).unwrap(), 0, "the end");
}

#[test]
fn stat_tells_what_the_host_tells() {
    let host = host();
    host.put("f", vec![7; 5000]);
    std::fs::set_permissions(host.path("f"), PermissionsExt::from_mode(0o4751)).unwrap();
    std::fs::hard_link(host.path("f"), host.path("g")).unwrap();
    let meta = std::fs::metadata(host.path("f")).unwrap();
    let stat = stat(&host.walk("f").unwrap());
    assert_eq!(stat.st_mode(), meta.mode());
    assert_eq!((stat.uid.0, stat.gid.0, stat.nlink), (meta.uid(), meta.gid(), 2));
    assert_eq!((stat.size, stat.blocks), (5000, meta.blocks()));
    assert_eq!((stat.mtime.secs, i64::from(stat.mtime.nanos)), (meta.mtime(), meta.mtime_nsec()));
    assert_eq!((stat.ctime.secs, i64::from(stat.ctime.nanos)), (meta.ctime(), meta.ctime_nsec()));
    assert_eq!((stat.atime.secs, i64::from(stat.atime.nanos)), (meta.atime(), meta.atime_nsec()));
}

#[test]
fn one_inode_is_one_node_under_all_its_names() {
    let host = host();
    let (node, _file) = host.create("a");
    now(host.root.link(&host.me, &node, n("b"))).unwrap();
    let other = host.walk("b").unwrap();
    assert!(Arc::ptr_eq(&node, &other));
    assert_eq!(stat(&node).nlink, 2);
    assert_eq!(std::fs::metadata(host.path("b")).unwrap().nlink(), 2);
    assert_ne!(host.walk("b").unwrap().qid().path, host.root.qid().path);
}

#[test]
fn a_number_stays_the_same_when_nobody_holds_the_node() {
    let host = host();
    host.put("a", "");
    let first = host.walk("a").unwrap().qid().path;
    assert_eq!(host.walk("a").unwrap().qid().path, first);
    let dir = open(&host.root, READ).unwrap();
    assert_eq!(list(&dir, 0, 9)[0].1.path, first, "in a listing too");
}

#[test]
fn the_version_of_a_file_changes_with_its_content() {
    let host = host();
    let (node, file) = host.create("a");
    let before = node.qid().version;
    write(&file, 0, b"x").unwrap();
    assert_ne!(node.qid().version, before);
    let before = stat(&node).qid.version;
    std::thread::sleep(std::time::Duration::from_millis(20));
    host.put("a", "from outside");
    assert_ne!(stat(&node).qid.version, before);
    assert_eq!(node.qid().version, stat(&node).qid.version);
}

#[test]
fn create_opens_what_is_there_unless_exclusive() {
    let host = host();
    host.put("a", "old");
    let made = now(host.root.create(&host.me, n("a"), Mode::new(0o600), READ));
    assert_eq!(read(&made.unwrap().1), b"old");
    let made = now(host.root.create(&host.me, n("a"), Mode::new(0o600), RW | OpenFlags::EXCLUSIVE));
    assert!(made.err().unwrap().is(Errno::EEXIST));
    let (_, file) =
        now(host.root.create(&host.me, n("a"), Mode::new(0o600), RW | OpenFlags::TRUNCATE)).unwrap();
    assert_eq!(read(&file), b"");
}

#[test]
fn modes_are_those_that_were_asked_for_whatever_the_umask() {
    let host = host();
    let mode = |name: &str| std::fs::symlink_metadata(host.path(name)).unwrap().mode() & 0o7777;
    let (node, _) = now(host.root.create(&host.me, n("f"), Mode::new(0o666), RW)).unwrap();
    assert_eq!((mode("f"), stat(&node).mode.bits()), (0o666, 0o666));
    now(host.root.mkdir(&host.me, n("d"), Mode::new(0o1777))).unwrap();
    assert_eq!(mode("d"), 0o1777);
    now(host.root.mknod(&host.me, n("p"), Kind::Fifo, Mode::new(0o622), Device::default())).unwrap();
    assert_eq!(mode("p"), 0o622);
    now(host.root.create(&host.me, n("s"), Mode::new(0o4711), RW)).unwrap();
    assert_eq!(mode("s"), 0o4711);
}

#[test]
fn directories_are_made_listed_and_removed() {
    let host = host();
    let dir = host.mkdir("d");
    assert!(host.path("d").is_dir());
    host.put("d/f", "");
    assert!(now(host.root.rmdir(&host.me, n("d"))).unwrap_err().is(Errno::ENOTEMPTY));
    assert!(now(dir.rmdir(&host.me, n("f"))).unwrap_err().is(Errno::ENOTDIR));
    assert!(now(host.root.unlink(&host.me, n("d"))).unwrap_err().is(Errno::EISDIR));
    now(dir.unlink(&host.me, n("f"))).unwrap();
    let open = open(&dir, READ).unwrap();
    now(host.root.rmdir(&host.me, n("d"))).unwrap();
    assert!(!host.path("d").exists());
    assert!(list(&open, 0, 9).is_empty(), "a removed directory is empty");
    assert!(host.walk("d").err().unwrap().is(Errno::ENOENT));
    assert!(now(host.root.mkdir(&host.me, n("x"), Mode::new(0o755))).is_ok());
    assert!(now(host.root.mkdir(&host.me, n("x"), Mode::new(0o755))).err().unwrap().is(Errno::EEXIST));
}

#[test]
fn a_long_directory_is_listed_once_in_steps_of_any_size() {
    let host = host();
    let mut wanted: Vec<_> = (0..2000).map(|i| format!("file-{i:04}").into_bytes()).collect();
    wanted.iter().for_each(|name| host.put(std::str::from_utf8(name).unwrap(), ""));
    let dir = open(&host.root, READ).unwrap();
    for step in [1, 7, 1000, 5000] {
        let (mut names, mut cookie) = (Vec::new(), 0);
        loop {
            let entries = list(&dir, cookie, step);
            let Some(last) = entries.last() else { break };
            cookie = last.2;
            assert!(entries.iter().all(|(_, qid, cookie)| *cookie >= 1 && qid.kind == Kind::File));
            names.extend(entries.into_iter().map(|(name, ..)| name));
        }
        names.sort();
        wanted.sort();
        assert!(names == wanted, "step {step}: {} names", names.len());
    }
}

#[test]
fn several_readers_list_one_open_directory() {
    let host = host();
    (0..300).for_each(|i| host.put(&format!("{i}"), ""));
    let dir = open(&host.root, READ).unwrap();
    let all = list(&dir, 0, 1000);
    assert_eq!(all.len(), 300);
    std::thread::scope(|scope| {
        for reader in 0..4 {
            let (dir, all) = (&dir, &all);
            scope.spawn(move || {
                for round in 0..50 {
                    let from = (reader * 71 + round * 13) % 299;
                    let entries = list(dir, all[from].2, 5);
                    let wanted = &all[from + 1..(from + 6).min(300)];
                    assert_eq!(entries, wanted);
                }
            });
        }
    });
}

#[test]
fn entries_made_and_removed_while_listing_do_not_disturb_the_others() {
    let host = host();
    (0..100).for_each(|i| host.put(&format!("old{i}"), ""));
    let dir = open(&host.root, READ).unwrap();
    let first = list(&dir, 0, 40);
    (0..50).for_each(|i| host.put(&format!("new{i}"), ""));
    for (name, ..) in &first {
        now(host.root.unlink(&host.me, Name::new(name).unwrap())).unwrap();
    }
    let mut names: Vec<_> = first.iter().map(|(name, ..)| name.clone()).collect();
    names.extend(list(&dir, first[39].2, 1000).into_iter().map(|(name, ..)| name));
    let old = names.iter().filter(|name| name.starts_with(b"old")).count();
    assert_eq!(old, 100, "each exactly once");
    assert_eq!(list(&dir, 0, 1000).len(), 110, "from the start: as it is now");
}

#[test]
fn names_are_bytes_up_to_255() {
    let host = host();
    for name in [&b"\xff\xfe\x80"[..], b"new\nline", b"...", b" ", &[b'x'; 255]] {
        let name = Name::new(name).unwrap();
        let (_, file) = now(host.root.create(&host.me, name, Mode::new(0o644), RW)).unwrap();
        write(&file, 0, name.as_bytes()).unwrap();
        let path = host.dir.path().join(std::ffi::OsStr::from_bytes(name.as_bytes()));
        assert_eq!(std::fs::read(path).unwrap(), name.as_bytes());
        let node = now(host.root.walk(&host.me, name)).unwrap();
        assert_eq!(read(&open(&node, READ).unwrap()), name.as_bytes());
    }
    assert_eq!(list(&open(&host.root, READ).unwrap(), 0, 99).len(), 5);
}

#[test]
fn an_unlinked_file_lives_while_it_is_open() {
    let host = host();
    let (node, file) = host.create("a");
    write(&file, 0, b"still").unwrap();
    now(host.root.unlink(&host.me, n("a"))).unwrap();
    assert!(host.walk("a").err().unwrap().is(Errno::ENOENT));
    write(&file, 5, b" here").unwrap();
    assert_eq!(read(&file), b"still here");
    let stat = stat(&node);
    assert_eq!((stat.size, stat.nlink), (10, 0));
    now(node.setstat(&host.me, SetStat { size: Some(5), ..NONE })).unwrap();
    assert_eq!(read(&file), b"still");
    host.create("a");
    assert_eq!(read(&host.open("a", READ).unwrap()), b"", "a new file, not the old one");
}

#[test]
fn rename_replaces_and_the_replaced_file_lives_on_while_open() {
    let host = host();
    host.put("a", "new");
    host.put("b", "old");
    let old = host.open("b", READ).unwrap();
    let a = host.walk("a").unwrap();
    now(host.root.rename(&host.me, n("a"), &host.root, n("b"), RenameFlags::empty())).unwrap();
    assert_eq!(read(&old), b"old");
    assert_eq!(host.get("b"), b"new");
    assert!(Arc::ptr_eq(&host.walk("b").unwrap(), &a));
}

#[test]
fn rename_knows_its_flags_and_its_limits() {
    let host = host();
    host.put("a", "A");
    host.put("b", "B");
    let dir = host.mkdir("d");
    let rename = |from: &str, dir: &NodeRef, to: &str, flags| {
        now(host.root.rename(&host.me, n(from), dir, n(to), flags)).map_err(|e| e.errno())
    };
    assert_eq!(rename("a", &host.root, "b", RenameFlags::NOREPLACE), Err(Errno::EEXIST));
    assert_eq!(rename("a", &host.root, "b", RenameFlags::EXCHANGE), Ok(()));
    assert_eq!((host.get("a"), host.get("b")), (b"B".to_vec(), b"A".to_vec()));
    assert_eq!(rename("a", &dir, "c", RenameFlags::empty()), Ok(()));
    assert_eq!(host.get("d/c"), b"B");
    assert_eq!(rename("d", &dir, "e", RenameFlags::empty()), Err(Errno::EINVAL));
    assert_eq!(rename("gone", &dir, "e", RenameFlags::empty()), Err(Errno::ENOENT));
    assert_eq!(rename("b", &host.walk("b").unwrap(), "e", RenameFlags::empty()), Err(Errno::ENOTDIR));
    let other = host_with(HostOptions::default());
    assert_eq!(rename("b", &other.root, "b", RenameFlags::empty()), Err(Errno::EXDEV));
    let b = host.walk("b").unwrap();
    assert_eq!(now(other.root.link(&host.me, &b, n("b"))).unwrap_err().errno(), Errno::EXDEV);
}

#[test]
fn symlinks_are_made_read_and_linked_but_never_followed() {
    let host = host();
    let link = now(host.root.symlink(&host.me, n("l"), b"../\xff/x")).unwrap();
    assert_eq!(&*now(link.readlink()).unwrap(), b"../\xff/x");
    let target = std::fs::read_link(host.path("l")).unwrap();
    assert_eq!(target.as_os_str().as_bytes(), b"../\xff/x");
    assert_eq!((link.kind(), stat(&link).size), (Kind::Symlink, 6));
    assert!(open(&link, READ).err().unwrap().is(Errno::ELOOP));
    assert!(walk(&link, "x").err().unwrap().is(Errno::ENOTDIR));
    now(host.root.link(&host.me, &link, n("m"))).unwrap();
    assert!(std::fs::symlink_metadata(host.path("m")).unwrap().is_symlink());
    let long = vec![b'y'; 4000];
    let link = now(host.root.symlink(&host.me, n("long"), &long)).unwrap();
    assert_eq!(&*now(link.readlink()).unwrap(), &long[..]);
    assert!(now(host.root.readlink()).unwrap_err().is(Errno::EINVAL));
    assert!(now(host.root.symlink(&host.me, n("nul"), b"a\0b")).err().unwrap().is(Errno::EINVAL));
}

#[test]
fn fifos_and_sockets_are_shown_and_not_opened() {
    let host = host();
    for (name, kind) in [("p", Kind::Fifo), ("s", Kind::Socket)] {
        let node =
            now(host.root.mknod(&host.me, n(name), kind, Mode::new(0o600), Device::default())).unwrap();
        assert_eq!(node.kind(), kind);
        for flags in [READ, WRITE, RW] {
            let error = open(&node, flags).err().unwrap();
            assert!(error.is(Errno::ENXIO) && error.text().contains("not opened"), "{error:?}");
        }
        let error = now(host.root.create(&host.me, n(name), Mode::new(0o600), RW)).err().unwrap();
        assert!(error.is(Errno::ENXIO), "{error:?}");
    }
    assert!(std::fs::symlink_metadata(host.path("p")).unwrap().file_type().is_fifo());
    now(host.root.unlink(&host.me, n("p"))).unwrap();
}

#[test]
fn setstat_sets_all_that_is_asked() {
    let host = host();
    host.put("f", "0123456789");
    let node = host.walk("f").unwrap();
    let (atime, mtime) = (Time { secs: -5, nanos: 7 }, Time { secs: 1 << 33, nanos: 999_999_999 });
    let set = SetStat {
        mode: Some(Mode::new(0o604)),
        size: Some(4),
        atime: Some(SetTime::To(atime)),
        mtime: Some(SetTime::To(mtime)),
        ..NONE
    };
    now(node.setstat(&host.me, set)).unwrap();
    let after = stat(&node);
    assert_eq!((after.mode.bits(), after.size, after.atime, after.mtime), (0o604, 4, atime, mtime));
    assert_eq!(host.get("f"), b"0123");
    now(node.setstat(&host.me, SetStat { atime: Some(SetTime::Now), ..NONE })).unwrap();
    assert!(stat(&node).atime > Time { secs: 1_600_000_000, nanos: 0 });
    assert_eq!(stat(&node).mtime, mtime, "left alone");
    now(node.setstat(&host.me, NONE)).unwrap();
}

#[test]
fn setstat_changes_nothing_when_a_part_of_it_cannot_be() {
    let host = host();
    let dir = host.mkdir("d");
    let set = SetStat { mode: Some(Mode::new(0o700)), size: Some(0), ..NONE };
    assert!(now(dir.setstat(&host.me, set)).unwrap_err().is(Errno::EISDIR));
    assert_eq!(stat(&dir).mode.bits(), 0o755);
    let (file, _) = host.create("f");
    let set = SetStat { size: Some(1 << 63), ..set };
    assert!(now(file.setstat(&host.me, set)).unwrap_err().is(Errno::EFBIG));
    // Past what any file system can hold, and only the kernel knows: the mode that was set by then is taken back.
    let set = SetStat { size: Some(i64::MAX as u64), ..set };
    assert!(now(file.setstat(&host.me, set)).unwrap_err().is(Errno::EFBIG));
    assert_eq!(stat(&file).mode.bits(), 0o644);
    let link = now(host.root.symlink(&host.me, n("l"), b"f")).unwrap();
    let set = SetStat { mode: Some(Mode::new(0o600)), ..NONE };
    assert!(now(link.setstat(&host.me, set)).unwrap_err().is(Errno::EOPNOTSUPP));
    let set = SetStat { mtime: Some(SetTime::To(Time { secs: 77, nanos: 0 })), ..NONE };
    now(link.setstat(&host.me, set)).unwrap();
    assert_eq!(std::fs::symlink_metadata(host.path("l")).unwrap().mtime(), 77, "the link's own time");
    assert_ne!(std::fs::metadata(host.path("f")).unwrap().mtime(), 77);
}

#[test]
fn appends_of_many_writers_do_not_overwrite_each_other() {
    let host = host();
    host.put("log", "");
    std::thread::scope(|scope| {
        for writer in 0..4u8 {
            let host = &host;
            scope.spawn(move || {
                let file = host.open("log", WRITE | OpenFlags::APPEND).unwrap();
                for _ in 0..500 {
                    let line = [b'a' + writer; 9];
                    if writer % 2 == 0 {
                        assert_eq!(write(&file, 0, &line).unwrap(), 9);
                    } else {
                        let (n, end) = now(file.append(&line)).unwrap();
                        assert_eq!((n, end % 9), (9, 0));
                    }
                }
            });
        }
    });
    let log = host.get("log");
    assert_eq!(log.len(), 4 * 500 * 9);
    assert!(log.chunks(9).all(|line| line.iter().all(|b| *b == line[0])));
}

#[test]
fn append_tells_where_it_ended() {
    let host = host();
    host.put("log", "12345");
    let file = host.open("log", RW).unwrap();
    assert_eq!(now(file.append(b"678")).unwrap(), (3, 8));
    assert_eq!(write(&file, 0, b"X").unwrap(), 1, "an offset counts in a file not opened for appending");
    assert_eq!(host.get("log"), b"X2345678");
}

#[test]
fn space_is_allocated_punched_cut_and_synced() {
    let host = host();
    let (_, file) = host.create("f");
    now(file.allocate(0, 65_536, Allocate::empty())).unwrap();
    assert_eq!(std::fs::metadata(host.path("f")).unwrap().len(), 65_536);
    write(&file, 0, &[1; 65_536]).unwrap();
    now(file.allocate(4096, 8192, Allocate::PUNCH_HOLE | Allocate::KEEP_SIZE)).unwrap();
    let content = host.get("f");
    assert!(content[4096..12_288].iter().all(|b| *b == 0) && content[12_288] == 1);
    now(file.set_size(10)).unwrap();
    assert_eq!(host.get("f").len(), 10);
    now(file.fsync(false)).unwrap();
    now(file.fsync(true)).unwrap();
    let read_only = host.open("f", READ).unwrap();
    assert!(write(&read_only, 0, b"x").unwrap_err().is(Errno::EBADF));
    assert!(now(read_only.set_size(0)).is_err());
    assert!(now(host.open("f", WRITE).unwrap().read(0, &mut [0; 1])).unwrap_err().is(Errno::EBADF));
}

#[test]
fn sync_waits_on_another_thread_where_there_is_a_runtime() {
    let host = host();
    let (_, file) = host.create("f");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let op = file.fsync(true);
        assert!(matches!(op, vfs::Op::Later(_)));
        op.await.unwrap();
    });
}

#[test]
fn attributes_are_the_files_own_and_those_of_the_hosts_own_business_are_refused() {
    let host = host();
    let (node, _) = host.create("f");
    let none = SetXattr::empty();
    now(node.setxattr(b"user.a", b"1\0\xff", none)).unwrap();
    now(node.setxattr(b"user.b", &[b'x'; 1000], SetXattr::CREATE)).unwrap();
    assert_eq!(&*now(node.getxattr(b"user.a")).unwrap(), b"1\0\xff");
    assert_eq!(now(node.getxattr(b"user.b")).unwrap().len(), 1000);
    let mut names = now(node.listxattr()).unwrap();
    names.sort();
    assert_eq!(names, [Box::from(*b"user.a") as Box<[u8]>, Box::from(*b"user.b")]);
    let set = |name: &[u8], how| now(node.setxattr(name, b"", how)).map_err(|e| e.errno());
    assert_eq!(set(b"user.a", SetXattr::CREATE), Err(Errno::EEXIST));
    assert_eq!(set(b"user.c", SetXattr::REPLACE), Err(Errno::ENODATA));
    assert_eq!(set(b"system.x", none), Err(Errno::EOPNOTSUPP));
    assert_eq!(set(b"x", none), Err(Errno::EOPNOTSUPP));
    assert!(now(node.getxattr(b"system.x")).unwrap_err().is(Errno::EOPNOTSUPP));
    // The kernel's to allow or not; where it is allowed it is shown.
    match set(b"trusted.x", none) {
        Ok(()) => assert!(now(node.listxattr()).unwrap().contains(&Box::from(*b"trusted.x"))),
        Err(error) => assert_eq!(error, Errno::EPERM),
    }
    now(node.removexattr(b"user.a")).unwrap();
    assert!(now(node.getxattr(b"user.a")).unwrap_err().is(Errno::ENODATA));
    assert!(now(node.removexattr(b"user.a")).unwrap_err().is(Errno::ENODATA));
    let dir = host.mkdir("d");
    now(dir.setxattr(b"user.d", b"dir", none)).unwrap();
    assert_eq!(&*now(dir.getxattr(b"user.d")).unwrap(), b"dir");
}

#[test]
fn statfs_is_that_of_the_file_system() {
    let host = host();
    let (ours, its) = (now(host.root.statfs()).unwrap(), rustix::fs::statfs(host.dir.path()).unwrap());
    assert_eq!((ours.blocks, ours.files, ours.kind), (its.f_blocks, its.f_files, its.f_type as u32));
    assert_eq!(ours.namelen, 255);
}

#[test]
fn a_read_only_tree_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), "text").unwrap();
    let options = HostOptions { read_only: true, ..HostOptions::default() };
    let root = HostTree::open_with(dir.path(), options).unwrap().root();
    let me = Caller::me();
    let file = walk(&root, "f").unwrap();
    assert_eq!(read(&open(&file, READ).unwrap()), b"text");
    let mode = Mode::new(0o777);
    let results = [
        open(&file, WRITE).err(),
        open(&file, READ | OpenFlags::TRUNCATE).err(),
        now(root.create(&me, n("g"), mode, RW)).err(),
        now(root.mkdir(&me, n("g"), mode)).err(),
        now(root.symlink(&me, n("g"), b"f")).err(),
        now(root.mknod(&me, n("g"), Kind::File, mode, Device::default())).err(),
        now(root.link(&me, &file, n("g"))).err(),
        now(root.rename(&me, n("f"), &root, n("g"), RenameFlags::empty())).err(),
        now(root.unlink(&me, n("f"))).err(),
        now(root.rmdir(&me, n("f"))).err(),
        now(file.setstat(&me, SetStat { mode: Some(mode), ..NONE })).err(),
        now(file.setxattr(b"user.a", b"", SetXattr::empty())).err(),
        now(file.removexattr(b"user.a")).err(),
    ];
    for (index, error) in results.into_iter().enumerate() {
        assert!(error.is_some_and(|error| error.is(Errno::EROFS)), "number {index}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn root_makes_files_in_the_name_of_the_caller() {
    if !Caller::me().is_root() {
        return eprintln!("not run: takes root");
    }
    let host = host();
    let who = Caller::new(Uid(4711), Gid(4712));
    let owner = |path: &Path| {
        let meta = std::fs::symlink_metadata(path).unwrap();
        (meta.uid(), meta.gid())
    };
    let made = |dir: &NodeRef| {
        now(dir.create(&who, n("f"), Mode::new(0o666), RW)).unwrap();
        now(dir.mkdir(&who, n("d"), Mode::new(0o777))).unwrap();
        now(dir.symlink(&who, n("l"), b"f")).unwrap();
        now(dir.mknod(&who, n("p"), Kind::Fifo, Mode::new(0o666), Device::default())).unwrap();
    };
    made(&host.root);
    for name in ["f", "d", "l", "p"] {
        assert_eq!(owner(&host.path(name)), (4711, 4712), "{name}");
    }
    assert_eq!(std::fs::metadata(host.path("d")).unwrap().mode() & 0o7777, 0o777);
    let shared = host.mkdir("shared");
    let set = SetStat { mode: Some(Mode::new(0o2775)), gid: Some(Gid(99)), ..NONE };
    now(shared.setstat(&host.me, set)).unwrap();
    made(&shared);
    for name in ["f", "d", "l", "p"] {
        assert_eq!(owner(&host.path("shared").join(name)), (4711, 99), "the directory's group: {name}");
    }
    let mode = std::fs::metadata(host.path("shared/d")).unwrap().mode() & 0o7777;
    assert_eq!(mode, 0o2777, "a directory hands its set-group-id bit on");
    host.create("mine");
    assert_eq!(
        owner(&host.path("mine")),
        (0, rustix::process::getegid().as_raw()),
        "the thread is itself again"
    );
    let device = Device { major: 1, minor: 3 };
    let error = now(host.root.mknod(&who, n("null"), Kind::CharDevice, Mode::new(0o666), device));
    assert!(error.err().unwrap().is(Errno::EPERM));
}

#[test]
fn a_write_of_another_clears_the_set_id_bits() {
    let host = host();
    if !host.me.is_root() {
        return eprintln!("not run: takes root");
    }
    let (node, _) = host.create("f");
    let set = SetStat { mode: Some(Mode::new(0o6777)), ..NONE };
    now(node.setstat(&host.me, set)).unwrap();
    let who = Caller::new(Uid(4711), Gid(4712));
    let file = now(node.clone().open(&who, WRITE)).unwrap();
    write(&file, 0, b"x").unwrap();
    assert_eq!(stat(&node).mode.bits(), 0o777);
    now(node.setstat(&host.me, set)).unwrap();
    now(node.setstat(&who, SetStat { size: Some(0), ..NONE })).unwrap();
    assert_eq!(stat(&node).mode.bits(), 0o777, "a truncation too");
    now(node.setstat(&host.me, set)).unwrap();
    write(&host.open("f", WRITE).unwrap(), 0, b"x").unwrap();
    assert_eq!(stat(&node).mode.bits(), 0o6777, "root may");
}

#[test]
fn errors_of_the_host_come_with_their_errno() {
    let host = host();
    std::fs::create_dir(host.path("d")).unwrap();
    symlink("d", host.path("l")).unwrap();
    assert!(host.walk("none").err().unwrap().is(Errno::ENOENT));
    assert!(walk(&host.walk("l").unwrap(), "x").err().unwrap().is(Errno::ENOTDIR));
    let dir = host.walk("d").unwrap();
    assert!(open(&dir, WRITE).err().unwrap().is(Errno::EISDIR));
    assert!(now(open(&dir, READ).unwrap().read(0, &mut [0; 1])).unwrap_err().is(Errno::EISDIR));
    host.put("f", "");
    assert!(host.open("f", READ | OpenFlags::DIRECTORY).err().unwrap().is(Errno::ENOTDIR));
    assert!(now(host.open("f", READ).unwrap().readdir(0, &mut |_| true)).unwrap_err().is(Errno::ENOTDIR));
    assert!(HostTree::open(&host.path("f")).unwrap_err().is(Errno::ENOTDIR));
    let error = HostTree::open(&host.path("nowhere")).unwrap_err();
    assert!(error.is(Errno::ENOENT) && error.text().contains("nowhere"), "{error:?}");
}

#[test]
fn locks_hold_between_open_files_under_every_name() {
    let host = host();
    let (node, one) = host.create("a");
    now(host.root.link(&host.me, &node, n("b"))).unwrap();
    let two = host.open("b", RW).unwrap();
    let owner = |owner| LockOwner { client: 1, owner, sort: LockSort::Record, pid: 7 };
    let lock = |kind| Lock { kind, start: 0, end: u64::MAX };
    now(one.lock(owner(1), lock(LockKind::Write), false)).unwrap();
    assert!(now(two.lock(owner(2), lock(LockKind::Read), false)).unwrap_err().is(Errno::EAGAIN));
    assert_eq!(now(two.getlock(owner(2), lock(LockKind::Read))).unwrap().unwrap().0, owner(1));
    assert!(two.lock(owner(2), lock(LockKind::Read), true).now().is_none(), "waits");
    one.release(owner(1));
    now(two.lock(owner(2), lock(LockKind::Read), false)).unwrap();
}
