//! Changes in a host directory, as the kernel tells of them (inotify(7)): whoever makes them, with this server or without.
//!
//! A thread for each tree reads what the kernel has to say, from the first time that somebody follows a node of it. The kernel
//! watches inodes, so a followed node is watched for as long as it lives, and costs one of the machine's watches.

use super::node::HostNode;
use crate::*;
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Weak};

/// Who follows the nodes of one tree, and by what.
#[derive(Default)]
pub(super) struct Followers(Mutex<Option<Kernel>>);

struct Kernel {
    shared: Arc<Shared>,
    /// Its end ends the thread.
    _life: OwnedFd,
}

struct Shared {
    inotify: OwnedFd,
    watchers: Watchers,
    /// By the kernel's numbers.
    nodes: Mutex<HashMap<i32, Weak<HostNode>>>,
}

impl Followers {
    /// `watcher` hears of what happens to `node`; the number of the kernel's watch.
    pub fn add(&self, node: &Arc<HostNode>, watcher: &Weak<dyn Watcher>) -> io::Result<i32> {
        let mut kernel = self.0.lock();
        if kernel.is_none() {
            *kernel = Some(Kernel::start()?);
        }
        let shared = kernel.as_ref().expect("just made").shared.clone();
        drop(kernel);
        shared.watchers.add(watcher);
        let fd = node.fd().map_err(|e| io::Error::from_raw_os_error(e.errno().raw()))?;
        let what = match node.kind() {
            Kind::Dir => {
                WatchFlags::CREATE
                    | WatchFlags::DELETE
                    | WatchFlags::MOVE
                    | WatchFlags::DELETE_SELF
                    | WatchFlags::ATTRIB
            }
            _ => WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::DELETE_SELF,
        };
        // By descriptor, so that it is this file, whatever its name leads to by now.
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let mut nodes = shared.nodes.lock();
        let number = inotify::add_watch(&shared.inotify, path, what)?;
        nodes.insert(number, Arc::downgrade(node));
        Ok(number)
    }

    /// Whether `watcher` hears already of what happens to nodes that are followed.
    pub fn knows(&self, watcher: &Weak<dyn Watcher>) -> bool {
        self.0.lock().as_ref().is_some_and(|kernel| kernel.shared.watchers.knows(watcher))
    }

    /// The node of this watch is no more.
    pub fn forget(&self, number: i32) {
        let kernel = self.0.lock();
        if let Some(Kernel { shared, .. }) = &*kernel {
            let mut nodes = shared.nodes.lock();
            // The inode may have another node by now, which goes on being watched.
            if nodes.get(&number).is_some_and(|node| node.strong_count() == 0) {
                nodes.remove(&number);
                // The kernel forgets by itself what is deleted.
                let _gone = inotify::remove_watch(&shared.inotify, number);
            }
        }
    }
}

impl Kernel {
    fn start() -> io::Result<Kernel> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let (ended, life) = pipe_with(PipeFlags::CLOEXEC)?;
        let shared = Arc::new(Shared { inotify, watchers: Watchers::default(), nodes: Mutex::default() });
        let told = shared.clone();
        std::thread::Builder::new().name("host-changes".into()).spawn(move || told.listen(&ended))?;
        Ok(Kernel { shared, _life: life })
    }
}

impl Shared {
    fn listen(&self, ended: &OwnedFd) {
        let mut room = [MaybeUninit::uninit(); 16 << 10];
        loop {
            let mut fds = [PollFd::new(&self.inotify, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) if !fds[1].revents().is_empty() => return,
                Ok(_) => {}
            }
            let mut events = inotify::Reader::new(&self.inotify, &mut room);
            while let Ok(event) = events.next() {
                let node = self.nodes.lock().get(&event.wd()).cloned();
                if let Some(node) = node.as_ref().and_then(Weak::upgrade) {
                    self.tell(&node, event.events(), event.file_name().map(std::ffi::CStr::to_bytes));
                }
            }
        }
    }

    fn tell(&self, node: &HostNode, what: ReadFlags, name: Option<&[u8]>) {
        // The kernel goes on telling until the node is no more.
        let tell = |change: Change<'_>| {
            let _wanted = self.watchers.tell(node.qid().path, change);
        };
        match name.map(Name::new) {
            Some(Ok(name)) => {
                if what.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM) {
                    tell(Change::Gone(name));
                }
                if what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
                    tell(Change::Made(name));
                }
            }
            // No name that could be asked for.
            Some(Err(_)) => {}
            None if what.contains(ReadFlags::DELETE_SELF) => tell(Change::Removed),
            None if what.contains(ReadFlags::MODIFY) => tell(Change::Content),
            // That its last name went changes its attributes, too, and is told as that.
            None if what.contains(ReadFlags::ATTRIB) => match node.seen() {
                Ok(seen) if seen.is_linked() => tell(Change::Status),
                _ => tell(Change::Removed),
            },
            None => {}
        }
    }
}
