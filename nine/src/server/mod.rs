//! A 9P server session over any stream, for whatever implements [`FileServer`].
//!
//! [`serve`] is one connection. It speaks whichever dialect the client asks for and calls the [`FileServer`] in one
//! vocabulary; its rules are these.
//!
//! - **No waiting in line.** What is done at once ([`Answer::Now`]) is answered by the task that read the request,
//!   and replies to requests that came together leave together. What has to wait ([`Answer::Later`]) is polled by the
//!   same task and answered when it is done, before or after others.
//! - **Order.** Requests that name the same fid take effect in the order they came, so a client can send Twalk,
//!   Tlopen, Tread and Tclunk in one write. What does not depend on each other does not wait: several reads may be
//!   pending on one fid, and a read that waits on a stream holds up nothing.
//! - **Tflush** drops the old request's future, which is its cancellation, and is always answered.
//! - **Tclunk** of a stream ends the reads that wait on it with EINTR. On other files it waits for them: they end.
//! - **Streams** ([`Opened::is_stream`]). Linux fills its reader's buffer: after a short read it asks for the rest
//!   before it returns. Exactly that request is answered with nothing, once; so `cat` shows a live file line by line.
//!   That holds for Linux alone, which shows itself in how a mount begins; others would take nothing for the end. One read of a stream gives at most 32 KiB.
//! - **Bad input.** What is no message ends its own connection and is answered with the reason. What
//!   is a message but makes no sense (unknown fids, fids and tags in use, `a/b` for a name, offsets beyond 2^63)
//!   gets an error.
//! - **Bounds** are in [`Config`].
//! - **To be seen from outside** is what a connection does: [`Observed`].
//! - **The end** of a connection cancels all that is pending and drops every node and open file.

mod answer;
mod config;
mod connection;
mod fid;
mod files;
mod flight;
#[allow(unsafe_code)]
mod held;
mod input;
mod large;
mod linux;
mod listing;
mod observed;
mod ops;
mod output;
mod perm;
mod session;
pub mod thread;
mod watch;

pub use answer::{Answer, Error, Later};
pub use config::{Buffers, Config};
pub use connection::{ServeError, serve, serve_observed};
pub use files::{Entry, FileServer, HeldLock, Listing, Lock, Opened, Peer, SetAttr, SetTime};
pub use observed::{ANSWER_TIMES, Figures, Messages, Observed, Spoken, Way};
pub use session::Fault;
