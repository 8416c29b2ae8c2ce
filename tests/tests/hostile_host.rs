//! What other servers got wrong about a directory of the host, tried on this one from outside: special files, planted links,
//! races, attributes, leaks. On the memory tree too, where that means anything. docs/hostile.md says which hole is which.

use nine::wire::{
    AttrMask, Dialect, Fid, Gid, Later, Mode, Name, NamesBuf, OpenFlags, OpenMode, SetAttrFields,
    SetAttrMask, Tmessage, Uid, XattrFlags,
};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::bystander::Bystander;
use tests::wire::{Cost, Peer};
use tests::{Server, guests};

/// A directory of the host, served at /h, with another beside it that is not.
struct House {
    server: Server,
    top: tempfile::TempDir,
}

impl House {
    fn new() -> House {
        let top = tempfile::tempdir().expect("a temporary directory");
        for name in ["given", "outside"] {
            std::fs::create_dir(top.path().join(name)).expect("a directory");
        }
        std::fs::write(top.path().join("outside/secret"), "secret").expect("a file");
        std::fs::write(top.path().join("given/file"), "inside").expect("a file");
        let binds = [
            format!("{}:/guests:ro", guests().display()),
            format!("{}:/h", top.path().join("given").display()),
        ];
        let server = Server::start(&["--bind", &binds[0], "--bind", &binds[1]]);
        House { server, top }
    }

    fn given(&self, name: &str) -> PathBuf {
        self.top.path().join("given").join(name)
    }
    fn outside(&self, name: &str) -> PathBuf {
        self.top.path().join("outside").join(name)
    }

    /// Everything there is to know of what must not change.
    fn secret(&self) -> (String, u32, u64, i64, i64) {
        let path = self.outside("secret");
        let meta = std::fs::metadata(&path).expect("still there");
        let names = std::fs::read_dir(self.outside("")).expect("a directory").count() as u64;
        let content = std::fs::read_to_string(&path).expect("still there");
        (content, meta.mode(), names + (u64::from(meta.uid()) << 32), meta.mtime(), meta.ctime())
    }
}

/// A reply that refuses.
fn refused(peer: &mut Peer, message: Tmessage<'_>) -> u32 {
    peer.send(8, message);
    let reply = peer.reply().expect("a reply");
    assert_eq!(reply[4], 7, "{} is refused", message.name());
    u32::from_le_bytes(reply[7..11].try_into().expect("four bytes"))
}

fn walk(peer: &mut Peer, newfid: u32, names: &[&str]) -> bool {
    let path = NamesBuf::new(names).expect("few");
    peer.send(8, Tmessage::Walk { fid: Fid(0), newfid: Fid(newfid), names: path.as_names() });
    let reply = peer.reply().expect("a reply");
    reply[4] == 111 && usize::from(reply[7]) == names.len()
}

fn clunk(peer: &mut Peer, fid: u32) {
    peer.send(8, Tmessage::Clunk { fid: Fid(fid) });
    assert_eq!(peer.kind(), 121, "Rclunk");
}

fn make_fifo(path: &Path) {
    let made = rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o666.into(), 0);
    made.expect("a fifo");
}

/// Whether somebody has the fifo open for reading: a writer that does not wait is told.
fn has_reader(fifo: &Path) -> bool {
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
    rustix::fs::open(fifo, flags, 0.into()).is_ok()
}

const EVERY_WAY: [OpenFlags; 6] = [
    OpenFlags::empty(),
    OpenFlags::WRONLY,
    OpenFlags::RDWR,
    OpenFlags::RDWR.union(OpenFlags::NONBLOCK),
    OpenFlags::WRONLY.union(OpenFlags::TRUNC),
    OpenFlags::DIRECT,
];

