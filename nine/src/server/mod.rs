//! A 9P server session over any stream, for whatever implements [`FileServer`].

mod answer;
mod files;
mod listing;

pub use answer::{Answer, Error, Later};
pub use files::{Entry, FileServer, HeldLock, Listing, Lock, Opened, Peer, SetAttr, SetTime};
