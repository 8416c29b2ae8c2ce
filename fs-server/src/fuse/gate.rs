//! Answers that wait until the kernels have heard.
//!
//! A change that a mount's kernel must be told of is told by a thread of the mount's own, because the kernel may hold the very
//! lock that the notice needs: a directory's, while its program waits for an answer of ours. So nobody who changes
//! something waits for the notice; those wait to whom it could matter, which is everyone who is answered after the change.
//!
//! Who waits for whom: an answer for which no kernel holds a lock (a read of a task's `wait`, every 9P reply) waits for all
//! mounts. One for which its kernel does waits for none where it only looks (a lookup). Where it changes something (an
//! unlink), it waits for a mount only while that has no other such request in it; and for its own mount only where it has
//! changed what is seen there by another way too, and no notice is of the directories that it holds itself. So of two that would wait for each other one came later, and does not. As a last
//! resort (a directory on an imported server that hangs) an answer goes out after a second, and the next ones do not wait
//! until notices go out again.

use parking_lot::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Notices of all mounts that are not with their kernels yet: mostly none, which is all that an answer has to look at.
static UNTOLD: AtomicU64 = AtomicU64::new(0);
static GATES: RwLock<Vec<Weak<Gate>>> = RwLock::new(Vec::new());

const PATIENCE: Duration = Duration::from_secs(1);

/// One mount's notices, counted.
#[derive(Default)]
pub(super) struct Gate {
    queued: AtomicU64,
    told: AtomicU64,
    /// Requests that change something, for which the mount's kernel may hold locks.
    inside: AtomicUsize,
    stuck: AtomicBool,
    moved: Notify,
}

/// A request that changes something and for which its kernel may hold locks, while it is not answered.
pub(super) struct Inside(Arc<Gate>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, SeqCst);
    }
}

impl Gate {
    pub(super) fn new() -> Arc<Gate> {
        let gate = Arc::new(Gate::default());
        let mut gates = GATES.write();
        gates.retain(|gate| gate.strong_count() > 0);
        gates.push(Arc::downgrade(&gate));
        gate
    }

    pub(super) fn enter(self: &Arc<Gate>) -> Inside {
        self.inside.fetch_add(1, SeqCst);
        Inside(self.clone())
    }

    pub(super) fn queued(&self) {
        UNTOLD.fetch_add(1, SeqCst);
        self.queued.fetch_add(1, SeqCst);
    }

    pub(super) fn told(&self, count: u64) {
        self.told.fetch_add(count, SeqCst);
        UNTOLD.fetch_sub(count, SeqCst);
        self.stuck.store(false, SeqCst);
        self.moved.notify_waiters();
    }

    fn is_behind(&self, queued: u64) -> bool {
        self.told.load(SeqCst) < queued && !self.stuck.load(SeqCst)
    }

    /// How many notices there have been.
    #[cfg(test)]
    pub(super) fn ever_queued(&self) -> u64 {
        self.queued.load(SeqCst)
    }

    #[cfg(test)]
    pub(super) fn is_untold(&self) -> bool {
        self.told.load(SeqCst) < self.queued.load(SeqCst)
    }

    async fn settled(&self) {
        let queued = self.queued.load(SeqCst);
        let told = async {
            loop {
                let moved = self.moved.notified();
                if !self.is_behind(queued) {
                    return;
                }
                moved.await;
            }
        };
        if tokio::time::timeout(PATIENCE, told).await.is_err() {
            tracing::warn!("the kernel takes no word of changes: a directory is held for long");
            self.stuck.store(true, SeqCst);
            self.moved.notify_waiters();
        }
    }
}

/// A request that changes something and for which its kernel may hold locks.
#[derive(Clone, Copy)]
pub(super) struct Locked<'a> {
    pub(super) mount: &'a Arc<Gate>,
    /// It may wait for that mount too, if it is alone in there.
    pub(super) told_of_itself: bool,
}

/// Those mounts that an answer has to wait for; none, mostly.
fn behind(from: Option<Locked<'_>>) -> Vec<Arc<Gate>> {
    if UNTOLD.load(SeqCst) == 0 {
        return Vec::new();
    }
    let may_wait_for = |gate: &Arc<Gate>| match from {
        None => true,
        Some(Locked { mount, told_of_itself }) if Arc::ptr_eq(mount, gate) => {
            told_of_itself && gate.inside.load(SeqCst) == 1
        }
        Some(_) => gate.inside.load(SeqCst) == 0,
    };
    let gates = GATES.read();
    let behind =
        gates.iter().filter_map(Weak::upgrade).filter(|gate| gate.is_behind(gate.queued.load(SeqCst)));
    behind.filter(may_wait_for).collect()
}

/// Where kernels are still to be told of changes: what to await before an answer that could depend on them.
pub(super) fn wait(from: Option<Locked<'_>>) -> Option<impl Future<Output = ()> + Send + use<>> {
    let behind = behind(from);
    (!behind.is_empty()).then_some(async move {
        for gate in behind {
            gate.settled().await;
        }
    })
}

/// Done when every FUSE mount's kernel knows of all changes until now; none where that is so already.
pub fn unheard() -> Option<impl Future<Output = ()> + Send + use<>> {
    wait(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_waits_for_other_mounts_but_never_in_a_circle() {
        let (a, b) = (Gate::new(), Gate::new());
        b.queued();
        let _in_a = a.enter();
        let in_mount = |mount| Some(Locked { mount, told_of_itself: false });
        let waits = wait(in_mount(&a)).expect("b's kernel is to be told");
        // Another one in b must not wait for a as long as someone is in there.
        a.queued();
        let _in_b = b.enter();
        assert!(behind(in_mount(&b)).iter().all(|gate| !Arc::ptr_eq(gate, &a)));
        assert!(behind(None).iter().any(|gate| Arc::ptr_eq(gate, &a)), "who holds no locks waits for all");
        b.told(1);
        waits.await;
        a.told(1);
    }

    #[tokio::test]
    async fn a_mount_that_takes_no_notices_holds_an_answer_up_once() {
        let gate = Gate::new();
        gate.queued();
        gate.settled().await;
        assert!(!behind(None).iter().any(|behind| Arc::ptr_eq(behind, &gate)));
        gate.told(1);
        gate.queued();
        assert!(behind(None).iter().any(|behind| Arc::ptr_eq(behind, &gate)));
        gate.told(1);
    }
}
