//! Overlays over layers, and their forks: what is peculiar to them. What every tree promises is asked in `overlay_posix`.

#[path = "../mem_posix/counts.rs"]
mod counts;
mod forks;
mod layers;
mod model;
mod slow;
mod tree;
#[path = "../mem_posix/world.rs"]
mod world;
