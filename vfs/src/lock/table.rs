//! The locks of a tree, and those who wait for one.
//!
//! A waiter is a future: it looks again whenever the file's locks have become fewer, and leaves the table when it is
//! dropped. Waiters are woken in the order they came; what nobody holds, a newcomer may take before them, as in Linux.

use super::ranges::{Held, Ranges};
use super::{Lock, LockKind, LockOwner, LockSort};
use crate::{Errno, Op, Result};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

/// Ranges that one file may have held or wished for, so that nobody makes looking through them slow for the others;
/// ENOLCK beyond.
const MAX_RANGES: usize = 2048;

/// Record locks by file, which the tree numbers as it likes.
#[derive(Default)]
pub struct LockTable {
    /// Files that have locks or waiters; read without the mutex by every close.
    busy: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    files: HashMap<u64, FileLocks>,
    /// What each owner waits for: file and ticket.
    waits: HashMap<(u64, u64, LockSort), Vec<(u64, u64)>>,
    last_ticket: u64,
}

#[derive(Default)]
struct FileLocks {
    held: Ranges,
    /// By ticket: in the order they came.
    waiting: BTreeMap<u64, Waiting>,
}

struct Waiting {
    owner: LockOwner,
    lock: Lock,
    waker: Waker,
}

impl LockTable {
    pub fn new() -> LockTable {
        LockTable::default()
    }

    /// Takes, changes or gives up a lock on `file`. Where another is in the way: waits for it if `wait` is set (EDEADLK
    /// where he waits, himself or through others, for `owner`), else EAGAIN.
    pub fn lock<'a>(&'a self, file: u64, owner: LockOwner, lock: Lock, wait: bool) -> Op<'a, ()> {
        if lock.start >= lock.end {
            return Op::err(Errno::EINVAL);
        }
        match self.take(file, owner, lock) {
            Some(result) => result.into(),
            None if wait => Op::started(Wait { table: self, file, owner, lock, ticket: None }),
            None => Op::err(Errno::EAGAIN),
        }
    }

    /// The first lock on `file` that would be in the way of `lock`, and who holds it (F_GETLK). Asked for no lock, the first that
    /// `owner` has himself there (F_OFD_GETLK with F_UNLCK, Linux 6.6).
    pub fn getlock(&self, file: u64, owner: LockOwner, lock: Lock) -> Option<(LockOwner, Lock)> {
        let state = self.state.lock();
        let held = &state.files.get(&file)?.held;
        let first = match lock.kind {
            LockKind::Unlock => held.of(owner, lock).next(),
            _ => held.conflicts(owner, lock).next(),
        };
        first.map(|held| (held.owner, held.lock))
    }

    /// Gives up all that `owner` holds on `file`.
    pub fn release(&self, file: u64, owner: LockOwner) {
        if self.busy.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut state = self.state.lock();
        let Some(locks) = state.files.get_mut(&file) else { return };
        if !locks.held.clear(owner) {
            return;
        }
        let lucky = locks.lucky();
        self.tidy(&mut state, file);
        drop(state);
        lucky.into_iter().for_each(Waker::wake);
    }

    /// Takes the lock if nobody is in the way; None where somebody is.
    fn take(&self, file: u64, owner: LockOwner, lock: Lock) -> Option<Result<()>> {
        let mut state = self.state.lock();
        let locks = state.files.entry(file).or_default();
        let result = if locks.held.conflicts(owner, lock).next().is_some() {
            None
        } else if lock.kind != LockKind::Unlock && locks.is_full() {
            Some(Errno::ENOLCK.into())
        } else {
            locks.held.set(owner, lock);
            Some(Ok(()))
        };
        // Taking one can free another: a write lock that becomes a read lock.
        let lucky = locks.lucky();
        self.tidy(&mut state, file);
        drop(state);
        lucky.into_iter().for_each(Waker::wake);
        result
    }

    /// Forgets a file that has no locks any more; after every change.
    fn tidy(&self, state: &mut State, file: u64) {
        if state.files.get(&file).is_some_and(|locks| locks.held.is_empty() && locks.waiting.is_empty()) {
            state.files.remove(&file);
        }
        self.busy.store(state.files.len(), Ordering::Release);
    }
}

impl FileLocks {
    fn is_full(&self) -> bool {
        self.held.len() + self.waiting.len() >= MAX_RANGES
    }
    /// Those for whom the way is free now.
    fn lucky(&self) -> Vec<Waker> {
        let free = |w: &&Waiting| self.held.conflicts(w.owner, w.lock).next().is_none();
        self.waiting.values().filter(free).map(|w| w.waker.clone()).collect()
    }
}

