//! What a guest's calls do in one go (stat, open, create and remove by name) is what a walk and the call one after the other
//! do, whatever the host does meanwhile.

mod host_support;

use host_support::*;
use rustix::fs::{CWD, FileType, Mode as FsMode, inotify, mknodat};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use vfs::host::HostOptions;
use vfs::lock::{Lock, LockKind, LockOwner, LockSort};
use vfs::{
    BindFlags, Caller, Errno, FileRef, Follow, Gid, MemTree, Mode, Namespace, OpenFlags, Recall, Result,
    SetStat, Uid,
};

/// A namespace of a memory tree with the host directory at /h.
struct World {
    host: Host,
    ns: Namespace,
}

fn world_of(host: Host) -> World {
    let ns = Namespace::new(MemTree::new().root(), "mem");
    let place = now(ns.root().mkdir(&host.me, n("h"), Mode::new(0o755))).unwrap();
    ns.mount(host.root.clone(), "host", &place, BindFlags::empty()).unwrap();
    World { host, ns }
}

/// Once on a disk, as a rule, and once in memory.
fn worlds() -> Vec<World> {
    vec![world_of(host()), world_of(host_in_memory(HostOptions::default()))]
}

impl World {
    fn open(&self, path: &str, flags: OpenFlags) -> Result<FileRef> {
        let (root, me) = (self.ns.root(), &self.host.me);
        match root.open_at_once(me, path.as_bytes(), flags, &mut Recall::default()) {
            Some(opened) => Ok(opened?.file),
            None => now(now(root.resolve(me, path.as_bytes(), Follow::Yes))?.open(me, flags)),
        }
    }
    fn read(&self, path: &str) -> Vec<u8> {
        read(&self.open(path, READ).unwrap())
    }
}

#[test]
fn an_unlinked_file_lives_while_any_of_several_has_it_open() {
    for world in worlds() {
        world.host.put("f", "x");
        let me = &world.host.me;
        let set = |file: &FileRef, mode| {
            now(file.node().setstat(me, SetStat { mode: Some(Mode::new(mode)), ..SetStat::default() }))
        };
        let [first, second, third] = [(); 3].map(|()| world.open("/h/f", READ | OpenFlags::WRITE).unwrap());
        for file in [&first, &second, &third] {
            set(file, 0o600).unwrap();
        }
        std::fs::remove_file(world.host.path("f")).unwrap();
        drop(first);
        set(&second, 0o640).unwrap();
        drop(second);
        set(&third, 0o644).unwrap();
        assert_eq!(now(third.stat()).unwrap().mode.bits() & 0o777, 0o644);
    }
}

#[test]
fn a_name_that_means_another_file_gives_the_other_file() {
    for world in worlds() {
        world.host.put("f", "one");
        for _ in 0..3 {
            assert_eq!(world.read("/h/f"), b"one");
        }
        world.host.put("new", "two");
        std::fs::rename(world.host.path("new"), world.host.path("f")).unwrap();
        assert_eq!(world.read("/h/f"), b"two");
        world.host.put("f", "three");
        assert_eq!(world.read("/h/f"), b"three");
        std::fs::remove_file(world.host.path("f")).unwrap();
        assert!(world.open("/h/f", READ).err().unwrap().is(Errno::ENOENT));
        symlink("elsewhere", world.host.path("f")).unwrap();
        assert!(world.open("/h/f", READ).err().unwrap().is(Errno::ENOENT), "the link leads nowhere");
    }
}

#[test]
fn a_directory_on_the_way_that_is_another_one_is_seen_as_that() {
    for world in worlds() {
        world.host.mkdir("d");
        world.host.put("d/f", "one");
        for _ in 0..3 {
            assert_eq!(world.read("/h/d/f"), b"one");
        }
        std::fs::rename(world.host.path("d"), world.host.path("old")).unwrap();
        assert!(world.open("/h/d/f", READ).err().unwrap().is(Errno::ENOENT));
        std::fs::create_dir(world.host.path("d")).unwrap();
        world.host.put("d/f", "two");
        assert_eq!(world.read("/h/d/f"), b"two");
        assert_eq!(world.read("/h/old/f"), b"one");
        std::fs::remove_file(world.host.path("d/f")).unwrap();
        std::fs::remove_dir(world.host.path("d")).unwrap();
        symlink("old", world.host.path("d")).unwrap();
        assert_eq!(world.read("/h/d/f"), b"one", "through a link that stays in the namespace");
    }
}

