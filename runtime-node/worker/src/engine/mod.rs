//! The JavaScript engine: which extensions are in it, and a program's way through it.

mod extensions;
mod mends;
mod run;
mod seed;
mod sources;

pub use run::{Main, Warm, run};
pub use seed::{Seed, write_seed};
