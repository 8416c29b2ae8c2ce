//! Runs Node programs in worker processes: the runtime as the server sees it. No JavaScript engine is linked here.
//!
//! ```text
//! task ─► NodeRuntime ─► Pool ── warm workers, refilled behind the scenes
//!                          │
//!                     ┌────▼────┐  9P on one socket   ┌────────────────────┐
//!                     │ Worker  │◄───────────────────►│ taskfs-node        │  a process behind a wall (crate wall)
//!                     └────┬────┘                     └────────────────────┘
//!   "worker": control tree ┤  spec, stdio, signals, exit …
//!   "":  the task's own ns ┘  as the task's caller: mode bits, capabilities, limits and usage are the task's
//! ```
//!
//! A worker runs one task and is thrown away. What it and the server say to each other is written down in PROTOCOL.md.

mod bounds;
mod cgroup;
mod children;
mod control;
mod door;
mod engine;
mod ipc;
mod link;
mod log;
mod net;
mod overseen;
mod pool;
mod process;
mod refusals;
mod running;
mod runtime;
mod spawn;
mod spec;
mod terminal;
mod worker;

pub use cgroup::Cgroups;
pub use engine::{Engine, find as find_engines};
pub use net::Neighbour;
pub use runtime::{Config, NodeRuntime, runtimes, script};
pub use spawn::probe;
pub use wall::Report as Wall;
