//! Archives: what GNU tar makes and takes, and what nobody should.

mod gnu;
mod refused;
mod tree;
#[path = "../mem_posix/world.rs"]
mod world;
