//! What POSIX promises of a file system, asked of an overlay that is forked before each call: nothing that a fork shares may
//! be seen to be shared.

#[path = "../mem_posix/attributes.rs"]
mod attributes;
#[path = "../mem_posix/content.rs"]
mod content;
#[path = "../mem_posix/counts.rs"]
mod counts;
#[path = "../mem_posix/fifo.rs"]
mod fifo;
#[path = "../mem_posix/listing.rs"]
mod listing;
#[path = "../mem_posix/model.rs"]
mod model;
#[path = "../mem_posix/names.rs"]
mod names;
#[path = "../mem_posix/permissions.rs"]
mod permissions;
#[path = "../mem_posix/rename.rs"]
mod rename;
#[path = "../mem_posix/threads.rs"]
mod threads;
mod tree;
#[path = "../mem_posix/world.rs"]
mod world;
