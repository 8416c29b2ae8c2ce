//! How a request of the kernel becomes one piece of work on the namespace and one answer: whose it is, which inodes it
//! concerns, and how long it may wait.
//!
//! Which request wants which work is in `requests`; when the work is done here and when in a task of its own is `reply`'s.

use super::counts::Counts;
use super::device::Device;
use super::handles::{Handles, Open};
use super::inodes::Inodes;
use super::interrupt::{Patience, Watcher};
use super::locks::Holder;
use super::names::{self, Dir, FoundEntry, GENERATION};
use super::origin::Origin;
use super::readers::Readers;
use super::reply::{Pending, Refuse, Waits};
use crate::stall::{self, Watched};
use fuser::{FileHandle, INodeNo, LockOwner, ReplyEmpty, ReplyEntry, Request};
use std::ffi::OsStr;
use std::future::Future;
use std::sync::Arc;
use vfs::{Nature, Place};

pub(super) struct Session {
    pub(super) inodes: Arc<Inodes>,
    pub(super) handles: Arc<Handles>,
    pub(super) watcher: Arc<Watcher>,
    pub(super) runtime: tokio::runtime::Handle,
    /// This mount's number among the holders of locks.
    pub(super) client: u64,
    pub(super) counts: Arc<Counts>,
    pub(super) readers: Arc<Readers>,
    pub(super) device: Arc<Device>,
}

/// What is asked for, and of which inodes.
pub(super) struct Asked<'a> {
    op: &'static str,
    request: &'a Request,
    inodes: [INodeNo; 2],
    plain: bool,
    content: bool,
    waits: Waits,
}

impl<'a> Asked<'a> {
    pub(super) fn of(op: &'static str, request: &'a Request, ino: INodeNo) -> Asked<'a> {
        Asked { op, request, inodes: [ino; 2], plain: false, content: false, waits: Waits::Never }
    }
    pub(super) fn and(self, other: INodeNo) -> Asked<'a> {
        Asked { inodes: [self.inodes[0], other], ..self }
    }
    fn seen_at(self, place: &Place) -> Asked<'a> {
        Asked { plain: place.qid().path == place.node().qid().path, ..self }
    }
    /// The kernel holds no lock for it.
    pub(super) fn unlocked(self) -> Asked<'a> {
        Asked { waits: Waits::ForAll, ..self }
    }
    /// The kernel takes it for a change of content, and of nothing else.
    pub(super) fn of_content(self) -> Asked<'a> {
        Asked { content: true, ..self }
    }
    /// It changes something, and the kernel holds locks for it.
    pub(super) fn changing(self) -> Asked<'a> {
        Asked { waits: Waits::InTurn, ..self }
    }
}

