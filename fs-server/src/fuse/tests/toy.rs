//! Devices to test with.
//!
//! ```text
//! /dev/pipe     what is written comes out in order; a read of nothing waits
//! /dev/log      what is written is kept; a read at the end waits, until `end` is written to ctl
//! /dev/ctl      keeps the last thing written; reads it back
//! /dev/full     a write waits for ever
//! /dev/root     the way into the namespace itself
//! ```

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;
use vfs::*;

pub(super) struct Shared {
    tag: TreeTag,
    ns: Namespace,
    pipe: Mutex<Vec<u8>>,
    log: Mutex<(Vec<u8>, bool)>,
    ctl: Mutex<Vec<u8>>,
    /// How each open of ctl truncated: counted.
    pub(super) truncations: Mutex<u32>,
    changed: Notify,
}

#[derive(Clone)]
pub(super) struct Toys(pub(super) Arc<Shared>);

const NAMES: [(&str, Kind); 5] = [
    ("pipe", Kind::File),
    ("log", Kind::File),
    ("ctl", Kind::File),
    ("full", Kind::File),
    ("root", Kind::Dir),
];

impl Toys {
    pub(super) fn new(ns: &Namespace) -> Toys {
        Toys(Arc::new(Shared {
            tag: TreeTag::take().unwrap(),
            ns: ns.clone(),
            pipe: Mutex::default(),
            log: Mutex::default(),
            ctl: Mutex::default(),
            truncations: Mutex::default(),
            changed: Notify::new(),
        }))
    }
    pub(super) fn root(&self) -> NodeRef {
        self.node(0)
    }
    pub(super) fn pipe(&self, data: &[u8]) {
        self.0.pipe.lock().extend_from_slice(data);
        self.0.changed.notify_waiters();
    }
    pub(super) fn log(&self, data: &[u8]) {
        self.0.log.lock().0.extend_from_slice(data);
        self.0.changed.notify_waiters();
    }
    pub(super) fn end_log(&self) {
        self.0.log.lock().1 = true;
        self.0.changed.notify_waiters();
    }
    fn node(&self, which: usize) -> NodeRef {
        Arc::new(Toy { toys: self.clone(), which })
    }
}

struct Toy {
    toys: Toys,
    /// 0 is the directory, else one more than the index into NAMES.
    which: usize,
}

impl Toy {
    fn name(&self) -> &'static str {
        self.which.checked_sub(1).map_or("", |index| NAMES[index].0)
    }
}

impl Node for Toy {
    fn qid(&self) -> Qid {
        let kind = self.which.checked_sub(1).map_or(Kind::Dir, |index| NAMES[index].1);
        Qid { kind, version: 0, path: self.toys.0.tag.path(self.which as u64) }
    }
    fn nature(&self) -> Nature {
        match self.name() {
            "pipe" | "log" | "full" => Nature::Stream,
            _ => Nature::Device,
        }
    }
    fn stat(&self) -> Op<'_, Stat> {
        let me = Caller::me();
        let dir = self.kind().is_dir();
        Op::ok(Stat {
            qid: self.qid(),
            mode: Mode::new(if dir { 0o555 } else { 0o666 }),
            uid: me.uid,
            gid: me.gid,
            nlink: 1,
            size: if self.name() == "log" { self.toys.0.log.lock().0.len() as u64 } else { 0 },
            blocks: 0,
            blksize: 4096,
            rdev: Device::default(),
            atime: Time::EPOCH,
            mtime: Time::EPOCH,
            ctime: Time::EPOCH,
            btime: Time::EPOCH,
        })
    }
    fn portal(&self) -> Option<Place> {
        (self.name() == "root").then(|| self.toys.0.ns.root())
    }
    fn walk<'a>(&'a self, _: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        match NAMES.iter().position(|(n, _)| n.as_bytes() == name.as_bytes()) {
            Some(index) if self.which == 0 => Op::ok(self.toys.node(index + 1)),
            _ => Op::err(Errno::ENOENT),
        }
    }
    fn open<'a>(self: Arc<Self>, _: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        if flags.contains(OpenFlags::TRUNCATE) {
            *self.toys.0.truncations.lock() += 1;
        }
        let node: NodeRef = self.clone();
        Op::ok(Arc::new(OpenToy { toy: self, node }))
    }
    fn setstat<'a>(&'a self, _: &'a Caller, _: SetStat) -> Op<'a, ()> {
        Op::ok(())
    }
}

struct OpenToy {
    toy: Arc<Toy>,
    node: NodeRef,
}

impl OpenToy {
    /// What a read gives now, if anything.
    fn try_read(&self, offset: u64, buf: &mut [u8]) -> Option<usize> {
        let shared = &self.toy.toys.0;
        match self.toy.name() {
            "pipe" => {
                let mut pipe = shared.pipe.lock();
                let n = pipe.len().min(buf.len());
                buf[..n].copy_from_slice(&pipe[..n]);
                pipe.drain(..n);
                (n > 0).then_some(n)
            }
            "log" => {
                let log = shared.log.lock();
                let rest = log.0.get(offset as usize..).unwrap_or(&[]);
                let n = rest.len().min(buf.len());
                buf[..n].copy_from_slice(&rest[..n]);
                (n > 0 || log.1).then_some(n)
            }
            "ctl" => {
                let ctl = shared.ctl.lock();
                let rest = ctl.get(offset as usize..).unwrap_or(&[]);
                let n = rest.len().min(buf.len());
                buf[..n].copy_from_slice(&rest[..n]);
                Some(n)
            }
            _ => None,
        }
    }
    fn readable(&self) -> bool {
        let shared = &self.toy.toys.0;
        match self.toy.name() {
            "pipe" => !shared.pipe.lock().is_empty(),
            // Without an offset nobody knows: the read itself waits.
            name => name != "full",
        }
    }
}

impl OpenFile for OpenToy {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        Op::started(async move {
            loop {
                let changed = self.toy.toys.0.changed.notified();
                if let Some(n) = self.try_read(offset, buf) {
                    return Ok(n);
                }
                changed.await;
            }
        })
    }
    fn write<'a>(&'a self, _: u64, data: &'a [u8]) -> Op<'a, usize> {
        match self.toy.name() {
            "pipe" => self.toy.toys.pipe(data),
            "log" => self.toy.toys.log(data),
            "ctl" if data.starts_with(b"bad") => return Op::err(Errno::EINVAL),
            "ctl" if data.starts_with(b"panic") => panic!("as asked"),
            "ctl" => *self.toy.toys.0.ctl.lock() = data.to_vec(),
            _ => return Op::later(std::future::pending()),
        }
        Op::ok(data.len())
    }
    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        // The way in, where it is shut, is an empty directory.
        let listed = if self.toy.which == 0 { &NAMES[..] } else { &[] };
        for (index, (name, kind)) in listed.iter().enumerate().skip(cookie as usize) {
            let path = self.toy.toys.0.tag.path(index as u64 + 1);
            let qid = Qid { kind: *kind, version: 0, path };
            let name = Name::new(name.as_bytes()).unwrap();
            if !sink(DirEntry { name, qid, cookie: index as u64 + 1 }) {
                break;
            }
        }
        Op::ok(())
    }
    fn ready(&self, interest: Interest) -> Op<'_, ()> {
        Op::started(async move {
            loop {
                let changed = self.toy.toys.0.changed.notified();
                let ready = match interest {
                    Interest::Read => self.readable(),
                    Interest::Write => self.toy.name() != "full",
                };
                if ready {
                    return Ok(());
                }
                changed.await;
            }
        })
    }
}