#[test]
fn fifos_sockets_and_devices_of_a_host_directory_are_seen_and_never_opened() {
    let house = House::new();
    make_fifo(&house.given("fifo"));
    let listener = UnixListener::bind(house.given("socket")).expect("a socket");
    listener.set_nonblocking(true).expect("a socket");
    let mut names = vec!["fifo", "socket"];
    let device = rustix::fs::makedev(1, 5);
    let kind = rustix::fs::FileType::CharacterDevice;
    // Making one takes the superuser, and a machine that lets him.
    if rustix::fs::mknodat(rustix::fs::CWD, house.given("zero"), kind, 0o666.into(), device).is_ok() {
        names.push("zero");
    }
    let bystander = Bystander::start(&house.server, None);
    let mut peer = Peer::attached(&house.server);
    for name in &names {
        assert!(walk(&mut peer, 5, &["h", name]), "{name} can be looked at");
        peer.send(8, Tmessage::Getattr { fid: Fid(5), mask: AttrMask::BASIC });
        assert_eq!(peer.kind(), 25, "Rgetattr of {name}");
        for flags in EVERY_WAY {
            refused(&mut peer, Tmessage::Lopen { fid: Fid(5), flags });
        }
        clunk(&mut peer, 5);
        // Neither by creating what is there.
        assert!(walk(&mut peer, 5, &["h"]));
        for flags in EVERY_WAY {
            let create = Tmessage::Lcreate {
                fid: Fid(5),
                name: Name(name.as_bytes()),
                flags,
                mode: Mode(0o644),
                gid: Gid(0),
            };
            refused(&mut peer, create);
        }
        clunk(&mut peer, 5);
    }
    assert!(!has_reader(&house.given("fifo")), "nobody has the fifo open");
    assert!(listener.accept().is_err(), "nobody has connected");
    // The dialects of Plan 9 take the same road.
    for dialect in [Dialect::P9P2000U, Dialect::P9P2000] {
        let door = tests::door::Door::nine(&house.server, dialect);
        for name in &names {
            for mode in [0u8, 1, 2, 0x11] {
                let flags = OpenMode::from_bits_retain(mode).to_flags(dialect);
                assert!(door.open(&format!("/h/{name}"), flags).is_err(), "{dialect}: {name}");
            }
        }
    }
    assert!(!has_reader(&house.given("fifo")));
    bystander.finish("special files");
}

#[test]
fn what_is_made_by_mknod_is_not_opened_either() {
    let house = House::new();
    let mut peer = Peer::attached(&house.server);
    for (dir, names) in [("h", vec!["h"]), ("tmp", vec!["tmp"])] {
        assert!(walk(&mut peer, 5, &names));
        for (name, kind) in
            [("made-fifo", Mode::FIFO), ("made-socket", Mode::SOCKET), ("made-zero", Mode::CHARACTER)]
        {
            let mode = Mode(kind | 0o666);
            let mknod = Tmessage::Mknod {
                dfid: Fid(5),
                name: Name(name.as_bytes()),
                mode,
                major: 1,
                minor: 5,
                gid: Gid(0),
            };
            peer.send(8, mknod);
            // Devices take the superuser, on both sides.
            let made = peer.kind() == 19;
            assert!(made || kind == Mode::CHARACTER, "{dir}: {name}");
            if made && !(dir == "tmp" && kind == Mode::FIFO) {
                assert!(walk(&mut peer, 6, &[dir, name]));
                for flags in EVERY_WAY {
                    refused(&mut peer, Tmessage::Lopen { fid: Fid(6), flags });
                }
                clunk(&mut peer, 6);
            }
        }
        clunk(&mut peer, 5);
    }
    let made = std::fs::symlink_metadata(house.given("made-fifo")).expect("it is there");
    assert!(made.file_type().is_fifo() && made.permissions().mode() & 0o777 == 0o666);
}

/// Swaps `one` and `other` for `beside`, over and over, while `work` runs for `least` rounds and two seconds.
fn while_swapped(one: &Path, other: &Path, mut work: impl FnMut()) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(
                    rustix::fs::CWD,
                    one,
                    rustix::fs::CWD,
                    other,
                    rustix::fs::RenameFlags::EXCHANGE,
                )
                .expect("the two change places");
                std::thread::yield_now();
            }
        });
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            work();
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_file_that_changes_places_with_a_fifo_never_makes_an_open_wait() {
    let house = House::new();
    make_fifo(&house.given("other"));
    let mut peer = Peer::attached(&house.server);
    let (mut opened, mut rest) = (0, 0);
    while_swapped(&house.given("file"), &house.given("other"), || {
        if !walk(&mut peer, 5, &["h", "file"]) {
            rest += 1;
            return;
        }
        // A peer that would wait fails by its own time limit.
        peer.send(8, Tmessage::Lopen { fid: Fid(5), flags: OpenFlags::empty() });
        match peer.kind() {
            13 => {
                opened += 1;
                peer.send(8, Tmessage::Read { fid: Fid(5), offset: 0, count: 100 });
                assert_eq!(&peer.reply().expect("a reply")[11..], b"inside");
            }
            _ => rest += 1,
        }
        clunk(&mut peer, 5);
    });
    assert!(!has_reader(&house.given("file")) || !has_reader(&house.given("other")));
    eprintln!("beside a fifo: {opened} opened, {rest} refused");
    assert!(opened > 0 && rest > 0);
}