impl Session {
    pub(super) fn serve<R: Refuse, T: Send + 'static>(
        &self,
        asked: Asked<'_>,
        patience: Patience,
        reply: R,
        work: impl Future<Output = vfs::Result<T>> + Send + 'static,
        answer: impl FnOnce(R, T) + Send + 'static,
    ) {
        self.serve_at_once(asked, patience, reply, || None, || work, answer);
    }

    /// `at_once` is tried before a future is made: see [`Pending::serve`].
    fn serve_at_once<R: Refuse, T: Send + 'static, W: Future<Output = vfs::Result<T>> + Send + 'static>(
        &self,
        asked: Asked<'_>,
        patience: Patience,
        reply: R,
        at_once: impl FnOnce() -> Option<vfs::Result<T>>,
        work: impl FnOnce() -> W,
        answer: impl FnOnce(R, T) + Send + 'static,
    ) {
        let Asked { op, request, inodes, plain, content, waits } = asked;
        let turn = self.readers.begin();
        let span = tracing::trace_span!("fuse", op, request = request.unique().0, pid = request.pid());
        self.counts.requested(op);
        let pending = Pending {
            span,
            thread: request.pid(),
            patience,
            origin: Origin {
                mount: self.client,
                inodes: inodes.map(|ino| ino.0),
                plain,
                content,
                told: false,
            },
            notices: self.inodes.notices.clone(),
            waits,
            counts: &self.counts,
            readers: &self.readers,
        };
        pending.serve(&self.runtime, &self.watcher, reply, at_once, work, answer);
        turn.end();
    }

    /// Work on the file behind a handle.
    pub(super) fn on_file<
        R: Refuse,
        T: Send + 'static,
        W: Future<Output = vfs::Result<T>> + Send + 'static,
    >(
        &self,
        asked: Asked<'_>,
        handle: FileHandle,
        reply: R,
        work: impl FnOnce(Arc<Open>) -> W,
        answer: impl FnOnce(R, T) + Send + 'static,
    ) {
        self.on_file_at_once(asked, handle, reply, |_| None, work, answer);
    }

    /// The same, where `at_once` may do it without a future and without a copy of what the request brings.
    pub(super) fn on_file_at_once<
        R: Refuse,
        T: Send + 'static,
        W: Future<Output = vfs::Result<T>> + Send + 'static,
    >(
        &self,
        asked: Asked<'_>,
        handle: FileHandle,
        reply: R,
        at_once: impl FnOnce(&Open) -> Option<vfs::Result<T>>,
        work: impl FnOnce(Arc<Open>) -> W,
        answer: impl FnOnce(R, T) + Send + 'static,
    ) {
        match self.handles.get(handle) {
            Ok(open) => {
                let nature = open.file.nature();
                let asked = asked.seen_at(&open.place);
                // Only the pages of storage are locked while they are read or written.
                let asked = if nature == Nature::Storage { asked } else { asked.unlocked() };
                let (at_once, work) = (|| at_once(&open), || work(open.clone()));
                self.serve_at_once(asked, patience(nature), reply, at_once, work, answer);
                // Who was answered may have closed it by now: then this is its end, and the disk's to take its time for.
                if let Some(open) = Arc::into_inner(open) {
                    self.put_away(move || drop(open));
                }
            }
            Err(error) => reply.refuse(error.errno()),
        }
    }

    /// Work at the place behind an inode number.
    pub(super) fn at<R: Refuse, T: Send + 'static, W: Future<Output = vfs::Result<T>> + Send + 'static>(
        &self,
        asked: Asked<'_>,
        reply: R,
        work: impl FnOnce(Place) -> W,
        answer: impl FnOnce(R, T) + Send + 'static,
    ) {
        match self.inodes.place(asked.inodes[0]) {
            Ok(place) => {
                let patience = patience(place.nature());
                let asked = asked.seen_at(&place);
                self.serve(asked, patience, reply, work(place), answer);
            }
            Err(error) => reply.refuse(error.errno()),
        }
    }

    /// Work on the entry `name` of the directory that is asked for, answered with an entry.
    pub(super) fn entry<W: Future<Output = vfs::Result<FoundEntry>> + Send + 'static>(
        &self,
        asked: Asked<'_>,
        name: &OsStr,
        reply: ReplyEntry,
        work: impl FnOnce(Dir, vfs::NameBuf) -> W,
    ) {
        let name = match names::name(name) {
            Ok(name) => name,
            Err(error) => return reply.refuse(error.errno()),
        };
        let (inodes, ino) = (self.inodes.clone(), asked.inodes[0]);
        self.at(
            asked,
            reply,
            |dir| work(Dir::new(&inodes, ino, dir), name),
            |reply, found| {
                let ttl = found.ttl();
                reply.entry_with_ttls(&ttl.status, &ttl.name, &found.attributes(), GENERATION);
                found.give();
            },
        );
    }

    pub(super) fn close(&self, handle: FileHandle, reply: ReplyEmpty) {
        let turn = self.readers.begin();
        let open = self.handles.remove(handle);
        let inodes = self.inodes.clone();
        self.put_away(move || {
            let place = open.as_ref().and_then(|open| {
                let told = open.file.nature() != Nature::Storage && !open.file.is_remote();
                told.then(|| open.place.clone())
            });
            // First the file, which may be the last that kept what it stands in.
            drop(open);
            if let Some(place) = place {
                inodes.closed(place);
            }
            reply.ok();
        });
        turn.end();
    }

    /// Does what ends with a file being closed, maybe: the disk may take its time for that, and the thread takes requests.
    pub(super) fn put_away(&self, work: impl FnOnce() + Send + 'static) {
        // Closing may wake tasks, which belong to the runtime.
        let _runtime = self.runtime.enter();
        match self.readers.may_be_held() {
            Some(_others_are_left) if !stall::is_wary() => stall::noted(work),
            _ => drop(self.runtime.spawn(Watched::new(async move { work() }))),
        }
    }

    pub(super) fn holder(&self, owner: LockOwner, pid: u32) -> Holder {
        Holder { mount: self.client, number: owner, pid }
    }
}

/// A wait on a disk ends only with its program; one on a device or a stream with any signal.
fn patience(nature: Nature) -> Patience {
    if nature == Nature::Storage { Patience::UntilKilled } else { Patience::None }
}
