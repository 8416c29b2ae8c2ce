//! What the machine sets limits to: a full or read-only file system, a server that is not root, handles that run out.

mod host_support;

use host_support::*;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change, mount_remount};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags, set_capabilities};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use vfs::host::{HostOptions, HostTree};
use vfs::{Allocate, Caller, Device, Errno, Gid, Kind, Mode, NodeRef, SetStat, Uid};

/// Runs `test` with a small tmpfs mounted where only its thread sees it; not where that takes rights we do not have.
fn with_small_tmpfs(test: impl FnOnce(&Path) + Send) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: gives this thread mounts of its own; no other thread's view of anything changes.
            let alone = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) };
            if let Err(error) = alone {
                return cannot_run("host directories on other file systems: mounts of its own", error);
            }
            let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            if let Err(error) = mount_change("/", private) {
                return cannot_run("host directories on other file systems: / is no mount point", error);
            }
            let dir = tempfile::tempdir().unwrap();
            mount("tmpfs", dir.path(), "tmpfs", MountFlags::empty(), c"size=64k,nr_inodes=20").unwrap();
            test(dir.path());
            rustix::mount::unmount(dir.path(), rustix::mount::UnmountFlags::DETACH).unwrap();
        });
    });
}

#[test]
fn a_full_file_system_says_so_and_keeps_what_it_has() {
    with_small_tmpfs(|path| {
        let root = HostTree::open(path).unwrap().root();
        let me = Caller::me();
        let (_, file) = now(root.create(&me, n("big"), Mode::new(0o644), RW)).unwrap();
        let mut size = 0;
        let error = loop {
            match write(&file, size, &[7; 4096]) {
                Ok(n) => size += n as u64,
                Err(error) => break error,
            }
        };
        assert!(error.is(Errno::ENOSPC) && error.text() == "file system is full", "{error:?}");
        assert_eq!(read(&file), vec![7; size as usize]);
        assert!(now(file.allocate(0, 1 << 20, Allocate::empty())).unwrap_err().is(Errno::ENOSPC));
        let error = (0..30).find_map(|i| now(root.mkdir(&me, n(&format!("{i}")), Mode::new(0o755))).err());
        assert!(error.unwrap().is(Errno::ENOSPC), "no inodes left");
        now(root.unlink(&me, n("big"))).unwrap();
    });
}

#[test]
fn a_file_system_that_is_read_only_says_so() {
    with_small_tmpfs(|path| {
        std::fs::write(path.join("f"), "text").unwrap();
        let root = HostTree::open(path).unwrap().root();
        mount_remount(path, MountFlags::RDONLY, "").unwrap();
        let me = Caller::me();
        let file = walk(&root, "f").unwrap();
        assert_eq!(read(&open(&file, READ).unwrap()), b"text");
        let set = SetStat { mode: Some(Mode::new(0o600)), size: Some(0), ..SetStat::default() };
        let errors = [
            open(&file, RW).err(),
            now(root.create(&me, n("g"), Mode::new(0o644), RW)).err(),
            now(root.mkdir(&me, n("g"), Mode::new(0o644))).err(),
            now(root.unlink(&me, n("f"))).err(),
            now(file.setstat(&me, set)).err(),
        ];
        for error in errors {
            assert!(error.as_ref().is_some_and(|e| e.is(Errno::EROFS)), "{error:?}");
        }
    });
}

#[test]
fn the_whole_of_another_file_system_below_can_be_used() {
    with_small_tmpfs(|mounted| {
        let root = HostTree::open(mounted.parent().unwrap()).unwrap().root();
        let below = walk(&root, mounted.file_name().unwrap().to_str().unwrap()).unwrap();
        let me = Caller::me();
        let (node, file) = now(below.create(&me, n("f"), Mode::new(0o644), RW)).unwrap();
        write(&file, 0, b"x").unwrap();
        assert_eq!(std::fs::read(mounted.join("f")).unwrap(), b"x");
        assert_eq!(walk(&below, "f").unwrap().qid().path, node.qid().path);
        assert_eq!(list(&open(&below, READ).unwrap(), 0, 9)[0].1.path, node.qid().path);
        let error = now(below.rename(&me, n("f"), &root, n("f"), vfs::RenameFlags::empty())).unwrap_err();
        assert!(error.is(Errno::EXDEV));
    });
}

