//! Descriptors that are kept, but not for ever.
//!
//! Every node would like to hold an O_PATH descriptor of its file. A kernel that walks 100 000 files through FUSE keeps
//! all their inodes, and a process has far fewer descriptors than that, so handles share a pool with a bound: past it, the
//! handle that was not used for longest (a clock, not an exact order) is closed. Its node opens it again when it needs it
//! (`node.rs`), and checks there that it got the same file.

use super::fd::Fd;
use parking_lot::Mutex;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

/// At most this many handles, however many descriptors the process may have: each pins a directory entry in the kernel.
const MOST: usize = 65_536;

/// No slot in any pool.
const NOWHERE: u32 = u32::MAX;

/// The place of one node's descriptor.
pub(super) enum Handle {
    /// A tree's root, which has no parent to be opened again from: no pool closes it, and nobody has to count who uses it.
    Pinned(Arc<Fd>),
    /// Made when there is one to keep: who opens a file at once mostly has none.
    Kept(OnceLock<Arc<Slot>>),
}

/// One node's descriptor in a pool, open or closed.
pub(super) struct Slot {
    fd: Mutex<Option<Arc<Fd>>>,
    used: AtomicBool,
    slot: AtomicU32,
}

/// The open handles of any number of trees, never more than its bound.
pub(super) struct HandlePool {
    bound: usize,
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    slots: Vec<Option<Arc<Slot>>>,
    free: Vec<u32>,
    hand: usize,
}

static SHARED: LazyLock<Arc<HandlePool>> = LazyLock::new(|| {
    raise_descriptor_limit();
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // Half of what there is: the rest is for open files, connections and guests.
    let half = usize::try_from(limit / 2).unwrap_or(MOST);
    HandlePool::new(half.clamp(16, MOST))
});

/// Raises the soft limit of open files to the hard one, which any process may. Failing leaves what there was: enough to
/// work, with more handles opened again.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) =
            setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the limit of open files stays at {:?}", limit.current);
    }
}

/// A descriptor that stays open while this is held.
pub(super) enum Lent<'a> {
    Pinned(&'a OwnedFd),
    Shared(Arc<Fd>),
}

impl Deref for Lent<'_> {
    type Target = OwnedFd;
    fn deref(&self) -> &OwnedFd {
        match self {
            Lent::Pinned(fd) => fd,
            Lent::Shared(fd) => fd,
        }
    }
}

impl AsFd for Lent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        (**self).as_fd()
    }
}

impl Handle {
    pub fn closed() -> Handle {
        Handle::Kept(OnceLock::new())
    }
    /// The descriptor, where it is open. Whoever holds what this gives is not disturbed by an eviction.
    pub fn get(&self) -> Option<Lent<'_>> {
        match self {
            Handle::Pinned(fd) => Some(Lent::Pinned(fd)),
            Handle::Kept(slot) => slot.get()?.get().map(Lent::Shared),
        }
    }
    /// The same, to be held for as long as wanted.
    pub fn share(&self) -> Option<Arc<Fd>> {
        match self {
            Handle::Pinned(fd) => Some(fd.clone()),
            Handle::Kept(slot) => slot.get()?.get(),
        }
    }
    /// What `ask` says of the descriptor, where it is open; no system call of it may take long.
    pub fn ask<T>(&self, ask: impl FnOnce(&OwnedFd) -> T) -> Option<T> {
        match self {
            Handle::Pinned(fd) => Some(ask(fd)),
            Handle::Kept(slot) => slot.get()?.ask(ask),
        }
    }
    pub fn is_open(&self) -> bool {
        match self {
            Handle::Pinned(_) => true,
            Handle::Kept(slot) => slot.get().is_some_and(|slot| slot.fd.lock().is_some()),
        }
    }
}

impl Slot {
    fn closed() -> Arc<Slot> {
        Arc::new(Slot { fd: Mutex::new(None), used: AtomicBool::new(true), slot: AtomicU32::new(NOWHERE) })
    }
    fn get(&self) -> Option<Arc<Fd>> {
        let fd = self.fd.lock().clone();
        if fd.is_some() && !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        fd
    }
    fn ask<T>(&self, ask: impl FnOnce(&OwnedFd) -> T) -> Option<T> {
        let fd = self.fd.lock();
        if fd.is_some() && !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        fd.as_deref().map(|fd| ask(fd))
    }
}

impl HandlePool {
    pub fn new(bound: usize) -> Arc<HandlePool> {
        Arc::new(HandlePool { bound: bound.max(1), ring: Mutex::default() })
    }
    /// The pool of the process: half of its descriptors, at most 65 536.
    pub fn shared() -> Arc<HandlePool> {
        SHARED.clone()
    }

