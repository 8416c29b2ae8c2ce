//! Runs WASI preview 1 modules and preview 2 command components over a task's namespace, inside the server: wasmtime is the
//! wall.
//!
//! [`WasiRuntime`] is a [`task::Runtime`]. A program is read through the namespace, compiled once ([`cache`](self)), and run
//! as a guest whose descriptors are files of the task's namespace and whose life is in the hands of its driver: stopped,
//! continued, killed and limited at the one place where it gets to run. What a transport or a task's directory is, is left
//! to others.
//!
//! ```text
//! start ─► cache ─► program ─► guest ─► driver (stop, cont, kill, limits, cpu time)
//!                                │
//!                                ├─► p1: the 46 calls of modules ───────────► vfs
//!                                └─► p2: the interfaces of components ──────► vfs
//! ```

mod budget;
mod cache;
mod control;
mod descriptor;
mod engine;
mod guest;
mod inner;
mod life;
mod limits;
mod memory;
mod open;
mod p1;
mod p2;
mod paths;
mod program;
mod runtime;
mod slots;
mod stacks;
mod ticker;
mod turns;

pub use runtime::{Config, WasiRuntime};
