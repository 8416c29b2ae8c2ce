//! Nothing outside of the directories that were given can be reached: not by a guest, not over 9P, not through the mount;
//! not by `..`, by links, by names that are paths, or by a race.

use nine::wire::{Dialect, Fid, Gid, Mode, Name, NamesBuf, OpenFlags, Tmessage, UnlinkFlags};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::door::Door;
use tests::wire::Peer;
use tests::{Server, guests, has_fuse};

const SECRET: &str = "nobody inside may read this";

/// A host directory that is served at /h, and one beside it that is not.
struct House {
    server: Server,
    top: tempfile::TempDir,
    mount: Option<tempfile::TempDir>,
}

impl House {
    fn new(what: &str) -> House {
        let top = tempfile::tempdir().expect("a temporary directory");
        let (given, outside) = (top.path().join("given"), top.path().join("outside"));
        for dir in [&given, &outside, &given.join("dir")] {
            std::fs::create_dir(dir).expect("a directory");
        }
        std::fs::write(outside.join("secret"), SECRET).expect("a file");
        std::fs::write(given.join("file"), "inside").expect("a file");
        let links = [
            ("absolute", outside.join("secret")),
            ("relative", "../outside/secret".into()),
            ("to-dir", outside.clone()),
            ("up", "..".into()),
            ("dir/up-up", "../../outside".into()),
            ("root", "/".into()),
            ("proc", "/proc/self/root/etc/passwd".into()),
            ("cwd", "/proc/self/cwd".into()),
            ("chain", "absolute".into()),
        ];
        for (name, target) in links {
            symlink(target, given.join(name)).expect("a link");
        }
        let mount = has_fuse(what).then(|| tempfile::tempdir().expect("a temporary directory"));
        let binds = [
            format!("{}:/guests:ro", guests().display()),
            format!("{}:/h", given.display()),
            format!("{}:/ro:ro", given.display()),
        ];
        let mut args: Vec<&str> = binds.iter().flat_map(|bind| ["--bind", bind]).collect();
        if let Some(dir) = &mount {
            args.extend(["--mount", dir.path().to_str().expect("a UTF-8 path")]);
        }
        House { server: Server::start(&args), top, mount }
    }

    fn doors(&self) -> Vec<Door> {
        Door::all(&self.server, self.mount.as_ref().map(tempfile::TempDir::path))
    }

    /// Everything beside what was given, as it must stay.
    fn outside(&self) -> Vec<String> {
        let list = |dir: &Path| {
            let entries = std::fs::read_dir(dir).expect("a directory");
            entries.map(|e| e.expect("an entry").path().display().to_string()).collect::<Vec<_>>()
        };
        let mut all = list(self.top.path());
        all.extend(list(&self.top.path().join("outside")));
        all.push(std::fs::read_to_string(self.top.path().join("outside/secret")).expect("still there"));
        all.sort();
        all
    }
}

#[test]
fn a_guest_sees_neither_the_hosts_files_nor_its_environment() {
    let house = House::new("confinement over FUSE");
    let outside = house.outside();
    let secret = house.top.path().join("outside/secret").display().to_string();
    let up = "../".repeat(12);
    let paths = [
        "/etc/passwd".to_owned(),
        format!("{up}etc/passwd"),
        format!("/h/{up}etc/passwd"),
        format!("/h/dir/{up}etc/passwd"),
        format!("/task/self/root/{up}etc/passwd"),
        secret.clone(),
        format!("/h/{up}{secret}"),
        "/h/../outside/secret".to_owned(),
        "/h/absolute".to_owned(),
        "/h/relative".to_owned(),
        "/h/chain".to_owned(),
        "/h/to-dir/secret".to_owned(),
        "/h/up/outside/secret".to_owned(),
        "/h/dir/up-up/secret".to_owned(),
        "/h/root/etc/passwd".to_owned(),
        "/h/proc".to_owned(),
        "/h/cwd/Cargo.toml".to_owned(),
        "/proc/self/environ".to_owned(),
        "/dev/mem".to_owned(),
        "/dev/fd/3".to_owned(),
    ];
    for door in house.doors() {
        let task = door.start(&format!("/guests/cat.wasm {} /h/file", paths.join(" ")), "wall=20s");
        assert_eq!(door.end_of(&task), "exit status 1", "{door:?}");
        assert_eq!(
            door.text(&format!("{task}/stdio/1")),
            "inside",
            "{door:?}: what was given, and nothing else"
        );
        let errors = door.text(&format!("{task}/stdio/2"));
        for path in &paths {
            assert!(errors.contains(&format!("cat: {path}: ")), "{door:?}: {path} was opened: {errors}");
        }
        let task = door.start("/guests/env.wasm", "");
        assert_eq!(door.end_of(&task), "");
        let environment = door.text(&format!("{task}/stdio/1"));
        for (name, _) in std::env::vars().filter(|(name, _)| name != "PWD") {
            assert!(!environment.contains(&format!("env {name}=")), "{name} is the server's own");
        }
    }
    assert_eq!(house.outside(), outside);
}