#[test]
fn a_tree_works_without_proc() {
    with_small_tmpfs(|path| {
        mount("tmpfs", "/proc", "tmpfs", MountFlags::empty(), None).unwrap();
        assert!(!Path::new("/proc/self").exists());
        let (root, me) = (HostTree::open(path).unwrap().root(), Caller::me());
        let (node, file) = now(root.create(&me, n("f"), Mode::new(0o666), RW)).unwrap();
        write(&file, 0, b"0123456789").unwrap();
        drop(file);
        assert_eq!(read(&open(&node, READ).unwrap()), b"0123456789");
        assert_eq!(stat(&node).mode.bits(), 0o666);
        let time = vfs::SetTime::To(vfs::Time { secs: 7, nanos: 8 });
        let set =
            SetStat { mode: Some(Mode::new(0o640)), size: Some(3), mtime: Some(time), ..SetStat::default() };
        now(node.setstat(&me, set)).unwrap();
        let after = stat(&node);
        assert_eq!((after.mode.bits(), after.size, after.mtime.secs), (0o640, 3, 7));
        now(node.setxattr(b"user.a", b"1", vfs::SetXattr::empty())).unwrap();
        assert_eq!(&*now(node.getxattr(b"user.a")).unwrap(), b"1");
        assert_eq!(now(node.listxattr()).unwrap().len(), 1);
        open(&node, WRITE | vfs::OpenFlags::TRUNCATE).unwrap();
        assert_eq!(stat(&node).size, 0);
        // Another file in its place is neither opened nor cut.
        std::fs::rename(path.join("f"), path.join("g")).unwrap();
        std::fs::write(path.join("f"), "another").unwrap();
        assert!(open(&node, WRITE | vfs::OpenFlags::TRUNCATE).err().unwrap().is(Errno::ESTALE));
        assert_eq!(std::fs::read(path.join("f")).unwrap(), b"another");
        assert!(Arc::ptr_eq(&walk(&root, "g").unwrap(), &node));
        assert!(open(&node, RW).is_ok(), "found under its new name");
        rustix::mount::unmount("/proc", rustix::mount::UnmountFlags::DETACH).unwrap();
    });
}

/// Runs `test` on a thread that is user 65534 without capabilities, as a server that was not started as root is.
fn as_nobody(test: impl FnOnce() + Send) {
    if !Caller::me().is_root() {
        return cannot_run(
            "a host directory of a server that is not root",
            "takes root to become somebody else",
        );
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (uid, gid) = (rustix::thread::Uid::from_raw(65_534), rustix::thread::Gid::from_raw(65_534));
            rustix::thread::set_thread_groups(&[]).unwrap();
            rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
            rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
            let none = CapabilitySet::empty();
            set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
                .unwrap();
            test();
        });
    });
}

#[test]
fn a_server_that_is_not_root_has_the_rights_of_its_user() {
    let dir = tempfile::tempdir().unwrap();
    let set_mode =
        |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    set_mode(dir.path(), 0o777);
    std::fs::write(dir.path().join("private"), "root's").unwrap();
    set_mode(&dir.path().join("private"), 0o600);
    std::fs::create_dir(dir.path().join("closed")).unwrap();
    set_mode(&dir.path().join("closed"), 0o755);
    as_nobody(|| {
        let root = HostTree::open(dir.path()).unwrap().root();
        let private = walk(&root, "private").unwrap();
        assert!(open(&private, READ).err().unwrap().is(Errno::EACCES));
        let set = SetStat { mode: Some(Mode::new(0o666)), ..SetStat::default() };
        assert!(now(private.setstat(&Caller::me(), set)).unwrap_err().is(Errno::EPERM));
        let closed = walk(&root, "closed").unwrap();
        // Whatever the caller says he is: files are made as the server.
        let who = Caller::new(Uid(0), Gid(0));
        assert!(now(closed.create(&who, n("f"), Mode::new(0o644), RW)).err().unwrap().is(Errno::EACCES));
        now(root.create(&who, n("mine"), Mode::new(0o666), RW)).unwrap();
        let (node, file) = now(root.create(&who, n("shut"), Mode::new(0o200), RW)).unwrap();
        write(&file, 0, b"open file").unwrap();
        assert_eq!(read(&file), b"open file");
        assert!(now(node.setstat(&who, set)).is_ok());
        now(root.link(&who, &node, n("other"))).unwrap();
        let device = Device { major: 1, minor: 3 };
        let null = now(root.mknod(&who, n("null"), Kind::CharDevice, Mode::new(0o666), device));
        assert!(null.err().unwrap().is(Errno::EPERM));
    });
    if Caller::me().is_root() {
        let meta = std::fs::metadata(dir.path().join("mine")).unwrap();
        assert_eq!((meta.uid(), meta.mode() & 0o7777), (65_534, 0o666));
        assert_eq!(std::fs::metadata(dir.path().join("other")).unwrap().nlink(), 2);
    }
}

