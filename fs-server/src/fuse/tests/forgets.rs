//! What the kernel was given it gives back: every entry that is counted here is one that it counts too.
//!
//! It counts none that it cannot take, and then says so to the program and not to us: an entry of another kind than was asked
//! for, a size that no file of its can have.

use super::super::readers::call_all;
use super::super::{Counts, Options, mount};
use super::{cannot_run, rig_with};
use parking_lot::Mutex;
use rustix::fs::{Mode as FsMode, OFlags};
use rustix::mount::{MountFlags, mount_remount};
use std::collections::HashSet;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vfs::*;

/// A directory whose names are not what they were a moment ago.
///
/// ```text
/// plain     a regular file
/// vast      a file of 2^64 - 1 bytes
/// late*     is not there when it is looked up first, and a directory from then on
/// changed*  is a fifo, whatever it was made as
/// ```
#[derive(Clone)]
struct Shape {
    tag: Arc<TreeTag>,
    /// Names that were looked up, and names that were linked.
    seen: Arc<Mutex<HashSet<Vec<u8>>>>,
    number: u64,
    kind: Kind,
}

const ROOT: u64 = 1;
const PLAIN: u64 = 2;
const VAST: u64 = 3;
const LATE: u64 = 4;
/// From here on, what was made.
const MADE: u64 = 10;

impl Shape {
    fn root() -> NodeRef {
        let tag = Arc::new(TreeTag::take().unwrap());
        Arc::new(Shape { tag, seen: Arc::default(), number: ROOT, kind: Kind::Dir })
    }

    fn other(&self, number: u64, kind: Kind) -> NodeRef {
        Arc::new(Shape { number, kind, ..self.clone() })
    }

    /// What is made by `name`.
    fn made(&self, name: Name<'_>) -> NodeRef {
        let hash = name.as_bytes().iter().fold(0, |hash, byte| (hash * 31 + u64::from(*byte)) % (1 << 32));
        self.other(MADE + hash, Kind::Fifo)
    }
}

impl Node for Shape {
    fn qid(&self) -> Qid {
        Qid { kind: self.kind, version: 0, path: self.tag.path(self.number) }
    }
    fn stat(&self) -> Op<'_, Stat> {
        let me = Caller::me();
        Op::ok(Stat {
            qid: self.qid(),
            mode: Mode::new(0o777),
            uid: me.uid,
            gid: me.gid,
            nlink: 1,
            size: if self.number == VAST { u64::MAX } else { 0 },
            blocks: 0,
            blksize: 4096,
            rdev: Device::default(),
            atime: Time::EPOCH,
            mtime: Time::EPOCH,
            ctime: Time::EPOCH,
            btime: Time::EPOCH,
        })
    }
    fn walk<'a>(&'a self, _: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        match name.as_bytes() {
            b"plain" => Op::ok(self.other(PLAIN, Kind::File)),
            b"vast" => Op::ok(self.other(VAST, Kind::File)),
            late if late.starts_with(b"late") && !self.seen.lock().insert(late.to_vec()) => {
                Op::ok(self.other(LATE, Kind::Dir))
            }
            // What a link was made of is found by its name.
            changed if changed.starts_with(b"changed") && self.seen.lock().contains(changed) => {
                Op::ok(self.made(name))
            }
            _ => Op::err(Errno::ENOENT),
        }
    }
    fn open<'a>(self: Arc<Self>, _: &'a Caller, _: OpenFlags) -> Op<'a, FileRef> {
        Op::ok(Arc::new(Open { node: self.clone(), dir: self }))
    }
    fn mkdir<'a>(&'a self, _: &'a Caller, name: Name<'a>, _: Mode) -> Op<'a, NodeRef> {
        Op::ok(self.made(name))
    }
    fn symlink<'a>(&'a self, _: &'a Caller, name: Name<'a>, _: &'a [u8]) -> Op<'a, NodeRef> {
        Op::ok(self.made(name))
    }
    fn mknod<'a>(&'a self, _: &'a Caller, name: Name<'a>, _: Kind, _: Mode, _: Device) -> Op<'a, NodeRef> {
        Op::ok(self.made(name))
    }
    fn link<'a>(&'a self, _: &'a Caller, _: &'a NodeRef, name: Name<'a>) -> Op<'a, ()> {
        self.seen.lock().insert(name.as_bytes().to_vec());
        Op::ok(())
    }
}

struct Open {
    node: NodeRef,
    dir: Arc<Shape>,
}

impl OpenFile for Open {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        let files: [(u64, &[u8]); 2] = [(PLAIN, b"plain"), (VAST, b"vast")];
        for (cookie, (number, name)) in (1..).zip(files).skip(cookie as usize) {
            let qid = self.dir.other(number, Kind::File).qid();
            if !sink(DirEntry { name: Name::new(name).unwrap(), qid, cookie }) {
                break;
            }
        }
        Op::ok(())
    }
}

