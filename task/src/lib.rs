//! What a task is: a program of some runtime, the namespace it sees, its stdio, limits and capabilities, and its life from
//! `new` to `exited`.
//!
//! This crate knows no file tree and no engine: `services` shows tasks as files, a [`Runtime`] runs their programs.
//!
//! ```text
//! TaskTable ─► Task ─┬─ Spec, Limits, Caps    what to run, and what it may
//!                    ├─ Namespace             the files it sees
//!                    ├─ Stdio                 a pipe in, two logs out
//!                    ├─ Life ─► Running       its state, and what runs
//!                    ├─ Group                 those it lives together with, where it is in a container
//!                    └─ ctl                   the commands that change all this
//! ```

mod caps;
pub mod ctl;
mod exit;
mod foreground;
pub mod group;
mod life;
mod limits;
mod lineage;
mod ns_text;
pub mod rc;
mod reach;
mod registry;
mod runtime;
mod signal;
pub mod spec;
mod start;
pub mod stdio;
mod table;
mod task;
mod trace;
pub mod tty;
mod usage;
mod watched;

pub use caps::{Cap, Caps, Peer};
pub use exit::Exit;
pub use group::{Group, OpenFiles};
pub use life::{End, Life, State};
pub use limits::{Limits, parse_size, parse_time, show_size, show_time};
pub use ns_text::Change;
pub use reach::Reach;
pub use registry::Registry;
pub use runtime::{Capability, Fit, Program, Running, Runtime, Start};
pub use signal::Signal;
pub use spec::Spec;
pub use table::{Attach, Config, TaskTable, Template};
pub use task::Task;
pub use trace::Trace;
pub use usage::Usage;
pub use watched::Watched;