/// Those of this process that are of files below `dir`: other tests run beside this one and have their own.
fn descriptors_below(dir: &Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    open.filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|file| file.starts_with(dir))).count()
}

#[test]
fn ten_thousand_nodes_do_with_a_hundred_handles() {
    let options = HostOptions { handles: Some(100), ..HostOptions::default() };
    let host = host_with(options);
    for d in 0..100 {
        let dir = host.mkdir(&format!("{d}"));
        (0..100).for_each(|f| host.put(&format!("{d}/{f}"), format!("{d} {f}")));
        drop(dir);
    }
    let dir = std::fs::canonicalize(host.path("")).unwrap();
    let mut nodes: Vec<NodeRef> = Vec::new();
    for d in 0..100 {
        let dir = host.walk(&format!("{d}")).unwrap();
        nodes.extend((0..100).map(|f| walk(&dir, &format!("{f}")).unwrap()));
    }
    // The root's beside them.
    assert_eq!(descriptors_below(&dir), 101);
    std::thread::scope(|scope| {
        for part in 0..4 {
            let nodes = &nodes;
            scope.spawn(move || {
                for (index, node) in nodes.iter().enumerate().skip(part).step_by(4) {
                    let text = format!("{} {}", index / 100, index % 100);
                    assert_eq!(stat(node).size, text.len() as u64);
                    assert_eq!(read(&open(node, READ).unwrap()), text.as_bytes());
                }
            });
        }
    });
    let again = walk(&host.walk("42").unwrap(), "17").unwrap();
    assert!(Arc::ptr_eq(&again, &nodes[4217]));
}

#[test]
fn a_node_without_a_handle_follows_renames_made_through_the_tree() {
    let host = host_with(HostOptions { handles: Some(1), ..HostOptions::default() });
    let (a, b) = (host.mkdir("a"), host.mkdir("b"));
    let c = now(a.mkdir(&host.me, n("c"), Mode::new(0o755))).unwrap();
    let (file, open_file) = now(c.create(&host.me, n("f"), Mode::new(0o644), RW)).unwrap();
    write(&open_file, 0, b"text").unwrap();
    drop(open_file);
    now(a.rename(&host.me, n("c"), &b, n("d"), vfs::RenameFlags::empty())).unwrap();
    now(host.root.rename(&host.me, n("b"), &host.root, n("e"), vfs::RenameFlags::empty())).unwrap();
    host.put("other", "");
    use_up_handles(&host.root);
    assert_eq!(read(&open(&file, READ).unwrap()), b"text");
    assert_eq!(host.get("e/d/f"), b"text");
    // What the host moves under the tree's feet, up and down, makes no ring of parents.
    std::fs::rename(host.path("e/d"), host.path("top")).unwrap();
    std::fs::rename(host.path("e"), host.path("top/e")).unwrap();
    let e = walk(&c, "e");
    assert!(e.as_ref().is_ok_and(|e| Arc::ptr_eq(e, &b)) || e.is_err_and(|e| e.is(Errno::ESTALE)));
    let top = host.walk("top").unwrap();
    assert!(Arc::ptr_eq(&top, &c));
    assert!(Arc::ptr_eq(&walk(&top, "e").unwrap(), &b));
    use_up_handles(&host.root);
    assert_eq!(stat(&b).kind(), Kind::Dir);
}

#[test]
fn an_open_file_needs_no_handle() {
    let host = host_with(HostOptions { handles: Some(1), ..HostOptions::default() });
    let (node, file) = host.create("f");
    host.put("other", "");
    now(host.root.unlink(&host.me, n("f"))).unwrap();
    use_up_handles(&host.root);
    write(&file, 0, b"text").unwrap();
    assert_eq!((stat(&node).size, stat(&node).nlink), (4, 0));
    let set = SetStat { mode: Some(Mode::new(0o600)), size: Some(2), ..SetStat::default() };
    now(node.setstat(&host.me, set)).unwrap();
    assert_eq!(read(&file), b"te");
}

