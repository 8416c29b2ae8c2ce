//! What POSIX promises of a file system, asked of the memory tree through a namespace, as its users do.

mod attributes;
mod content;
mod counts;
mod fifo;
mod listing;
mod model;
mod names;
mod permissions;
mod rename;
mod threads;
mod tree;
mod world;
