//! What an operation gives back: its result, or something to await.
//!
//! Reading memory must cost no allocation and reading an empty pipe must hold no thread, so "blocked" is a value. Dropping
//! an [`Op::Later`] cancels the operation: that is how Tflush, a FUSE interrupt and killing a task all work. An
//! implementation therefore changes nothing before the await that it could not take back.

use crate::{Errno, Error, Result};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Done, or to be awaited. `Op` is itself a future, so `op.await` works for both.
#[must_use = "an operation that is neither done nor awaited did nothing"]
pub enum Op<'a, T> {
    Done(Result<T>),
    Later(Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>),
}

impl<'a, T> Op<'a, T> {
    pub fn ok(value: T) -> Op<'a, T> {
        Op::Done(Ok(value))
    }
    pub fn err(error: impl Into<Error>) -> Op<'a, T> {
        Op::Done(Err(error.into()))
    }
    pub fn later(future: impl Future<Output = Result<T>> + Send + 'a) -> Op<'a, T> {
        Op::Later(Box::pin(future))
    }
    /// Runs `future` as far as it goes without waiting: for operations of several steps, which mostly are done at once.
    pub fn started(future: impl Future<Output = Result<T>> + Send + 'a) -> Op<'a, T> {
        let mut future = Box::pin(future);
        // Whoever awaits the rest polls again with a waker of his own before he sleeps.
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Op::Done(result),
            Poll::Pending => Op::Later(future),
        }
    }
    /// The result where it is there already; `None` leaves the operation cancelled.
    pub fn now(self) -> Option<Result<T>> {
        match self {
            Op::Done(result) => Some(result),
            Op::Later(_) => None,
        }
    }
    /// For callers that must not wait (O_NONBLOCK): an operation that would block is cancelled and fails with EAGAIN.
    pub fn or_again(self) -> Result<T> {
        self.now().unwrap_or(Err(Errno::EAGAIN.into()))
    }
}

impl<'a, T: 'a> Op<'a, T> {
    pub fn map<U: 'a>(self, f: impl FnOnce(T) -> U + Send + 'a) -> Op<'a, U> {
        match self {
            Op::Done(result) => Op::Done(result.map(f)),
            Op::Later(future) => Op::Later(Box::pin(async move { future.await.map(f) })),
        }
    }
    pub fn map_err(self, f: impl FnOnce(Error) -> Error + Send + 'a) -> Op<'a, T> {
        match self {
            Op::Done(result) => Op::Done(result.map_err(f)),
            Op::Later(future) => Op::Later(Box::pin(async move { future.await.map_err(f) })),
        }
    }
    /// The next step; no future is made while the steps are done at once.
    pub fn and_then<U: Send + 'a>(self, f: impl FnOnce(T) -> Op<'a, U> + Send + 'a) -> Op<'a, U> {
        match self {
            Op::Done(Ok(value)) => f(value),
            Op::Done(Err(error)) => Op::Done(Err(error)),
            Op::Later(future) => Op::Later(Box::pin(async move {
                let value = future.await?;
                f(value).await
            })),
        }
    }
    /// The next step whatever came of this one.
    pub fn then<U: Send + 'a>(self, f: impl FnOnce(Result<T>) -> Op<'a, U> + Send + 'a) -> Op<'a, U> {
        match self {
            Op::Done(result) => f(result),
            Op::Later(future) => Op::Later(Box::pin(async move {
                let result = future.await;
                f(result).await
            })),
        }
    }
}

impl<T> From<Result<T>> for Op<'_, T> {
    fn from(result: Result<T>) -> Self {
        Op::Done(result)
    }
}

impl<T> Unpin for Op<'_, T> {}

impl<T> Future for Op<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        match &mut *self {
            // What was taken is replaced by an error that only a poll after completion could see.
            Op::Done(result) => Poll::Ready(std::mem::replace(result, Err(Errno::ECANCELED.into()))),
            Op::Later(future) => future.as_mut().poll(cx),
        }
    }
}