#[test]
fn a_chain_of_directories_may_be_longer_than_a_stack_is_deep() {
    const DEEP: usize = 10_000;
    let host = host_in_memory(HostOptions { handles: Some(8), ..HostOptions::default() });
    let mut here = host.root.clone();
    for _ in 0..DEEP {
        here = now(here.mkdir(&host.me, n("d"), Mode::new(0o755))).unwrap();
    }
    // Everything above lost its handle long ago; a file at the bottom is found again all the same.
    let (file, _) = now(here.create(&host.me, n("f"), Mode::new(0o644), RW)).unwrap();
    host.put("other", "");
    use_up_handles(&host.root);
    assert_eq!(stat(&file).size, 0);
    drop((here, file));
    // No path is long enough to reach the bottom: each level's child is moved up and the level removed.
    let (me, none) = (&host.me, vfs::RenameFlags::empty());
    let mut top = host.walk("d").unwrap();
    loop {
        let moved = now(top.rename(me, n("d"), &host.root, n("next"), none));
        if moved.is_err() {
            now(top.unlink(me, n("f"))).unwrap();
            return now(host.root.rmdir(me, n("d"))).unwrap();
        }
        now(host.root.rmdir(me, n("d"))).unwrap();
        now(host.root.rename(me, n("next"), &host.root, n("d"), none)).unwrap();
        top = host.walk("d").unwrap();
    }
}

#[test]
fn an_open_mode_that_the_file_forbids_is_no_matter_for_its_maker() {
    let host = host();
    let (_, file) = now(host.root.create(&host.me, n("f"), Mode::new(0), RW)).unwrap();
    write(&file, 0, b"x").unwrap();
    assert_eq!(read(&file), b"x");
    assert_eq!(std::fs::metadata(host.path("f")).unwrap().mode() & 0o7777, 0);
}

/// What a thread does with the directories and files `0` to `7`, over and over; anything may fail.
fn stir(host: &Host, seed: u64, rounds: u32) {
    let mut state = seed;
    let mut any = |below: u64| {
        // Knuth's constants for a linear congruential generator; the high bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut held: Vec<NodeRef> = Vec::new();
    for _ in 0..rounds {
        let (a, b) = (any(8).to_string(), any(8).to_string());
        let (a, b, me, mode) = (n(&a), n(&b), &host.me, Mode::new(0o755));
        let dir = held.get(any(16) as usize).filter(|d| d.kind().is_dir()).unwrap_or(&host.root).clone();
        let to = held.get(any(16) as usize).unwrap_or(&host.root).clone();
        match any(9) {
            0 => held.extend(now(dir.mkdir(me, a, mode)).ok()),
            1 => held.extend(now(dir.create(me, a, mode, RW)).ok().map(|(node, _)| node)),
            2 => _ = now(dir.unlink(me, a)),
            3 => _ = now(dir.rmdir(me, a)),
            4 => _ = now(dir.rename(me, a, &to, b, vfs::RenameFlags::empty())),
            5 => _ = now(dir.rename(me, a, &to, b, vfs::RenameFlags::EXCHANGE)),
            6 => _ = open(&to, READ).map(|file| file.node().kind()),
            7 => _ = now(to.stat()).map(|stat| assert_eq!(stat.qid.path, to.qid().path)),
            _ => held.extend(now(dir.walk(me, a)).ok()),
        }
        if held.len() > 16 {
            held.swap_remove(any(16) as usize);
        }
    }
}

#[test]
fn many_threads_that_move_and_remove_the_same_files_neither_stop_nor_mix_them_up() {
    let host = host_in_memory(HostOptions { handles: Some(3), ..HostOptions::default() });
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let host = &host;
            scope.spawn(move || stir(host, seed, 20_000));
        }
    });
    let left = list(&open(&host.root, READ).unwrap(), 0, 100);
    for (name, qid, _) in left {
        let node = now(host.root.walk(&host.me, vfs::Name::new(&name).unwrap())).unwrap();
        assert_eq!((node.qid().path, node.kind()), (qid.path, qid.kind));
    }
}
