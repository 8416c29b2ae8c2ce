//! Nothing that a name, a `..`, a link or a race does reaches outside a host directory.

mod host_support;

use host_support::*;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use vfs::host::{HostOptions, HostTree};
use vfs::{
    Caller, Device, Errno, Follow, Gid, Kind, Mode, Name, Namespace, NodeRef, OpenFlags, RenameFlags,
    SetStat, SetXattr, Uid,
};

/// A directory outside, whose content, names and attributes must stay as they are.
struct Outside {
    dir: tempfile::TempDir,
}

const SECRET: &str = "the host's own";

impl Outside {
    fn new() -> Outside {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), SECRET).unwrap();
        std::fs::set_permissions(dir.path().join("secret"), PermissionsExt::from_mode(0o640)).unwrap();
        Outside { dir }
    }
    fn path(&self) -> &Path {
        self.dir.path()
    }
    fn assert_untouched(&self) {
        let names: Vec<_> = std::fs::read_dir(self.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["secret"]);
        let secret = self.path().join("secret");
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), SECRET);
        assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o7777, 0o640);
    }
}

#[test]
fn names_that_lead_elsewhere_are_no_names() {
    for name in [&b".."[..], b".", b"../x", b"a/b", b"/etc", b"", b"a\0b", &[b'x'; 256]] {
        assert!(Name::new(name).is_err(), "{:?}", name.escape_ascii().to_string());
    }
}

#[test]
fn dotdot_in_a_namespace_stops_at_the_root_of_the_directory() {
    let host = host();
    host.put("inside", "");
    let ns = Namespace::new(host.root.clone(), "host");
    for path in ["/..", "/../../../..", "/../etc/passwd"] {
        match now(ns.root().resolve(&host.me, path.as_bytes(), Follow::Yes)) {
            Ok(place) => assert_eq!(place.node().qid().path, host.root.qid().path, "{path}"),
            Err(error) => assert!(error.is(Errno::ENOENT), "{path}: {error:?}"),
        }
    }
}

#[test]
fn planted_symlinks_are_shown_and_lead_nowhere() {
    let (host, outside) = (host(), Outside::new());
    let up = format!("../{}", outside.path().file_name().unwrap().to_str().unwrap());
    let targets = [outside.path().to_str().unwrap(), &up, "/", "..", "/proc/self/root", "/proc/self/cwd"];
    for target in targets {
        symlink(target, host.path("link")).unwrap();
        let link = host.walk("link").unwrap();
        assert_eq!(link.kind(), Kind::Symlink);
        assert!(walk(&link, "secret").err().unwrap().is(Errno::ENOTDIR));
        for flags in [READ, RW, READ | OpenFlags::DIRECTORY, WRITE | OpenFlags::TRUNCATE] {
            assert!(open(&link, flags).is_err(), "{target} {flags:?}");
        }
        let mode = Mode::new(0o666);
        assert!(now(host.root.create(&host.me, n("link"), mode, RW)).err().unwrap().is(Errno::ELOOP));
        assert!(now(host.root.mkdir(&host.me, n("link"), mode)).err().unwrap().is(Errno::EEXIST));
        assert!(now(link.create(&host.me, n("f"), mode, RW)).is_err());
        assert!(now(link.mkdir(&host.me, n("d"), mode)).is_err());
        assert!(now(link.unlink(&host.me, n("secret"))).is_err());
        let set = SetStat { mode: Some(mode), ..SetStat::default() };
        assert!(now(link.setstat(&host.me, set)).is_err());
        assert!(now(link.setxattr(b"user.x", b"", SetXattr::empty())).is_err());
        now(host.root.unlink(&host.me, n("link"))).unwrap();
    }
    outside.assert_untouched();
}

#[test]
fn a_link_to_a_file_outside_is_itself_what_is_changed_and_linked() {
    let (host, outside) = (host(), Outside::new());
    symlink(outside.path().join("secret"), host.path("l")).unwrap();
    let link = host.walk("l").unwrap();
    let me = &host.me;
    let set = SetStat { uid: Some(me.uid), gid: Some(me.gid), ..SetStat::default() };
    now(link.setstat(me, set)).unwrap();
    let set = SetStat { size: Some(0), ..SetStat::default() };
    assert!(now(link.setstat(me, set)).is_err());
    now(host.root.link(me, &link, n("m"))).unwrap();
    assert_eq!(host.walk("m").unwrap().kind(), Kind::Symlink);
    now(host.root.rename(me, n("m"), &host.root, n("o"), RenameFlags::empty())).unwrap();
    assert_eq!(host.walk("o").unwrap().kind(), Kind::Symlink);
    outside.assert_untouched();
}

