//! The JavaScript engine: which extensions are in it, and a program's way through it.

mod extensions;
mod mends;
mod run;
mod seed;
mod sources;
mod thread;

pub use run::{Main, Warm, run};
pub use seed::{Seed, write_seed};
pub use thread::{End, Limits, Reins, Request, Shared};
