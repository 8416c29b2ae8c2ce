//! Overlays over layers, and their forks: what is peculiar to them. What every tree promises is asked in `overlay_posix`.

mod forks;
mod layers;
mod model;
mod slow;
mod tree;
#[path = "../mem_posix/world.rs"]
mod world;