#[test]
fn a_file_that_was_read_and_may_not_be_read_any_more_is_not_opened() {
    for world in worlds() {
        let user = Caller::new(Uid(4711), Gid(4711));
        world.host.put("f", "text");
        let opened = |world: &World| {
            let root = world.ns.root();
            assert!(
                root.open_at_once(&user, b"/h/f", READ, &mut Recall::default()).is_none(),
                "the mode bits are to be asked"
            );
            now(root.resolve(&user, b"/h/f", Follow::Yes)).and_then(|place| now(place.open(&user, READ)))
        };
        assert_eq!(world.read("/h/f"), b"text");
        std::fs::set_permissions(world.host.path(""), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::set_permissions(world.host.path("f"), PermissionsExt::from_mode(0o644)).unwrap();
        if world.host.me.is_root() {
            assert!(opened(&world).is_ok());
        }
        std::fs::set_permissions(world.host.path("f"), PermissionsExt::from_mode(0o600)).unwrap();
        assert!(opened(&world).err().unwrap().is(Errno::EACCES));
    }
}

#[test]
fn a_removed_file_gives_its_space_back_although_it_was_read() {
    for world in worlds() {
        world.host.put("f", "text");
        world.host.put("g", "text");
        assert_eq!((world.read("/h/f"), world.read("/h/g")), (b"text".to_vec(), b"text".to_vec()));
        now(world.ns.root().resolve_parent(&world.host.me, b"/h/f")).unwrap();
        let dir = now(world.ns.root().walk(&world.host.me, b"h")).unwrap();
        now(dir.unlink(&world.host.me, n("f"))).unwrap();
        world.host.put("h", "other");
        now(dir.rename(&world.host.me, n("h"), &dir, n("g"), vfs::RenameFlags::empty())).unwrap();
        // By name: the number of a file that is gone may be another's already.
        let open: Vec<_> = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok())
            .filter(|path| {
                path.starts_with(world.host.path("")) && path.to_string_lossy().ends_with(" (deleted)")
            })
            .collect();
        assert!(open.is_empty(), "{open:?}");
    }
}

#[test]
fn a_file_that_is_opened_again_is_the_one_that_a_walk_finds() {
    for world in worlds() {
        world.host.put("f", "text");
        assert_eq!(world.read("/h/f"), b"text");
        let (root, me) = (world.ns.root(), &world.host.me);
        let again = root.open_at_once(me, b"/h/f", READ, &mut Recall::default()).unwrap().unwrap();
        let place = now(root.resolve(me, b"/h/f", Follow::Yes)).unwrap();
        assert_eq!(again.identity(), place.qid().path);
        let again = again.file;
        let node = world.host.walk("f").unwrap();
        assert_eq!(again.qid(), node.qid());
        let stats = [now(again.stat()).unwrap(), stat(&node)].map(|stat| format!("{stat:?}"));
        assert_eq!(stats[0], stats[1]);
        assert!(Arc::ptr_eq(again.node(), &node));
        assert!(write(&again, 0, b"more").unwrap_err().is(Errno::EBADF));
        assert!(now(again.set_size(1)).unwrap_err().is(Errno::EINVAL));
        assert_eq!(world.host.get("f"), b"text");

        // What was written by others meanwhile is what it has.
        std::fs::write(world.host.path("f"), "other words").unwrap();
        assert_eq!(read(&again), b"other words");
        assert_eq!(now(again.stat()).unwrap().size, 11);

        // Its locks are those of the file.
        let by = |owner| LockOwner { client: 1, owner, sort: LockSort::Whole, pid: 7 };
        let all = Lock { kind: LockKind::Write, start: 0, end: u64::MAX };
        let another = world.open("/h/f", RW).unwrap();
        now(again.lock(by(1), all, false)).unwrap();
        assert!(now(another.lock(by(2), all, false)).unwrap_err().is(Errno::EAGAIN));
        again.release(by(1));
        now(another.lock(by(2), all, false)).unwrap();
        another.release(by(2));

        // It is there as long as it is open.
        std::fs::remove_file(world.host.path("f")).unwrap();
        assert_eq!((read(&again), now(again.stat()).unwrap().nlink), (b"other words".to_vec(), 0));
    }
}

