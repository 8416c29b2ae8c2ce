//! A POSIX shell over a task's namespace, and the small commands that scripts expect, in the server itself: nothing of it is a
//! process of the host's.
//!
//! ```text
//! task ─► Sh ─► Process   limits, signals, cpu: what holds for the whole task     process/
//!                  │
//!               strands   the shell itself, its subshells, the stages of a pipeline: each a future, so nothing blocks
//!                  │
//!                Shell ─► syntax ─► expand ─► exec ─┬─ builtins       cd, set, trap …
//!                                                   ├─ commands       ls, grep …: also programs of /bin
//!                                                   └─ other programs: tasks below this one
//! ```
//!
//! Files are reached through vfs as the task's caller, so mode bits and capabilities hold. What differs from dash is listed in
//! docs/sh.md.

mod builtins;
pub mod commands;
mod condition;
mod exec;
mod expand;
mod files;
mod jobs;
mod life;
mod printf;
mod process;
mod program;
mod runner;
mod runtime;
mod setting;
mod shell;
mod syntax;
mod traps;
mod vars;

pub use process::{Held, Memory, Process};
pub use runtime::Sh;
