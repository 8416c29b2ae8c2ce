//! Turns at computing. A guest that used up its time lines up, and only as many of those as there are cores run at once;
//! a guest that is new, or that waits more than it computes, needs no turn. There is a thread more than there are turns,
//! so guests that answer quickly are never behind those that compute for ever, however many these are.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// The turns of one runtime.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Turns {
    pub fn new(cores: usize) -> Turns {
        Turns(Arc::new(Semaphore::new(cores)))
    }
    /// Whether nobody waits for one.
    pub fn none_wait(&self) -> bool {
        // Whoever waits gets the first that is free.
        self.0.available_permits() > 0
    }
    pub fn guest(&self) -> Turn {
        Turn { turns: self.clone(), state: State::NotNeeded }
    }
}

type Acquire = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

enum State {
    NotNeeded,
    /// In line, in the order of arrival.
    Waiting(Acquire),
    /// Held while the guest runs.
    Mine(#[allow(dead_code)] OwnedSemaphorePermit),
}

/// One guest's place in that.
pub(crate) struct Turn {
    turns: Turns,
    state: State,
}

impl Turn {
    /// Ready when the guest may run.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Waiting(acquire) = &mut self.state {
            match acquire.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                // The semaphore is never closed; were it, nobody would have to wait.
                Poll::Ready(permit) => self.state = permit.map_or(State::NotNeeded, State::Mine),
            }
        }
        Poll::Ready(())
    }

    /// The guest ran, and is not done. Whoever `used_up` his time lines up for more.
    pub fn over(&mut self, used_up: bool) {
        self.state = if used_up {
            State::Waiting(Box::pin(self.turns.0.clone().acquire_owned()))
        } else {
            State::NotNeeded
        };
    }
}