#[test]
fn a_file_that_is_opened_again_is_told_from_the_next_of_its_name() {
    for world in worlds() {
        world.host.put("f", "one");
        world.read("/h/f");
        let one = world.open("/h/f", READ).unwrap();
        std::fs::remove_file(world.host.path("f")).unwrap();
        world.host.put("f", "two");
        let two = world.open("/h/f", READ).unwrap();
        // The first finds its node only now.
        assert!(!Arc::ptr_eq(one.node(), two.node()));
        assert_ne!(one.qid().path, two.qid().path);
        assert_eq!(
            (now(one.node().stat()).unwrap().nlink, stat(&world.host.walk("f").unwrap()).nlink),
            (0, 1)
        );
        assert_eq!((read(&one), read(&two)), (b"one".to_vec(), b"two".to_vec()));
    }
}

#[test]
fn a_file_that_is_opened_again_does_not_make_a_moved_one_lose_its_way() {
    const HANDLES: usize = 256;
    let options = HostOptions { handles: Some(HANDLES), ..HostOptions::default() };
    let world = world_of(host_in_memory(options));
    world.host.put("f", "text");
    world.read("/h/f");
    let again = world.open("/h/f", READ).unwrap();
    std::fs::rename(world.host.path("f"), world.host.path("g")).unwrap();
    let moved = world.host.walk("g").unwrap();
    assert!(Arc::ptr_eq(again.node(), &moved));
    drop(again);
    // So many others are used that its descriptor is closed: the way back to it is by name.
    let others: Vec<_> = (0..3 * HANDLES).map(|at| format!("other-{at}")).collect();
    for name in &others {
        world.host.put(name, "");
        world.read(&format!("/h/{name}"));
    }
    let others: Vec<_> = others.iter().map(|name| world.host.walk(name).unwrap()).collect();
    assert_eq!(read(&open(&moved, READ).unwrap()), b"text");
    drop(others);
}

