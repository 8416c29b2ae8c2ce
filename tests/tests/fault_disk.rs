//! Disks that are full, fail, or do not answer, under a host directory: whoever wrote is told, and nobody else notices.

use nine::wire::{Dialect, Fid, Later, OpenFlags, Tmessage};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tests::bystander::Bystander;
use tests::disk::Disk;
use tests::door::Door;
use tests::kept::drop_unused;
use tests::wire::Peer;
use tests::{Server, cannot_run, guests, has_fuse};

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server with the failing disk at /disk, mounted itself.
struct Site {
    server: Server,
    disk: Disk,
    mount: tempfile::TempDir,
    _at: tempfile::TempDir,
}

fn site(what: &str) -> Option<Site> {
    if !has_fuse(what) {
        return None;
    }
    let (at, mount) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let disk = match Disk::mount(at.path()) {
        Ok(disk) => disk,
        Err(error) => {
            cannot_run(what, &format!("a file system of the tests' own cannot be mounted: {error}"));
            return None;
        }
    };
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let server = Server::start(&[
        "--bind",
        &format!("{}:/disk", text(at.path())),
        "--bind",
        &format!("{}:/guests:ro", guests().display()),
        "--mount",
        &text(mount.path()),
    ]);
    Some(Site { server, disk, mount, _at: at })
}

impl Drop for Site {
    fn drop(&mut self) {
        // Before the server goes, which does not while a thread of its waits for the disk.
        self.disk.recovers();
    }
}

impl Site {
    fn on_mount(&self, path: &str) -> PathBuf {
        self.mount.path().join(path)
    }
}

#[test]
fn a_full_disk_is_enospc_for_the_one_who_wrote_and_nobody_else_notices() {
    let Some(site) = site("a full disk under a host directory") else { return };
    let bystander = Bystander::start(&site.server, None);
    for door in Door::all(&site.server, Some(site.mount.path())) {
        for _ in 0..20 {
            let full = door.open("/disk/full", OpenFlags::WRONLY).expect("it can be opened");
            let refused = full.write_all(b"data").expect_err("there is no room");
            assert_eq!(refused.errno, libc::ENOSPC, "{door:?}");
            let good = door.open("/disk/good", OpenFlags::WRONLY).expect("it can be opened");
            good.write_all(b"data").expect("there is room beside it");
            assert_eq!(door.read("/disk/good").expect("readable"), b"data", "{door:?}");
        }
    }
    bystander.finish("a full disk");
}

#[test]
fn a_disk_that_fails_is_eio_for_the_one_who_asked() {
    let Some(site) = site("a failing disk under a host directory") else { return };
    let bystander = Bystander::start(&site.server, None);
    for door in Door::all(&site.server, Some(site.mount.path())) {
        let broken = door.open("/disk/broken", OpenFlags::RDWR).expect("it can be opened");
        assert_eq!(broken.read(0, 10).expect_err("it cannot be read").errno, libc::EIO, "{door:?}");
        assert_eq!(broken.write_all(b"data").expect_err("nor written").errno, libc::EIO, "{door:?}");
    }
    bystander.finish("a failing disk");
}

#[test]
fn an_fsync_that_fails_is_told() {
    let Some(site) = site("an fsync that fails") else { return };
    let file = fs::File::options().write(true).open(site.on_mount("disk/lazy")).expect("it can be opened");
    (&file).write_all(b"data").expect("it takes everything");
    let error = file.sync_all().expect_err("the disk has lost it");
    assert_eq!(error.raw_os_error(), Some(libc::EIO));
    let mut peer = Peer::attached(&site.server);
    peer.open(5, "/disk/lazy", OpenFlags::WRONLY);
    peer.send(6, Tmessage::Fsync { fid: Fid(5), datasync: Later(None) });
    let reply = peer.reply().expect("an answer");
    assert_eq!((reply[4], reply[7]), (7, libc::EIO as u8), "Rlerror EIO");
}

