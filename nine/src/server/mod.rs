//! A 9P server session over any stream, for whatever implements [`FileServer`].

mod answer;
mod config;
mod connection;
mod fid;
mod files;
mod flight;
mod held;
mod input;
mod listing;
mod ops;
mod output;
mod perm;
mod session;

pub use answer::{Answer, Error, Later};
pub use config::Config;
pub use connection::{ServeError, serve};
pub use files::{Entry, FileServer, HeldLock, Listing, Lock, Opened, Peer, SetAttr, SetTime};
pub use session::Fault;