#[test]
fn what_a_guest_makes_stays_inside() {
    let house = House::new("confinement over FUSE");
    let outside = house.outside();
    let door = Door::nine(&house.server, Dialect::P9P2000U);
    let name = house.top.path().join("outside").display().to_string();
    // openmany makes the file that it is given.
    for path in [
        format!("/h/../../{name}/made"),
        format!("{name}/made"),
        "/h/to-dir/made".to_owned(),
        "/h/dir/up-up/made".to_owned(),
        "/h/absolute".to_owned(),
        "/ro/made".to_owned(),
    ] {
        let task = door.start(&format!("/guests/openmany.wasm {path}"), "files=10 wall=20s");
        assert_eq!(door.end_of(&task), "exit status 1");
        let said = door.text(&format!("{task}/stdio/1"));
        assert!(said.starts_with("open number 1:"), "{path} was made: {said}");
    }
    let task = door.start("/guests/openmany.wasm /h/made", "files=10");
    door.end_of(&task);
    assert!(house.top.path().join("given/made").exists());
    // A link to `..` leads to what is above /h for the guest: its own root.
    let task = door.start("/guests/openmany.wasm /h/up/made", "files=10");
    door.end_of(&task);
    assert!(door.exists("/made"));
    // The POSIX suite, with all its links and renames, in a directory that has links to elsewhere.
    let task = door.start("/guests/posix.wasm /h/dir", "wall=60s");
    let end = door.end_of(&task);
    let said = door.text(&format!("{task}/stdio/1"));
    assert!(said.contains("ok symbolic_links") && said.contains("ok renaming"), "{end}: {said}");
    assert_eq!(house.outside(), outside);
}

#[test]
fn names_over_9p_that_are_paths_or_lead_up_are_refused() {
    let house = House::new("confinement over FUSE");
    let outside = house.outside();
    let mut peer = Peer::attached(&house.server);
    peer.open(1, "/h/dir", OpenFlags::DIRECTORY);
    let walk = NamesBuf::new(["h", "dir"]).expect("two names");
    peer.send(2, Tmessage::Walk { fid: Fid(0), newfid: Fid(2), names: walk.as_names() });
    assert_eq!(peer.kind(), 111, "Rwalk");
    peer.send(2, Tmessage::Walk { fid: Fid(0), newfid: Fid(3), names: walk.as_names() });
    assert_eq!(peer.kind(), 111, "Rwalk");
    let long = vec![b'n'; 300];
    let names: [&[u8]; 9] =
        [b"../made", b"/etc/made", b"a/b", b"..", b".", b"", b"nul\0in", &long, b"up-up/made"];
    let (gid, mode) = (Gid(0), Mode(0o644));
    for name in names {
        let shown = String::from_utf8_lossy(name);
        let name = Name(name);
        let asked = [
            Tmessage::Mkdir { dfid: Fid(2), name, mode, gid },
            Tmessage::Symlink { dfid: Fid(2), name, target: Name(b"x"), gid },
            Tmessage::Mknod { dfid: Fid(2), name, mode: Mode(0o100_644), major: 0, minor: 0, gid },
            Tmessage::Link { dfid: Fid(2), fid: Fid(2), name },
            Tmessage::Renameat { olddirfid: Fid(2), oldname: name, newdirfid: Fid(2), newname: Name(b"y") },
            Tmessage::Renameat {
                olddirfid: Fid(2),
                oldname: Name(b"up-up"),
                newdirfid: Fid(2),
                newname: name,
            },
            Tmessage::Rename { fid: Fid(3), dfid: Fid(2), name },
            Tmessage::Unlinkat { dirfid: Fid(2), name, flags: UnlinkFlags::empty() },
            Tmessage::Unlinkat { dirfid: Fid(2), name, flags: UnlinkFlags::REMOVEDIR },
            Tmessage::Lcreate { fid: Fid(2), name, flags: OpenFlags::RDWR, mode, gid },
        ];
        for message in asked {
            peer.send(4, message);
            assert_eq!(peer.kind(), 7, "Rlerror to {} of {shown:?}", message.name());
        }
    }
    // Up, and up again, is the root and no more; and what is a link is not walked through.
    let ups = NamesBuf::new([".."; 16]).expect("sixteen");
    peer.send(5, Tmessage::Walk { fid: Fid(2), newfid: Fid(6), names: ups.as_names() });
    assert_eq!(peer.kind(), 111, "Rwalk");
    for names in
        [vec!["etc", "passwd"], vec!["h", "to-dir", "secret"], vec!["h", "up", "outside"], vec!["h/file"]]
    {
        let path = NamesBuf::new(&names).expect("few");
        peer.send(5, Tmessage::Walk { fid: Fid(6), newfid: Fid(7), names: path.as_names() });
        let reply = peer.reply().expect("a reply");
        let walked = u16::from_le_bytes([reply[7], reply[8]]);
        assert!(reply[4] == 7 || usize::from(walked) < names.len(), "{names:?} was walked");
    }
    for link in ["absolute", "relative", "chain", "proc"] {
        let path = NamesBuf::new(["h", link]).expect("two");
        peer.send(5, Tmessage::Walk { fid: Fid(0), newfid: Fid(8), names: path.as_names() });
        assert_eq!(peer.kind(), 111, "a link can be walked to");
        for flags in [OpenFlags::empty(), OpenFlags::RDWR, OpenFlags::WRONLY | OpenFlags::TRUNC] {
            peer.send(5, Tmessage::Lopen { fid: Fid(8), flags });
            assert_eq!(peer.kind(), 7, "{link}: it is not opened");
        }
        peer.send(5, Tmessage::Clunk { fid: Fid(8) });
        assert_eq!(peer.kind(), 121);
    }
    assert_eq!(house.outside(), outside);
    assert!(peer.is_served());
}

