//! Transports and adapters.

pub mod addr;
pub mod cli;
pub mod fault;
pub mod fuse;
pub mod listen;
pub mod ninep;
pub mod remote;
pub mod serving;
pub mod world;