#[test]
fn nothing_is_changed_through_a_planted_link() {
    let house = House::new();
    let secret = house.secret();
    symlink(house.outside("secret"), house.given("link")).expect("a link");
    symlink(house.outside("made"), house.given("dangling")).expect("a link");
    symlink(house.outside(""), house.given("dir")).expect("a link");
    let mut peer = Peer::attached(&house.server);
    let (gid, mode) = (Gid(0), Mode(0o777));
    for name in ["link", "dangling", "dir"] {
        assert!(walk(&mut peer, 5, &["h", name]), "a link is a file of its own");
        for flags in EVERY_WAY {
            refused(&mut peer, Tmessage::Lopen { fid: Fid(5), flags });
        }
        refused(&mut peer, Tmessage::Mkdir { dfid: Fid(5), name: Name(b"made"), mode, gid });
        refused(
            &mut peer,
            Tmessage::Lcreate { fid: Fid(5), name: Name(b"made"), flags: OpenFlags::RDWR, mode, gid },
        );
        // Some of these change the link itself, others are refused; none gets through.
        let all = [SetAttrMask::MODE, SetAttrMask::SIZE, SetAttrMask::ATIME, SetAttrMask::MTIME];
        for valid in all.into_iter().chain([SetAttrMask::UID | SetAttrMask::GID]) {
            let attr = SetAttrFields { valid, mode, uid: Uid(12345), gid: Gid(12345), ..Default::default() };
            peer.send(8, Tmessage::Setattr { fid: Fid(5), attr });
            assert!(matches!(peer.kind(), 7 | 27), "Rlerror or Rsetattr");
        }
        peer.send(8, Tmessage::Xattrwalk { fid: Fid(5), newfid: Fid(6), name: Name(b"user.x") });
        if peer.kind() == 31 {
            clunk(&mut peer, 6);
        }
        let flags = XattrFlags::empty();
        peer.send(8, Tmessage::Xattrcreate { fid: Fid(5), name: Name(b"user.x"), attr_size: 1, flags });
        if peer.kind() == 33 {
            peer.send(8, Tmessage::Write { fid: Fid(5), offset: 0, data: nine::wire::Data(b"x") });
            peer.kind();
        }
        peer.send(8, Tmessage::Clunk { fid: Fid(5) });
        peer.kind();
        assert!(walk(&mut peer, 5, &["h"]));
        for flags in EVERY_WAY {
            let create = Tmessage::Lcreate { fid: Fid(5), name: Name(name.as_bytes()), flags, mode, gid };
            refused(&mut peer, create);
        }
        clunk(&mut peer, 5);
        assert!(!walk(&mut peer, 5, &["h", name, "secret"]), "nothing is walked to through it");
    }
    assert_eq!(house.secret(), secret);
    assert!(!house.outside("made").exists());
    let xattr = rustix::fs::getxattr(house.outside("secret"), "user.x", &mut [0u8; 8]);
    assert!(xattr.is_err(), "no attribute came through");
    assert!(peer.is_served());
}

#[test]
fn files_that_other_servers_keep_for_themselves_are_files_like_others() {
    let house = House::new();
    let mut peer = Peer::attached(&house.server);
    for name in [".virtfs_metadata", ".virtfs_metadata_root", ".u9fs", "..."] {
        assert!(walk(&mut peer, 5, &["h"]));
        let (flags, mode, gid) = (OpenFlags::RDWR, Mode(0o600), Gid(0));
        peer.send(8, Tmessage::Lcreate { fid: Fid(5), name: Name(name.as_bytes()), flags, mode, gid });
        assert_eq!(peer.kind(), 15, "Rlcreate of {name}");
        // What it says means nothing to anybody.
        peer.send(
            8,
            Tmessage::Write {
                fid: Fid(5),
                offset: 0,
                data: nine::wire::Data(b"virtfs.uid=0\nvirtfs.mode=35309\n"),
            },
        );
        assert_eq!(peer.kind(), 119);
        clunk(&mut peer, 5);
    }
    let meta = std::fs::metadata(house.given("file")).expect("it is there");
    assert_eq!(meta.mode() & 0o7000, 0, "no file got other bits");
}

#[test]
fn names_that_are_bound_for_elsewhere_are_no_trees_to_attach_to() {
    let house = House::new();
    let top = house.top.path().display().to_string();
    for aname in [
        "/h/../../outside".to_owned(),
        format!("/h/..{top}/outside"),
        format!("{top}/outside"),
        "../../../../etc".to_owned(),
        "/proc/self/root".to_owned(),
        "/h/\0/etc".to_owned(),
        "h//../..//outside".to_owned(),
        "x".repeat(60_000),
    ] {
        let mut peer = Peer::attached(&house.server);
        let n_uname = nine::wire::Extension(Some(Uid(0)));
        let attach = Tmessage::Attach {
            fid: Fid(9),
            afid: Fid::NONE,
            uname: Name(b""),
            aname: Name(aname.as_bytes()),
            n_uname,
        };
        refused(&mut peer, attach);
        assert!(peer.is_served());
    }
}

