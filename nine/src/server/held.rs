//! Calls of a [`FileServer`](super::FileServer) whose answer may come later, with what they borrow kept alive.
//!
//! An operation is called with references: into the fid table, into the frame, into the reply buffer. If it is
//! done at once, nothing more happens: no allocation, no reference count. If not, its future goes on borrowing, and
//! [`Held`] owns the future together with all that it borrows from. That is a self-reference, which safe Rust cannot
//! say; this module and `shm::map` are the only ones of the crate with unsafe code.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::answer::{Answer, Error, Later};
use super::input::Input;

/// The server, the fid's entry, and the frame or the buffer.
pub(super) type Owners<F, E, K> = (Arc<F>, Arc<E>, K);

/// What a call gave: its result, or the future with its owners.
pub(super) enum Called<T, K> {
    Now(Result<T, Error>),
    Later(Held<T, K>),
}

/// The same for an operation that fills a buffer: if it is done, the buffer comes back at once.
pub(super) enum CalledInto<T, F, E, B: ?Sized> {
    Now(Result<T, Error>, Lent<B>),
    Later(Held<T, Owners<F, E, Lent<B>>>),
}

/// Calls an operation with a server, a fid's entry, and a slice of the frame.
///
/// `part` must lie within `frame`.
pub(super) fn call<F: 'static, E: 'static, T>(
    server: &Arc<F>,
    entry: &Arc<E>,
    frame: &Arc<Input>,
    part: &[u8],
    operation: impl for<'a> FnOnce(&'a F, &'a E, &'a [u8]) -> Answer<'a, T>,
) -> Called<T, Owners<F, E, Arc<Input>>> {
    assert!(part.is_empty() || frame.bytes().as_ptr_range().contains(&part.as_ptr()), "a part of the frame");
    // SAFETY: each reference points into what an Arc owns (an Arc's content does not move, nor does the boxed slice
    // of an Input). If a future comes back, Held keeps clones of the three Arcs for as long as the future exists and
    // drops the future first, so the referents outlive every use. Nobody gets a `&mut` to them meanwhile: entries
    // are never changed once shared, and an Input is written only through Arc::get_mut, which fails while a clone
    // exists. `operation` is generic over the lifetime, so it cannot let the references escape but in its answer,
    // and T does not depend on the lifetime, so a result does not hold them either.
    let answer = unsafe {
        operation(
            &*Arc::as_ptr(server),
            &*Arc::as_ptr(entry),
            std::slice::from_raw_parts(part.as_ptr(), part.len()),
        )
    };
    match answer {
        Answer::Now(result) => Called::Now(result),
        Answer::Later(future) => Called::Later(Held {
            future: Some(future),
            keep: Some((server.clone(), entry.clone(), frame.clone())),
        }),
    }
}

/// As [`call`], for an operation that fills a buffer, which comes back with the result.
pub(super) fn call_into<F: 'static, E: 'static, T, B: ?Sized + 'static>(
    server: &Arc<F>,
    entry: &Arc<E>,
    mut buffer: Lent<B>,
    operation: impl for<'a> FnOnce(&'a F, &'a E, &'a mut B) -> Answer<'a, T>,
) -> CalledInto<T, F, E, B> {
    // SAFETY: as in `call` for the first two. The buffer is owned through a raw pointer by Lent, so moving Lent does
    // not touch the content; Held gives the Lent out only after the future is dropped, and the content is not read
    // or written through it before that (but for Held::before, see there).
    let answer = unsafe { operation(&*Arc::as_ptr(server), &*Arc::as_ptr(entry), buffer.0.as_mut()) };
    match answer {
        Answer::Now(result) => CalledInto::Now(result, buffer),
        Answer::Later(future) => {
            let keep = (server.clone(), entry.clone(), buffer);
            CalledInto::Later(Held { future: Some(future), keep: Some(keep) })
        }
    }
}

/// A future and the owners of what it borrows. Awaiting it gives the result and the owners back.
pub(super) struct Held<T, K> {
    // Fields are dropped in this order: the borrower before the owners.
    future: Option<Later<'static, T>>,
    keep: Option<K>,
}

impl<F, E> Held<usize, Owners<F, E, Lent<[u8]>>> {
    /// How large the buffer is that the future keeps.
    pub(super) fn lent(&self) -> usize {
        self.keep.as_ref().map_or(0, |(_, _, lent)| lent.0.len())
    }

    /// A copy of the buffer's first `len` bytes, which the operation was not given to fill.
    ///
    /// The caller says by `len` which part that is; the operation's slice must start at or after it.
    pub(super) fn before(&self, len: usize) -> Vec<u8> {
        let Some((_, _, lent)) = &self.keep else { return Vec::new() };
        assert!(len <= lent.0.len());
        // SAFETY: in bounds, initialised, and disjoint from the part that the future may write, by the contract
        // above; the reference to the whole buffer that `operation` got ended when it returned.
        unsafe { std::slice::from_raw_parts(lent.0.as_ptr().cast::<u8>(), len) }.to_vec()
    }
}

// The content is only ever moved as a whole, and neither field is structurally pinned.
impl<T, K> Unpin for Held<T, K> {}

impl<T, K> Future for Held<T, K> {
    type Output = (Result<T, Error>, K);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut().expect("not polled after it is ready");
        let Poll::Ready(result) = future.as_mut().poll(cx) else { return Poll::Pending };
        self.future = None;
        let keep = self.keep.take().expect("kept until the future is ready");
        Poll::Ready((result, keep))
    }
}

/// A box that can be moved while its content is borrowed: it owns through a raw pointer, for moving a `Box` claims
/// that nobody else has its content.
pub(super) struct Lent<B: ?Sized>(NonNull<B>);

impl<B: ?Sized> Lent<B> {
    pub(super) fn new(content: Box<B>) -> Self {
        Self(NonNull::from(Box::leak(content)))
    }
}

impl<B: ?Sized> Deref for Lent<B> {
    type Target = B;

    fn deref(&self) -> &B {
        // SAFETY: the pointer came from a Box and is freed only in drop; whoever has a Lent outside of Held is its
        // only user.
        unsafe { self.0.as_ref() }
    }
}

impl<B: ?Sized> DerefMut for Lent<B> {
    fn deref_mut(&mut self) -> &mut B {
        // SAFETY: as above, and `&mut self` is exclusive.
        unsafe { self.0.as_mut() }
    }
}

impl<B: ?Sized> Drop for Lent<B> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from Box::leak and nothing else frees it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: it is an owner, as a Box is.
unsafe impl<B: ?Sized + Send> Send for Lent<B> {}
// SAFETY: likewise.
unsafe impl<B: ?Sized + Sync> Sync for Lent<B> {}
