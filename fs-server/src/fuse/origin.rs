//! Whose request is being worked on: the kernel that asks for a change sees to its own caches, and is not told of it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use vfs::Change;

/// A mount, and the inodes that its request names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Origin {
    pub(super) mount: u64,
    pub(super) inodes: [u64; 2],
    /// They are seen in the plain view, where a node's identity is its inode's number: so are the files behind the names in
    /// them.
    pub(super) plain: bool,
    /// It changes content as far as the kernel knows: that set-id bits go with that, it does not see to.
    pub(super) content: bool,
    /// See [`told_of_itself`].
    pub(super) told: bool,
}

impl Origin {
    /// Whether its kernel knows of `change` to the inode `ino`: it sees itself to the inodes that the request names, and to the
    /// files behind the names in them. By another way to the same file it does not know it.
    pub(super) fn knows(&self, ino: u64, path: u64, change: Change<'_>) -> bool {
        let named = self.inodes.contains(&ino) || (self.plain && ino == path);
        named && !(self.content && change == Change::Status)
    }
}

thread_local! {
    static NOW: Cell<Option<Origin>> = const { Cell::new(None) };
}

/// The request that this thread is working on.
pub(super) fn now() -> Option<Origin> {
    NOW.get()
}

/// The request's own kernel is to be told of what it did: it knows the file by another way too.
pub(super) fn told_of_itself() {
    NOW.set(NOW.get().map(|origin| Origin { told: true, ..origin }));
}

/// Does `work` on behalf of the request that `origin` tells of, and notes there whether its own kernel is to be told.
pub(super) fn on_behalf<T>(origin: &mut Origin, work: impl FnOnce() -> T) -> T {
    /// Also where the work panics.
    struct Restored(Option<Origin>);
    impl Drop for Restored {
        fn drop(&mut self) {
            NOW.set(self.0);
        }
    }
    let _restored = Restored(NOW.replace(Some(*origin)));
    let done = work();
    *origin = NOW.get().expect("set above, and set back only below");
    done
}

/// Work that is done on behalf of a request, on whatever threads it comes to.
pub(super) struct OnBehalf<F> {
    pub(super) origin: Origin,
    work: Pin<Box<F>>,
}

impl<F> OnBehalf<F> {
    pub(super) fn of(origin: Origin, work: F) -> OnBehalf<F> {
        OnBehalf { origin, work: Box::pin(work) }
    }
}

impl<F: Future> Future for OnBehalf<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let OnBehalf { origin, work } = self.get_mut();
        on_behalf(origin, || work.as_mut().poll(context))
    }
}