impl State {
    /// Whether those who are in the way of `lock` wait, themselves or through others, for `owner`.
    fn deadlocks(&self, file: u64, owner: LockOwner, lock: Lock) -> bool {
        let mut todo = vec![(file, owner, lock)];
        let mut seen = HashSet::new();
        while let Some((file, waiter, lock)) = todo.pop() {
            let Some(locks) = self.files.get(&file) else { continue };
            for Held { owner: holder, .. } in locks.held.conflicts(waiter, lock) {
                if holder.key() == owner.key() {
                    return true;
                }
                if !seen.insert(holder.key()) {
                    continue;
                }
                for (file, ticket) in self.waits.get(&holder.key()).into_iter().flatten() {
                    let waiting = self.files.get(file).and_then(|locks| locks.waiting.get(ticket));
                    todo.extend(waiting.map(|w| (*file, w.owner, w.lock)));
                }
            }
        }
        false
    }
}

/// A lock that somebody else is in the way of.
struct Wait<'a> {
    table: &'a LockTable,
    file: u64,
    owner: LockOwner,
    lock: Lock,
    ticket: Option<u64>,
}

impl Future for Wait<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Wait { table, file, owner, lock, ticket } = *self;
        let mut state = table.state.lock();
        let state = &mut *state;
        let locks = state.files.entry(file).or_default();
        if locks.held.conflicts(owner, lock).next().is_none() {
            // Where this narrows what the owner had, the drop that follows wakes those whom it frees.
            locks.held.set(owner, lock);
            table.busy.store(state.files.len(), Ordering::Release);
            return Poll::Ready(Ok(()));
        }
        if ticket.is_none() && locks.is_full() {
            return Poll::Ready(Errno::ENOLCK.into());
        }
        if owner.sort != LockSort::Whole && state.deadlocks(file, owner, lock) {
            return Poll::Ready(Errno::EDEADLK.into());
        }
        let ticket = ticket.unwrap_or_else(|| {
            state.last_ticket += 1;
            state.waits.entry(owner.key()).or_default().push((file, state.last_ticket));
            state.last_ticket
        });
        let waiting = Waiting { owner, lock, waker: cx.waker().clone() };
        state.files.entry(file).or_default().waiting.insert(ticket, waiting);
        table.busy.store(state.files.len(), Ordering::Release);
        self.ticket = Some(ticket);
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut state = self.table.state.lock();
        if let Some(ticket) = self.ticket {
            if let Some(waits) = state.waits.get_mut(&self.owner.key()) {
                waits.retain(|(_, other)| *other != ticket);
                if waits.is_empty() {
                    state.waits.remove(&self.owner.key());
                }
            }
            if let Some(locks) = state.files.get_mut(&self.file) {
                locks.waiting.remove(&ticket);
            }
        }
        let lucky = state.files.get(&self.file).map_or_else(Vec::new, FileLocks::lucky);
        self.table.tidy(&mut state, self.file);
        drop(state);
        lucky.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    const A: LockOwner = LockOwner { client: 1, owner: 1, sort: LockSort::Record, pid: 10 };
    const B: LockOwner = LockOwner { client: 1, owner: 2, sort: LockSort::Record, pid: 20 };
    const C: LockOwner = LockOwner { client: 2, owner: 1, sort: LockSort::Record, pid: 30 };

    fn read(start: u64, end: u64) -> Lock {
        Lock { kind: LockKind::Read, start, end }
    }
    fn write(start: u64, end: u64) -> Lock {
        Lock { kind: LockKind::Write, start, end }
    }
    fn unlock(start: u64, end: u64) -> Lock {
        Lock { kind: LockKind::Unlock, start, end }
    }

    #[derive(Default)]
    struct Woken(AtomicU32);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Looks once at an operation; None while it waits.
    fn poll(op: &mut Op<'_, ()>, woken: &Arc<Woken>) -> Option<Result<()>> {
        match Pin::new(op).poll(&mut Context::from_waker(&Waker::from(woken.clone()))) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }

    fn now(table: &LockTable, owner: LockOwner, lock: Lock) -> Result<()> {
        table.lock(7, owner, lock, false).now().unwrap()
    }

    #[test]
    fn who_asks_for_no_lock_is_told_of_his_own() {
        let table = LockTable::new();
        now(&table, A, read(0, 4)).unwrap();
        now(&table, A, write(10, 20)).unwrap();
        now(&table, B, read(2, 6)).unwrap();
        assert_eq!(table.getlock(7, A, unlock(4, 100)), Some((A, write(10, 20))));
        assert_eq!(table.getlock(7, A, unlock(3, 100)), Some((A, read(0, 4))));
        assert_eq!(table.getlock(7, A, unlock(4, 10)), None);
        assert_eq!(table.getlock(7, B, unlock(6, 100)), None);
    }

    #[test]
    fn readers_share_and_a_writer_excludes() {
        let table = LockTable::new();
        now(&table, A, read(0, 10)).unwrap();
        now(&table, B, read(5, 15)).unwrap();
        assert!(now(&table, C, write(9, 12)).unwrap_err().is(Errno::EAGAIN));
        now(&table, C, write(15, u64::MAX)).unwrap();
        assert_eq!(table.getlock(7, C, write(0, 20)), Some((A, read(0, 10))));
        assert_eq!(table.getlock(7, A, read(0, 100)), Some((C, write(15, u64::MAX))));
        assert_eq!(table.getlock(8, A, write(0, 100)), None);
        assert!(now(&table, A, write(3, 3)).unwrap_err().is(Errno::EINVAL));
    }

    #[test]
    fn one_owner_is_never_in_his_own_way() {
        let table = LockTable::new();
        now(&table, A, write(0, 10)).unwrap();
        now(&table, A, read(2, 4)).unwrap();
        now(&table, B, read(2, 4)).unwrap();
        assert!(now(&table, B, read(2, 5)).unwrap_err().is(Errno::EAGAIN));
    }

    #[test]
    fn a_waiter_gets_the_lock_when_it_is_given_up() {
        let table = LockTable::new();
        let woken = Arc::new(Woken::default());
        now(&table, A, write(0, 10)).unwrap();
        let mut wait = table.lock(7, B, write(5, 6), true);
        assert!(poll(&mut wait, &woken).is_none());
        now(&table, A, unlock(0, 5)).unwrap();
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        now(&table, A, unlock(5, 7)).unwrap();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        poll(&mut wait, &woken).unwrap().unwrap();
        assert_eq!(table.getlock(7, C, read(0, 7)), Some((B, write(5, 6))));
    }

    #[test]
    fn releasing_an_owner_wakes_who_waited_for_him() {
        let table = LockTable::new();
        let woken = Arc::new(Woken::default());
        now(&table, A, write(0, 10)).unwrap();
        let mut wait = table.lock(7, B, read(0, 1), true);
        assert!(poll(&mut wait, &woken).is_none());
        table.release(7, A);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        poll(&mut wait, &woken).unwrap().unwrap();
    }

    #[test]
    fn a_dropped_waiter_leaves_nothing_behind() {
        let table = LockTable::new();
        now(&table, A, write(0, 10)).unwrap();
        drop(table.lock(7, B, write(0, 10), true));
        table.release(7, A);
        assert_eq!(table.busy.load(Ordering::Relaxed), 0);
        let state = table.state.lock();
        assert!(state.files.is_empty() && state.waits.is_empty());
    }

    #[test]
    fn a_wait_that_would_close_a_circle_is_a_deadlock() {
        let table = LockTable::new();
        table.lock(1, A, write(0, 1), false).now().unwrap().unwrap();
        table.lock(2, B, write(0, 1), false).now().unwrap().unwrap();
        table.lock(3, C, write(0, 1), false).now().unwrap().unwrap();
        let a = table.lock(2, A, write(0, 1), true);
        let b = table.lock(3, B, read(0, 1), true);
        let c = table.lock(1, C, write(0, 1), true).now().unwrap();
        assert!(c.unwrap_err().is(Errno::EDEADLK));
        drop((a, b));
        let c = table.lock(1, C, write(0, 1), true);
        assert!(matches!(c, Op::Later(_)));
    }

    #[test]
    fn too_many_ranges_are_refused_and_can_be_given_up() {
        let table = LockTable::new();
        for n in 0..MAX_RANGES as u64 {
            now(&table, A, read(2 * n, 2 * n + 1)).unwrap();
        }
        assert!(now(&table, A, read(1 << 40, 1 << 41)).unwrap_err().is(Errno::ENOLCK));
        now(&table, A, unlock(0, u64::MAX)).unwrap();
        assert_eq!(table.busy.load(Ordering::Relaxed), 0);
    }
}