#[test]
fn failed_and_forgotten_requests_cost_no_memory_and_no_descriptors() {
    let house = House::new();
    for (dir, name) in [("h", "file"), ("tmp", "file")] {
        let door = tests::door::Door::nine(&house.server, Dialect::P9P2000L);
        door.put(&format!("/{dir}/{name}"), b"inside");
        drop(door);
        let round = || {
            let mut peer = Peer::attached(&house.server);
            for fid in 10..60 {
                assert!(walk(&mut peer, fid, &[dir, name]));
            }
            for fid in 10..60 {
                let create = |attr_size| Tmessage::Xattrcreate {
                    fid: Fid(fid),
                    name: Name(b"user.x"),
                    attr_size,
                    flags: XattrFlags::empty(),
                };
                refused(&mut peer, create(1 << 60));
                peer.send(8, create(60_000));
                assert_eq!(peer.kind(), 33, "Rxattrcreate");
                // Over itself, again and again, with most of it written.
                refused(&mut peer, create(60_000));
                peer.send(
                    8,
                    Tmessage::Write { fid: Fid(fid), offset: 0, data: nine::wire::Data(&[0; 50_000]) },
                );
                assert_eq!(peer.kind(), 119, "Rwrite");
                refused(&mut peer, create(60_000));
            }
            assert!(walk(&mut peer, 5, &[dir]));
            for _ in 0..200 {
                refused(
                    &mut peer,
                    Tmessage::Link { dfid: Fid(5), fid: Fid(10), name: Name(name.as_bytes()) },
                );
                refused(
                    &mut peer,
                    Tmessage::Mkdir {
                        dfid: Fid(5),
                        name: Name(name.as_bytes()),
                        mode: Mode(0o755),
                        gid: Gid(0),
                    },
                );
                refused(
                    &mut peer,
                    Tmessage::Lcreate {
                        fid: Fid(5),
                        name: Name(&[b'n'; 300]),
                        flags: OpenFlags::RDWR,
                        mode: Mode(0o644),
                        gid: Gid(0),
                    },
                );
                refused(
                    &mut peer,
                    Tmessage::Write { fid: Fid(5), offset: 0, data: nine::wire::Data(&[0; 10_000]) },
                );
                refused(&mut peer, Tmessage::Fsync { fid: Fid(5), datasync: Later(None) });
                refused(&mut peer, Tmessage::Read { fid: Fid(5), offset: u64::MAX, count: u32::MAX });
            }
            // And gone, with everything open.
        };
        for _ in 0..3 {
            round();
        }
        let before = Cost::of(house.server.pid());
        for _ in 0..12 {
            round();
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while Cost::of(house.server.pid()).files > before.files + 4 {
            assert!(Instant::now() < deadline, "descriptors are left: {:?}", Cost::of(house.server.pid()));
            std::thread::sleep(Duration::from_millis(5));
        }
        let after = Cost::of(house.server.pid());
        eprintln!("/{dir}: {before:?}, then {after:?}");
        // A round that leaked would leave 3 MB of attributes.
        assert!(after.resident_kib < before.resident_kib + 16 * 1024, "{before:?}, {after:?}");
    }
}

#[test]
fn more_files_than_descriptors_are_held_while_they_are_renamed_and_clunked() {
    let house = House::new();
    for n in 0..300 {
        std::fs::write(house.given(&format!("f{n}")), format!("content {n}")).expect("a file");
    }
    // Handles are closed when there are too many, and opened again by name: which must be the same file, or none.
    let mut one = Peer::attached(&house.server);
    let mut other = Peer::attached(&house.server);
    for n in 0..300 {
        assert!(walk(&mut one, 1000 + n, &["h", &format!("f{n}")]));
        assert!(walk(&mut other, 1000 + n, &["h", &format!("f{n}")]));
    }
    assert!(walk(&mut other, 5, &["h"]));
    for n in 0..300u32 {
        let (old, new) = (format!("f{n}"), format!("f{}", (n + 1) % 300));
        match n % 3 {
            0 => {
                let (oldname, newname) = (Name(old.as_bytes()), Name(new.as_bytes()));
                other.send(8, Tmessage::Renameat { olddirfid: Fid(5), oldname, newdirfid: Fid(5), newname });
                assert!(matches!(other.kind(), 75 | 7));
            }
            1 => clunk(&mut other, 1000 + n),
            _ => {
                other.send(8, Tmessage::Remove { fid: Fid(1000 + n) });
                assert!(matches!(other.kind(), 123 | 7));
            }
        }
    }
    for n in 0..300 {
        one.send(8, Tmessage::Lopen { fid: Fid(1000 + n), flags: OpenFlags::empty() });
        if one.kind() != 13 {
            continue;
        }
        one.send(8, Tmessage::Read { fid: Fid(1000 + n), offset: 0, count: 100 });
        let reply = one.reply().expect("a reply");
        assert_eq!(
            String::from_utf8_lossy(&reply[11..]),
            format!("content {n}"),
            "the fid is the file it was walked to"
        );
    }
    assert!(one.is_served() && other.is_served());
}
