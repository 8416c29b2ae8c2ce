//! The server around the namespace: transports, the 9P and FUSE adapters, and the commands of the `taskfs` binary.
//!
//! What is a request on the wire becomes an operation on a [`vfs::Place`] here, and nothing else: no adapter knows what a
//! task is, none knows an engine.

pub mod addr;
pub mod auth;
pub mod bridge;
pub mod cli;
pub mod fault;
pub mod fuse;
pub mod gateway;
pub mod listen;
pub mod memory;
pub mod ninep;
mod npm;
pub mod observe;
mod open_files;
mod places;
mod refusal;
pub mod remote;
pub mod serving;
pub mod stall;
mod warnings;
pub mod world;