/// Swaps `d` for a symlink to `outside` and back until told to stop, while `work` goes on at `d` and below.
fn while_swapped(host: &Host, outside: &Outside, least: u32, work: impl Fn(u32)) {
    let (stop, swaps) = (AtomicBool::new(false), AtomicU32::new(0));
    symlink(outside.path(), host.path("trap")).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let (d, trap) = (host.path("d"), host.path("trap"));
                let swap = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(rustix::fs::CWD, &d, rustix::fs::CWD, &trap, swap).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let (start, mut round) = (Instant::now(), 0);
        while round < least || swaps.load(Ordering::Relaxed) < least {
            work(round);
            round += 1;
            assert!(start.elapsed() < Duration::from_secs(60), "{} swaps", swaps.load(Ordering::Relaxed));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let (d, trap) = (host.path("d"), host.path("trap"));
    if d.is_symlink() {
        std::fs::rename(&d, host.path("link")).unwrap();
        std::fs::rename(&trap, &d).unwrap();
        std::fs::rename(host.path("link"), &trap).unwrap();
    }
    std::fs::remove_file(trap).unwrap();
}

#[test]
fn a_directory_swapped_for_a_link_is_never_walked_through() {
    let (host, outside) = (host(), Outside::new());
    host.mkdir("d");
    host.put("d/secret", "inside");
    let (files, refused) = (AtomicU32::new(0), AtomicU32::new(0));
    let begun = Instant::now();
    // Whether both are met in one go is the scheduler's to say.
    while files.load(Ordering::Relaxed) == 0 || refused.load(Ordering::Relaxed) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{files:?} read, {refused:?} refused");
        while_swapped(&host, &outside, 5000, |_| {
            let dir = host.walk("d").unwrap();
            match walk(&dir, "secret") {
                Ok(node) => {
                    assert_eq!(read(&open(&node, READ).unwrap()), b"inside");
                    files.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    assert!(error.is(Errno::ENOTDIR), "{error:?}");
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    outside.assert_untouched();
}

#[test]
fn nothing_is_made_or_removed_through_a_swapped_directory() {
    let (host, outside) = (host(), Outside::new());
    host.mkdir("d");
    let stranger = Caller::new(Uid(4711), Gid(4711));
    while_swapped(&host, &outside, 3000, |round| {
        let Ok(dir) = host.walk("d") else { return };
        let name = format!("{round}");
        let (name, mode) = (n(&name), Mode::new(0o666));
        let who = if round % 2 == 0 { &host.me } else { &stranger };
        // Each may fail, as the moment has it.
        let _ = match round % 5 {
            0 => now(dir.create(who, name, mode, RW)).map(|_| dir.unlink(who, name).now()).is_ok(),
            1 => now(dir.mkdir(who, name, mode)).map(|_| dir.rmdir(who, name).now()).is_ok(),
            2 => now(dir.symlink(who, name, b"x")).map(|_| dir.unlink(who, name).now()).is_ok(),
            3 => now(dir.mknod(who, name, Kind::File, mode, Device::default())).is_ok(),
            _ => now(dir.unlink(who, n("secret"))).is_ok(),
        };
        let _ = now(dir.setstat(&host.me, SetStat { mode: Some(Mode::new(0o755)), ..SetStat::default() }));
    });
    outside.assert_untouched();
}

#[test]
fn a_file_swapped_for_a_link_is_never_opened_through_it() {
    let (host, outside) = (host(), Outside::new());
    host.put("d", "inside");
    let secret = outside.path().join("secret");
    let (stop, swaps) = (AtomicBool::new(false), AtomicU32::new(0));
    symlink(&secret, host.path("trap")).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let swap = rustix::fs::RenameFlags::EXCHANGE;
                let (d, trap) = (host.path("d"), host.path("trap"));
                rustix::fs::renameat_with(rustix::fs::CWD, d, rustix::fs::CWD, trap, swap).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut rounds = 0;
        while rounds < 5000 || swaps.load(Ordering::Relaxed) < 5000 {
            rounds += 1;
            let flags = if rounds % 2 == 0 { RW | OpenFlags::TRUNCATE } else { RW };
            if let Ok((_, file)) = now(host.root.create(&host.me, n("d"), Mode::new(0o666), flags)) {
                assert_ne!(read(&file), SECRET.as_bytes());
                write(&file, 0, b"x").unwrap();
            }
            if let Ok(node) = host.walk("d") {
                let set = SetStat { size: Some(1), mode: Some(Mode::new(0o600)), ..SetStat::default() };
                let _ = now(node.setstat(&host.me, set));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    outside.assert_untouched();
}

#[test]
fn handles_that_were_closed_are_not_opened_again_through_a_link() {
    let outside = Outside::new();
    let dir = tempfile::tempdir().unwrap();
    let options = HostOptions { handles: Some(1), ..HostOptions::default() };
    let root = HostTree::open_with(dir.path(), options).unwrap().root();
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir(path("d")).unwrap();
    std::fs::write(path("d/secret"), "inside").unwrap();
    std::fs::write(path("other"), "").unwrap();
    let d = walk(&root, "d").unwrap();
    let file = walk(&d, "secret").unwrap();
    // With one handle, this closes that of the others.
    use_up_handles(&root);
    assert_eq!(read(&open(&file, READ).unwrap()), b"inside", "found again");
    use_up_handles(&root);
    std::fs::rename(path("d"), path("gone")).unwrap();
    symlink(outside.path(), path("d")).unwrap();
    assert!(now(file.stat()).unwrap_err().is(Errno::ESTALE));
    assert!(open(&file, READ).err().unwrap().is(Errno::ESTALE));
    assert!(now(d.create(&Caller::me(), n("new"), Mode::new(0o666), RW)).err().unwrap().is(Errno::ESTALE));
    std::fs::remove_file(path("d")).unwrap();
    std::fs::create_dir(path("d")).unwrap();
    std::fs::write(path("d/secret"), "another").unwrap();
    assert!(now(file.stat()).unwrap_err().is(Errno::ESTALE), "another file by the same name");
    std::fs::remove_dir_all(path("d")).unwrap();
    std::fs::rename(path("gone"), path("d")).unwrap();
    assert_eq!(read(&open(&file, READ).unwrap()), b"inside", "back again");
    outside.assert_untouched();
}

#[test]
fn the_root_is_the_directory_and_not_its_name() {
    let (place, outside) = (tempfile::tempdir().unwrap(), Outside::new());
    let path = place.path().join("root");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("secret"), "inside").unwrap();
    let root = HostTree::open(&path).unwrap().root();
    std::fs::rename(&path, place.path().join("moved")).unwrap();
    symlink(outside.path(), &path).unwrap();
    assert_eq!(read(&open(&walk(&root, "secret").unwrap(), READ).unwrap()), b"inside");
    now(root.create(&Caller::me(), n("new"), Mode::new(0o644), RW)).unwrap();
    assert!(place.path().join("moved/new").exists());
    outside.assert_untouched();
}

#[test]
fn a_root_given_as_a_link_is_followed_once() {
    let (place, outside) = (tempfile::tempdir().unwrap(), Outside::new());
    std::fs::create_dir(place.path().join("real")).unwrap();
    std::fs::write(place.path().join("real/f"), "").unwrap();
    symlink("real", place.path().join("link")).unwrap();
    let root = HostTree::open(&place.path().join("link")).unwrap().root();
    std::fs::remove_file(place.path().join("link")).unwrap();
    symlink(outside.path(), place.path().join("link")).unwrap();
    assert!(walk(&root, "f").is_ok() && walk(&root, "secret").is_err());
}

#[test]
fn magic_links_of_proc_are_links_and_nothing_more() {
    let Ok(tree) = HostTree::open(Path::new("/proc/self")) else {
        return cannot_run("a host directory of /proc", "no /proc");
    };
    let root = tree.root();
    for name in ["root", "cwd", "exe"] {
        let link = walk(&root, name).unwrap();
        assert_eq!(link.kind(), Kind::Symlink, "{name}");
        assert!(walk(&link, "etc").err().unwrap().is(Errno::ENOTDIR));
        assert!(open(&link, READ).err().unwrap().is(Errno::ELOOP));
    }
    let fds = walk(&root, "fd").unwrap();
    let link = walk(&fds, "0").unwrap();
    assert_eq!(link.kind(), Kind::Symlink);
    assert!(open(&link, READ).err().unwrap().is(Errno::ELOOP));
}

#[test]
fn devices_are_shown_and_not_opened() {
    let Ok(tree) = HostTree::open(Path::new("/dev")) else {
        return cannot_run("a host directory of /dev", "no /dev");
    };
    let root = tree.root();
    let null = walk(&root, "null").unwrap();
    assert_eq!(null.kind(), Kind::CharDevice);
    assert_eq!(stat(&null).rdev, Device { major: 1, minor: 3 });
    for flags in [READ, WRITE, RW | OpenFlags::TRUNCATE] {
        let error = open(&null, flags).err().unwrap();
        assert!(error.is(Errno::EACCES) && error.text().contains("device"), "{error:?}");
    }
    let error = now(root.create(&Caller::me(), n("null"), Mode::new(0o666), RW)).err().unwrap();
    assert!(error.is(Errno::EACCES), "{error:?}");
}

#[test]
fn other_file_systems_below_are_crossed_only_where_that_is_allowed() {
    let Ok(dev) = rustix::fs::stat("/dev/pts") else {
        return cannot_run("mounts below a host directory", "no /dev/pts");
    };
    if dev.st_dev == rustix::fs::stat("/dev").unwrap().st_dev {
        return cannot_run("mounts below a host directory", "/dev/pts is no mount");
    }
    let root = HostTree::open(Path::new("/dev")).unwrap().root();
    let pts = walk(&root, "pts").unwrap();
    assert_ne!(pts.qid().path, root.qid().path);
    let options = HostOptions { stay_on_device: true, ..HostOptions::default() };
    let root = HostTree::open_with(Path::new("/dev"), options).unwrap().root();
    assert!(walk(&root, "pts").err().unwrap().is(Errno::EXDEV));
}

#[test]
fn trees_of_two_directories_keep_apart() {
    let (one, two) = (host(), host());
    one.put("f", "");
    let file = one.walk("f").unwrap();
    let me = &one.me;
    let link = |dir: &NodeRef| now(dir.link(me, &file, n("g"))).map_err(|e| e.errno());
    assert_eq!(link(&two.root), Err(Errno::EXDEV));
    assert_eq!(link(&one.root), Ok(()));
    assert_ne!(one.root.qid().path, two.root.qid().path);
}
