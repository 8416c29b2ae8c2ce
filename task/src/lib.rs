//! What a task is: a program of some runtime, the namespace it sees, its stdio, limits and capabilities, and its life from
//! `new` to `exited`.
//!
//! This crate knows no file tree and no engine: `services` shows tasks as files, a [`Runtime`] runs their programs.

mod exit;
mod limits;
mod runtime;
mod trace;
mod usage;

pub use exit::Exit;
pub use limits::Limits;
pub use runtime::{Capability, Fit, Program, Running, Runtime, Start};
pub use trace::Trace;
pub use usage::Usage;