/// The kernel gives back all that it was given, once it is told to drop what nobody uses just now. That it does where a file
/// system is mounted anew, which only the superuser may ask for. Again and again: a stranger's `find` may come by.
fn all_is_given_back(counts: &Counts, dir: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Err(error) = mount_remount(dir, MountFlags::NOSUID | MountFlags::NODEV, c"") {
            return cannot_run(&format!("fuse: the kernel is not told to drop what it knows: {error}"));
        }
        let held = counts.held();
        if (held.inodes, held.files) == (0, 0) {
            return;
        }
        assert!(Instant::now() < deadline, "the kernel has dropped all that it knew, and here is {held:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn entries_that_the_kernel_cannot_take_are_not_counted_as_given_to_it() {
    if !Path::new("/dev/fuse").exists() {
        return cannot_run("fuse: no /dev/fuse");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (dir, options) = (tempfile::tempdir().unwrap(), Options::default());
    let ns = Namespace::new(Shape::root(), "shifty");
    let mount = mount(ns, dir.path(), &options, runtime.handle().clone()).expect("mounts");
    let at = |name: &str| dir.path().join(name);
    for n in 0..10 {
        // Only who opens to read gets a directory opened.
        let late = rustix::fs::open(at(&format!("late{n}")), OFlags::RDONLY | OFlags::CREATE, FsMode::RUSR);
        assert_eq!(late.expect_err("a directory is not made"), rustix::io::Errno::ISDIR);
        let changed = |how: &str| at(&format!("changed-{how}-{n}"));
        fs::create_dir(changed("dir")).expect_err("a fifo came of it");
        std::os::unix::fs::symlink("there", changed("symlink")).expect_err("a fifo came of it");
        fs::hard_link(at("plain"), changed("link")).expect_err("a fifo came of it");
        UnixListener::bind(changed("socket")).expect_err("a fifo came of it");
        // The most that the kernel can say.
        assert_eq!(fs::metadata(at("vast")).expect("a file").len(), i64::MAX as u64);
        let listed: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap()).collect();
        assert!(listed.len() == 2 && listed.iter().all(|entry| entry.metadata().is_ok()), "{listed:?}");
    }
    all_is_given_back(&options.counts, dir.path());
    mount.unmount().expect("unmounts");
}

#[test]
fn all_that_programs_looked_at_made_and_were_killed_over_is_given_back() {
    let options = Options::default();
    let Some(rig) = rig_with(&options) else { return };
    for dir in ["d0", "d1"] {
        fs::create_dir(rig.path(dir)).unwrap();
        for file in 0..800 {
            let name = format!("{dir}/a-name-of-fifty-bytes-that-fills-an-answer-{file:08}");
            fs::write(rig.path(&name), b"content").unwrap();
        }
        // Who asks for each file's attributes is answered with more and more at a time, until it is more than goes into an
        // answer: those left over are not given.
        assert!(fs::read_dir(rig.path(dir)).unwrap().all(|entry| entry.unwrap().metadata().is_ok()));
    }
    let start = |script: &str| {
        let mut sh = Command::new("sh");
        sh.args(["-c", script]).current_dir(rig.dir.path());
        sh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let walk = "exec find . -path ./dev -prune -o -size +1G -print";
    std::thread::scope(|scope| {
        for turn in 0..4 {
            let start = &start;
            scope.spawn(move || {
                let work = format!(
                    "mkdir -p n{turn}; cd n{turn}; while :; do echo x >a; ln a b; mv b c; ln -s a d; rm a c d; done"
                );
                for round in 0..10 {
                    let mut programs = [start(walk), start("exec cat dev/pipe dev/log"), start(&work)];
                    std::thread::sleep(Duration::from_millis(5 * (round % 5)));
                    programs.iter_mut().for_each(|program| program.kill().unwrap());
                    for program in &mut programs {
                        program.wait().unwrap();
                    }
                }
            });
        }
    });
    assert!(start(walk).wait().unwrap().success());
    assert!(options.counts.held().inodes >= 1000, "the kernel keeps what it has seen");
    all_is_given_back(&options.counts, rig.dir.path());
}

#[test]
fn what_is_given_back_together_is_counted_also_by_a_thread_that_goes_to_rest() {
    let options = Options::default();
    let Some(rig) = rig_with(&options) else { return };
    for file in 0..300 {
        fs::write(rig.path(&format!("f{file}")), b"").unwrap();
    }
    for _ in 0..3 {
        assert!(fs::read_dir(rig.dir.path()).unwrap().all(|entry| entry.unwrap().metadata().is_ok()));
        assert!(options.counts.held().inodes >= 300);
        // All threads wait for requests, and all but one rest after the next they get, which tells of many inodes.
        call_all();
        std::thread::sleep(Duration::from_millis(1200));
        all_is_given_back(&options.counts, rig.dir.path());
    }
}