/// Writes to /disk/late and closes it; its status is what fd_close said (WASI's EIO is 29).
const CLOSER: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_open" (func $open
    (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "disk/late")
  (data (i32.const 16) "\00\00\00\00\04\00\00\00")
  (func $must (param i32) (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start")
    (call $must (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 0)
      (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 32)))
    (call $must (call $write (i32.load (i32.const 32)) (i32.const 16) (i32.const 1) (i32.const 40)))
    (call $exit (call $close (i32.load (i32.const 32))))))"#;

#[test]
fn a_close_that_fails_is_told_to_whoever_closed_what_he_wrote() {
    let Some(site) = site("a close that fails") else { return };
    let path = site.on_mount("disk/late");
    let script = "import os, sys\nfor flags in (os.O_WRONLY, os.O_RDONLY):\n  fd = os.open(sys.argv[1], flags)\n  if flags: os.write(fd, b'data')\n  try: os.close(fd); print('kept')\n  except OSError as e: print(e.errno)\n";
    let said = tests::text(tests::sh(
        "python3 -c \"$S\" \"$F\"",
        &[("S", script), ("F", path.to_str().expect("UTF-8"))],
        Duration::from_secs(30),
    ));
    assert_eq!(said, format!("{}\nkept\n", libc::EIO));

    let mut peer = Peer::attached(&site.server);
    peer.open(5, "/disk/late", OpenFlags::WRONLY);
    peer.send(6, Tmessage::Write { fid: Fid(5), offset: 0, data: nine::wire::Data(b"data") });
    let reply = peer.reply().expect("an answer");
    assert_eq!(reply[4], 119, "Rwrite");
    peer.send(7, Tmessage::Clunk { fid: Fid(5) });
    let reply = peer.reply().expect("an answer");
    assert_eq!((reply[4], reply[7]), (7, libc::EIO as u8), "Rlerror EIO");

    fs::write(site.on_mount("tmp/closer.wat"), CLOSER).expect("a program");
    let run = "\"$T\" run --server \"$A\" /tmp/closer.wat; echo $?";
    let taskfs = tests::taskfs();
    let vars = [("T", taskfs.to_str().expect("UTF-8")), ("A", &*site.server.unix())];
    let said = tests::text(tests::sh(run, &vars, Duration::from_secs(60)));
    assert_eq!(said.trim(), "29", "EIO");
}

/// Reads a file that hangs, over a connection of its own.
fn hang(site: &Site, n: usize) -> Peer {
    let mut peer = Peer::attached(&site.server);
    peer.open(5, &format!("/disk/hung{n}"), OpenFlags::empty());
    peer.send(6, Tmessage::Read { fid: Fid(5), offset: 0, count: 100 });
    peer
}

#[test]
fn a_disk_that_does_not_answer_stops_only_those_who_ask_it() {
    let Some(site) = site("a disk that hangs") else { return };
    let bystander = Bystander::start(&site.server, Some(site.mount.path()));
    // More at once than there are workers, and then more, and lookups as well as reads.
    let mut stuck: Vec<Peer> = (0..40).map(|n| hang(&site, n)).collect();
    until("they wait for the disk", || site.disk.waited() >= 40);
    stuck.extend((40..60).map(|n| hang(&site, n)));
    until("all wait for the disk", || site.disk.waited() >= 60);
    let mut looking = Peer::attached(&site.server);
    let names = nine::wire::NamesBuf::new(["disk", "lost"]).expect("two names");
    looking.send(7, Tmessage::Walk { fid: Fid(0), newfid: Fid(9), names: names.as_names() });
    until("the lookup waits too", || site.disk.waited() >= 61);
    // Everybody else is served meanwhile: those who come, and those who were there.
    let door = Door::nine(&site.server, Dialect::P9P2000L);
    door.put("/tmp/new", b"new");
    assert_eq!(door.read("/tmp/new").expect("readable"), b"new");
    let task = door.start("/guests/hello.wasm", "");
    assert_eq!(door.end_of(&task), "");
    assert_eq!(fs::read(site.on_mount("tmp/new")).expect("through the mount"), b"new");
    bystander.finish("a disk that hangs");
    // And when the disk answers, so do they.
    site.disk.go_on();
    for mut peer in stuck {
        let reply = peer.reply().expect("an answer at last");
        assert_eq!((reply[4], &reply[11..]), (117, &b"at last"[..]), "Rread");
    }
    assert_eq!(looking.kind(), 111, "an Rwalk as far as it went");
    assert!(Peer::attached(&site.server).is_served());
}