#[test]
fn links_made_through_the_server_lead_nowhere_on_the_server() {
    let house = House::new("confinement over FUSE");
    let outside = house.outside();
    let secret = house.top.path().join("outside/secret").display().to_string();
    for (i, maker) in house.doors().iter().enumerate() {
        if let Door::Nine(root) = maker
            && root.client().dialect() != Dialect::P9P2000L
        {
            continue;
        }
        let made = format!("/h/made-{i}");
        maker.symlink(&made, &secret).expect("a link can say what it likes");
        let task = maker.start(&format!("/guests/cat.wasm {made}"), "wall=20s");
        assert_eq!(maker.end_of(&task), "exit status 1");
        assert_eq!(maker.text(&format!("{task}/stdio/1")), "");
        // Neither is it a program, nor a directory to start in, nor something to bind.
        let task = maker.task(&made);
        for line in ["start\n".to_owned(), format!("bind {made} /tmp\n"), format!("cd {made}\n")] {
            assert!(maker.write(&format!("{task}/ctl"), line.as_bytes()).is_err(), "{maker:?}: {line}");
        }
    }
    assert_eq!(house.outside(), outside);
}

#[test]
fn what_is_bound_read_only_changes_for_nobody() {
    let house = House::new("confinement over FUSE");
    for door in house.doors() {
        for flags in [OpenFlags::WRONLY, OpenFlags::RDWR, OpenFlags::WRONLY | OpenFlags::TRUNC] {
            let failure = door.open("/ro/file", flags).err().expect("it is read-only");
            assert_eq!(failure.errno, libc::EROFS, "{door:?}");
        }
        assert_eq!(door.remove("/ro/file").expect_err("it is read-only").errno, libc::EROFS, "{door:?}");
        assert_eq!(door.text("/ro/file"), "inside");
    }
}

#[test]
fn a_directory_that_is_swapped_for_a_link_all_the_time_is_never_walked_through() {
    let house = House::new("confinement over FUSE");
    let given = house.top.path().join("given");
    let (swap, link, real) = (given.join("swap"), given.join("swap-link"), given.join("swap-real"));
    std::fs::create_dir(&swap).expect("a directory");
    std::fs::write(swap.join("secret"), "inside").expect("a file");
    symlink(house.top.path().join("outside"), &link).expect("a link");
    let over = AtomicBool::new(false);
    let (mut seen, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                std::fs::rename(&swap, &real).expect("away");
                std::fs::rename(&link, &swap).expect("the link comes");
                std::thread::yield_now();
                std::fs::rename(&swap, &link).expect("the link goes");
                std::fs::rename(&real, &swap).expect("back");
            }
        });
        let door = Door::nine(&house.server, Dialect::P9P2000L);
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            match door.read("/h/swap/secret") {
                Ok(content) => {
                    assert_eq!(String::from_utf8_lossy(&content), "inside");
                    seen += 1;
                }
                Err(_) => refused += 1,
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    eprintln!("swapped: {seen} reads came through, {refused} were refused");
    assert!(seen > 0 && refused > 0);
}
