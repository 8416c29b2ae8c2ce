//! Transports and adapters.

pub mod fuse;