#[test]
fn a_disk_that_does_not_answer_when_its_files_are_closed_stops_nobody_else_on_the_mount() {
    let Some(site) = site("a close that hangs") else { return };
    fs::write(site.on_mount("tmp/new"), "new").expect("writable");
    // More than there are threads that take the mount's requests.
    let open: Vec<fs::File> = (0..20)
        .map(|n| fs::File::open(site.on_mount(&format!("disk/kept{n}"))).expect("it can be opened"))
        .collect();
    // Whoever closes what he only read does not wait for it; the server does.
    drop(open);
    until("all are being closed", || site.disk.waited() >= 20);
    let path = site.on_mount("tmp/new");
    let read = tests::sh("cat \"$F\"", &[("F", path.to_str().expect("UTF-8"))], Duration::from_secs(30));
    assert_eq!(tests::text(read), "new");
    site.disk.go_on();
    let door = Door::nine(&site.server, Dialect::P9P2000L);
    until("nothing is open any more", || door.text("/dev/metrics").contains("\ntaskfs_fuse_files 0"));
}

/// The kernel counts what it was told of files, and the server counts along: also where requests wait, move to other threads and are
/// cancelled, and those who asked are killed.
#[test]
fn all_that_the_kernel_was_told_of_while_a_disk_hung_it_gives_back() {
    let Some(site) = site("forgetting while a disk hangs") else { return };
    let door = Door::nine(&site.server, Dialect::P9P2000L);
    let start = |script: &str| {
        let mut sh = Command::new("sh");
        sh.args(["-c", script]).current_dir(site.mount.path());
        sh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a shell")
    };
    let end = |mut program: Child| {
        program.kill().expect("a child of ours");
        program.wait().expect("a child of ours");
    };
    for round in 0..4 {
        let hangs = |file: &str| {
            let before = site.disk.waited();
            let program = start(&format!("exec cat disk/{file}{round}"));
            until("it waits for the disk", || site.disk.waited() > before);
            program
        };
        let hung = [hangs("hung"), hangs("lost")];
        let work = format!(
            "mkdir tmp/{round}; cd tmp/{round}; while :; do echo x >a; ln a b; mv b c; ln -s a d; rm a c d; done"
        );
        let looks = "exec find bin guests lib tmp -size +1G";
        let programs = [start(&work), start(looks), start(looks), start("exec cat dev/zero")];
        std::thread::sleep(Duration::from_millis(100 * round));
        programs.into_iter().for_each(end);
        for mut program in hung {
            program.kill().expect("a child of ours");
            // Who waits for a disk is gone when it answers, killed or not.
            until("it is gone", || {
                site.disk.go_on();
                program.try_wait().expect("a child of ours").is_some()
            });
        }
    }
    assert!(start("find guests").wait().expect("a child of ours").success());
    assert!(figure(&door, "taskfs_fuse_inodes") > 10, "the kernel keeps what it has seen");
    if !drop_unused(site.mount.path()) {
        return cannot_run("forgetting while a disk hangs", "only the superuser makes the kernel forget");
    }
    until("the kernel has given back all", || {
        // Again and again: a stranger's `find` may come by.
        drop_unused(site.mount.path());
        ["inodes", "files", "requests_waiting"]
            .iter()
            .all(|what| figure(&door, &format!("taskfs_fuse_{what}")) == 0)
    });
}

/// A figure of the server's own.
fn figure(door: &Door, name: &str) -> u64 {
    let text = door.text("/dev/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.expect("it is shown").parse::<f64>().expect("a number") as u64
}