#[test]
fn fifos_sockets_and_devices_are_refused_as_by_a_walk() {
    for world in worlds() {
        mknodat(CWD, world.host.path("fifo"), FileType::Fifo, FsMode::from_raw_mode(0o666), 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(world.host.path("socket")).unwrap();
        let null = rustix::fs::makedev(1, 3);
        let device = mknodat(
            CWD,
            world.host.path("null"),
            FileType::CharacterDevice,
            FsMode::from_raw_mode(0o666),
            null,
        );
        if device.is_err() {
            cannot_run("opening a device in a host directory", "making one takes root");
        }
        for (name, made) in [("fifo", true), ("socket", true), ("null", device.is_ok())] {
            for flags in [READ, WRITE, RW | OpenFlags::TRUNCATE] {
                let refused = world.open(&format!("/h/{name}"), flags).err().unwrap();
                assert!(!made || refused.text().contains("shown but not opened"), "{name}: {refused:?}");
            }
        }
    }
}

#[test]
fn a_fifo_swapped_for_a_file_is_never_opened() {
    let world = world_of(host_in_memory(HostOptions::default()));
    world.host.put("f", "text");
    let (f, trap) = (world.host.path("f"), world.host.path("trap"));
    mknodat(CWD, &trap, FileType::Fifo, FsMode::from_raw_mode(0o666), 0).unwrap();
    // An event for whoever opens it for use; O_PATH makes none.
    let opened = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&opened, &trap, inotify::WatchFlags::OPEN).unwrap();
    let (stop, swaps) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(CWD, &f, CWD, &trap, rustix::fs::RenameFlags::EXCHANGE).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut rounds = 0;
        while rounds < 5000 || swaps.load(Ordering::Relaxed) < 5000 {
            rounds += 1;
            let flags = [READ, WRITE, RW][rounds % 3];
            if let Ok(file) = world.open("/h/f", flags) {
                assert_eq!(file.node().kind(), vfs::Kind::File);
                assert!(flags == WRITE || read(&file) == b"text");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    let mut events = [0; 4096];
    assert_eq!(rustix::io::read(&opened, &mut events).unwrap_err(), rustix::io::Errno::AGAIN);
}

#[test]
fn what_is_mounted_over_an_entry_is_what_is_opened_and_is_not_removed() {
    for world in worlds() {
        world.host.put("f", "under");
        world.host.put("g", "over");
        let me = &world.host.me;
        assert_eq!(world.read("/h/f"), b"under");
        let place = |path: &str| now(world.ns.root().resolve(me, path.as_bytes(), Follow::Yes)).unwrap();
        world.ns.bind(&place("/h/g"), &place("/h/f"), BindFlags::empty()).unwrap();
        assert_eq!(world.read("/h/f"), b"over");
        let (_, looked) = now(world.ns.root().look(me, b"/h/f", Follow::Yes)).unwrap();
        assert_eq!(looked.size, 4);
        assert!(now(place("/h").unlink(me, n("f"))).unwrap_err().is(Errno::EBUSY));
        world.ns.unmount(None, &place("/h/f")).unwrap();
        assert_eq!(world.read("/h/f"), b"under");
        now(place("/h").unlink(me, n("f"))).unwrap();
    }
}

#[test]
fn a_file_is_made_once_whoever_is_first() {
    for world in worlds() {
        let (dir, me) = (now(world.ns.root().walk(&world.host.me, b"h")).unwrap(), &world.host.me);
        let made = now(dir.create(me, n("f"), Mode::new(0o640), RW | OpenFlags::EXCLUSIVE)).unwrap();
        write(&made.file, 0, b"mine").unwrap();
        let again = now(dir.create(me, n("f"), Mode::new(0o640), RW | OpenFlags::EXCLUSIVE));
        assert!(again.err().unwrap().is(Errno::EEXIST));
        let opened = now(dir.create(me, n("f"), Mode::new(0o600), RW)).unwrap();
        assert_eq!(read(&opened.file), b"mine");
        assert_eq!(std::fs::metadata(world.host.path("f")).unwrap().mode() & 0o777, 0o640);
    }
}

impl World {
    /// Makes and opens a file in one go.
    fn make(&self, who: &Caller, path: &str, mode: u32, flags: OpenFlags) -> FileRef {
        let (root, mode) = (self.ns.root(), Mode::new(mode));
        let made = root.open_or_create_at_once(who, path.as_bytes(), mode, flags, &mut Recall::default());
        made.expect("at once").expect("made").file
    }

    /// Somebody who may write everywhere and takes set-id bits by it; none where that is the kernel's business.
    fn mere_writer(&self) -> Option<Caller> {
        if !self.host.me.is_root() {
            cannot_run("clearing set-id bits", "a server that is not root leaves it to the kernel");
            return None;
        }
        std::fs::set_permissions(self.host.path(""), PermissionsExt::from_mode(0o777)).unwrap();
        Some(Caller { checked: true, ..Caller::new(Uid(4711), Gid(4711)) })
    }
}

#[test]
fn a_file_that_is_made_is_the_one_that_a_walk_finds() {
    for world in worlds() {
        let made = world.make(&world.host.me, "/h/f", 0o640, RW);
        write(&made, 0, b"one").unwrap();
        assert_eq!(read(&made), b"one");
        assert_eq!(std::fs::metadata(world.host.path("f")).unwrap().mode() & 0o777, 0o640);
        let node = world.host.walk("f").unwrap();
        assert_eq!(made.qid().path, node.qid().path);
        assert!(Arc::ptr_eq(made.node(), &node));
        let stats = [now(made.stat()).unwrap(), stat(&node)].map(|stat| format!("{stat:?}"));
        assert_eq!(stats[0], stats[1]);
        now(made.set_size(2)).unwrap();
        assert_eq!(now(made.append(b"!")).unwrap(), (1, 3));
        now(made.flush()).unwrap();
        assert_eq!(world.host.get("f"), b"on!");
    }
}

#[test]
fn a_file_that_is_made_and_moved_or_removed_is_still_that_file() {
    for world in worlds() {
        let [moved, removed] = ["moved", "removed"].map(|name| {
            let made = world.make(&world.host.me, &format!("/h/{name}"), 0o600, RW);
            write(&made, 0, name.as_bytes()).unwrap();
            made
        });
        std::fs::rename(world.host.path("moved"), world.host.path("away")).unwrap();
        std::fs::remove_file(world.host.path("removed")).unwrap();
        world.host.put("moved", "another");
        world.host.put("removed", "another");
        assert!(Arc::ptr_eq(moved.node(), &world.host.walk("away").unwrap()));
        assert_ne!(removed.qid().path, world.host.walk("removed").unwrap().qid().path);
        assert_eq!(now(removed.stat()).unwrap().nlink, 0);
        assert_eq!((read(&moved), read(&removed)), (b"moved".to_vec(), b"removed".to_vec()));
    }
}

/// As a guest writes to a file that it uses often.
fn write_directly(file: &FileRef, offset: u64, data: &[u8]) -> Result<usize> {
    match file.clone().direct().and_then(|direct| direct.write(offset, data)) {
        Some(written) => written,
        None => write(file, offset, data),
    }
}

type Write = fn(&FileRef, u64, &[u8]) -> Result<usize>;

/// Every way to write in worlds of its own.
fn worlds_and_ways() -> impl Iterator<Item = (World, Write)> {
    let ways: [Write; 2] = [write, write_directly];
    ways.into_iter().flat_map(|way| worlds().into_iter().map(move |world| (world, way)))
}

#[test]
fn a_file_is_used_directly_as_by_itself_until_it_has_a_node() {
    for world in worlds() {
        let made = world.make(&world.host.me, "/h/f", 0o600, RW);
        let direct = made.clone().direct().expect("a file without a node");
        assert_eq!(direct.write(1, b"text").unwrap().unwrap(), 4);
        let mut buf = [0; 8];
        assert_eq!(direct.read(0, &mut buf).unwrap(), 5);
        assert_eq!(&buf[..5], b"\0text");
        assert_eq!(direct.read(9, &mut buf).unwrap(), 0);
        let told = vfs::Measure::from(&now(made.stat()).unwrap());
        let measured = direct.measure().unwrap().unwrap();
        assert_eq!(format!("{measured:?}"), format!("{told:?}"));
        assert_eq!((measured.nlink, measured.size), (1, 5));

        made.node();
        assert!(direct.measure().is_none() && direct.write(0, b"x").is_none());
        assert_eq!(direct.read(1, &mut buf[..4]).unwrap(), 4);
        assert_eq!(&buf[..4], b"text");

        let only_read = world.open("/h/f", READ).unwrap();
        assert!(only_read.direct().expect("one that reads").write(0, b"x").is_none());
        let appends = world.make(&world.host.me, "/h/log", 0o600, WRITE | OpenFlags::APPEND);
        assert!(appends.direct().expect("one that measures").write(0, b"x").is_none());
        assert_eq!(world.host.get("f"), b"\0text");
    }
}

#[test]
fn what_is_written_to_a_file_that_was_made_is_seen_by_who_has_its_node() {
    for (world, write) in worlds_and_ways() {
        let made = world.make(&world.host.me, "/h/f", 0o600, WRITE);
        write(&made, 0, b"before").unwrap();
        let node = world.host.walk("f").unwrap();
        let before = node.qid().version;
        write(&made, 0, b"behind").unwrap();
        assert_ne!(node.qid().version, before);
    }
}

#[test]
fn a_write_to_a_file_that_was_made_takes_its_set_id_bits() {
    for (world, write) in worlds_and_ways() {
        let Some(writer) = world.mere_writer() else { continue };
        let made = world.make(&writer, "/h/f", 0o755, WRITE);
        write(&made, 0, b"one").unwrap();
        let node = world.host.walk("f").unwrap();
        let set = vfs::SetStat { mode: Some(Mode::new(0o4755)), ..Default::default() };
        now(node.setstat(&world.host.me, set)).unwrap();
        write(&made, 0, b"two").unwrap();
        assert_eq!(stat(&node).mode, Mode::new(0o755));
        assert_eq!(std::fs::metadata(world.host.path("f")).unwrap().uid(), 4711);
    }
}

#[test]
fn a_file_that_is_made_has_the_mode_that_its_makers_umask_leaves() {
    for world in worlds() {
        for (umask, has) in [(0o000, 0o666), (0o022, 0o644), (0o077, 0o600), (0o777, 0)] {
            let maker = Caller { umask, ..world.host.me.clone() };
            let name = format!("f-{umask:o}");
            drop(world.make(&maker, &format!("/h/{name}"), 0o666, WRITE));
            assert_eq!(std::fs::metadata(world.host.path(&name)).unwrap().mode() & 0o777, has);
        }
    }
}

#[test]
fn nothing_is_made_in_a_directory_that_is_only_read() {
    let world = world_of(host_in_memory(HostOptions { read_only: true, ..HostOptions::default() }));
    let made = world.ns.root().open_or_create_at_once(
        &world.host.me,
        b"/h/f",
        Mode::new(0o600),
        WRITE,
        &mut Recall::default(),
    );
    assert!(made.is_none_or(|made| made.is_err()));
    assert!(!world.host.path("f").exists());
}

#[test]
fn a_file_that_is_opened_for_the_first_time_is_the_one_that_a_walk_finds() {
    for world in worlds() {
        for (name, flags) in [("read", READ), ("written", WRITE), ("both", RW)] {
            world.host.put(name, "text");
            let path = format!("/h/{name}");
            let opened = world.open(&path, flags).unwrap();
            let told = now(opened.stat()).unwrap();
            let node = world.host.walk(name).unwrap();
            assert!(Arc::ptr_eq(opened.node(), &node));
            assert_eq!(format!("{told:?}"), format!("{:?}", stat(&node)));
        }
    }
}

#[test]
fn what_is_written_to_a_file_is_seen_by_who_has_its_node_whoever_came_first() {
    for (world, write) in worlds_and_ways() {
        for first in ["walk", "open"] {
            world.host.put(first, "text");
            let (name, path) = (first, format!("/h/{first}"));
            let walked = (first == "walk").then(|| world.host.walk(name).unwrap());
            let opened = world.open(&path, WRITE).unwrap();
            let node = walked.unwrap_or_else(|| world.host.walk(name).unwrap());
            let before = node.qid().version;
            write(&opened, 0, b"more").unwrap();
            let written = node.qid().version;
            assert_ne!(written, before, "{first} first");
            drop(world.open(&path, WRITE | OpenFlags::TRUNCATE).unwrap());
            assert_ne!(node.qid().version, written, "{first} first");
        }
    }
}

#[test]
fn a_write_takes_the_set_id_bits_of_a_file_that_nobody_has_walked_to() {
    for (world, write) in worlds_and_ways() {
        let Some(writer) = world.mere_writer() else { continue };
        world.host.put("there", "text");
        std::fs::set_permissions(world.host.path("there"), PermissionsExt::from_mode(0o6777)).unwrap();
        let there = world.ns.root().open_at_once(&writer, b"/h/there", WRITE, &mut Recall::default());
        let made = world.make(&writer, "/h/made", 0o6777, WRITE);
        for (name, file) in [("there", there.unwrap().unwrap().file), ("made", made)] {
            write(&file, 0, b"more").unwrap();
            assert_eq!(std::fs::metadata(world.host.path(name)).unwrap().mode() & 0o6000, 0, "{name}");
        }
    }
}

#[test]
fn set_id_bits_that_came_and_were_seen_by_nobody_who_stayed_are_cleared_by_a_write() {
    for (world, write) in worlds_and_ways() {
        let Some(writer) = world.mere_writer() else { continue };
        let made = world.make(&writer, "/h/f", 0o755, WRITE);
        assert_eq!(now(made.stat()).unwrap().mode, Mode::new(0o755));
        let set = vfs::SetStat { mode: Some(Mode::new(0o4755)), ..Default::default() };
        now(world.host.walk("f").unwrap().setstat(&world.host.me, set)).unwrap();
        write(&made, 0, b"text").unwrap();
        assert_eq!(std::fs::metadata(world.host.path("f")).unwrap().mode() & 0o7777, 0o755);
    }
}
