//! The JavaScript engine: which extensions are in it, and a program's way through it.

mod extensions;
mod run;
mod seed;
mod sources;

pub use run::{Warm, main_module, run};
pub use seed::{Seed, write_seed};