    pub fn bound(&self) -> usize {
        self.bound
    }

    /// Keeps `fd` in `handle`, at the cost of another handle where the pool is full.
    pub fn keep(&self, handle: &Handle, fd: Arc<Fd>) {
        let Handle::Kept(handle) = handle else { return };
        let handle = handle.get_or_init(Slot::closed);
        let replaced = handle.fd.lock().replace(fd);
        let closed;
        {
            let mut ring = self.ring.lock();
            if handle.slot.load(Ordering::Relaxed) != NOWHERE {
                return;
            }
            let full = ring.slots.len() >= self.bound && ring.free.is_empty();
            closed = if full { ring.close_one() } else { None };
            ring.place(handle);
        }
        // Closing can take its time (a network file system): not under the lock.
        drop((replaced, closed));
    }

    /// The handle's node is gone.
    pub fn forget(&self, handle: &Handle) {
        let Handle::Kept(handle) = handle else { return };
        let Some(handle) = handle.get() else { return };
        let mut ring = self.ring.lock();
        let slot = handle.slot.swap(NOWHERE, Ordering::Relaxed);
        if slot != NOWHERE {
            let kept = ring.slots[slot as usize].take();
            ring.free.push(slot);
            drop(ring);
            drop(kept);
        }
    }

    /// Closes a part of the open handles: the process has run out of descriptors.
    pub fn make_room(&self) -> bool {
        let mut ring = self.ring.lock();
        let open = ring.slots.len() - ring.free.len();
        let closed: Vec<_> = (0..open.div_ceil(4)).filter_map(|_| ring.close_one()).collect();
        drop(ring);
        !closed.is_empty()
    }

    #[cfg(test)]
    fn open(&self) -> usize {
        let ring = self.ring.lock();
        ring.slots.len() - ring.free.len()
    }
}

impl Ring {
    fn place(&mut self, handle: &Arc<Slot>) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(handle.clone());
                slot
            }
            None => {
                self.slots.push(Some(handle.clone()));
                (self.slots.len() - 1) as u32
            }
        };
        handle.slot.store(slot, Ordering::Relaxed);
    }

    /// Takes the descriptor of one that was not used since the hand last passed it, and frees its slot. (One that was
    /// taken while its owner was keeping another has a slot and no descriptor.)
    fn close_one(&mut self) -> Option<(Arc<Slot>, Option<Arc<Fd>>)> {
        for _ in 0..2 * self.slots.len() {
            let slot = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            let Some(handle) = &self.slots[slot] else { continue };
            if handle.used.swap(false, Ordering::Relaxed) {
                continue;
            }
            // Who holds this lock is just using the handle.
            let Some(fd) = handle.fd.try_lock().map(|mut fd| fd.take()) else { continue };
            handle.slot.store(NOWHERE, Ordering::Relaxed);
            self.free.push(slot as u32);
            return self.slots[slot].take().map(|handle| (handle, fd));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_fd() -> Arc<Fd> {
        Arc::new(OwnedFd::from(std::fs::File::open("/dev/null").unwrap()).into())
    }

    #[test]
    fn a_full_pool_closes_what_was_not_used() {
        let pool = HandlePool::new(3);
        let handles: Vec<_> = (0..4).map(|_| Handle::closed()).collect();
        for handle in &handles[..3] {
            pool.keep(handle, some_fd());
            let Handle::Kept(slot) = handle else { unreachable!("no root") };
            slot.get().unwrap().used.store(false, Ordering::Relaxed);
        }
        assert!(handles[0].get().is_some(), "using it marks it as used");
        pool.keep(&handles[3], some_fd());
        let open: Vec<_> = handles.iter().map(|h| h.is_open()).collect();
        assert_eq!(open, [true, false, true, true]);
        assert_eq!(pool.open(), 3);
    }

    #[test]
    fn forgotten_handles_leave_their_slot_to_others() {
        let pool = HandlePool::new(2);
        for _ in 0..100 {
            let handle = Handle::closed();
            pool.keep(&handle, some_fd());
            pool.forget(&handle);
        }
        assert_eq!(pool.open(), 0);
        assert_eq!(pool.ring.lock().slots.len(), 1);
    }

    #[test]
    fn making_room_closes_a_quarter() {
        let pool = HandlePool::new(100);
        let handles: Vec<_> = (0..40).map(|_| Handle::closed()).collect();
        handles.iter().for_each(|handle| pool.keep(handle, some_fd()));
        assert!(pool.make_room());
        assert_eq!(pool.open(), 30);
        assert_eq!(handles.iter().filter(|h| h.is_open()).count(), 30);
    }
}
