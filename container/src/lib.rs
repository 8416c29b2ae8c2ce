//! Containers: whole projects in a world of their own, many on one server.
//!
//! A [`Container`] is a group of tasks and what they live in: files that are theirs alone, a template for new processes, limits
//! and capabilities for all of them, and a life. This crate knows no file tree: `services` shows containers as files, and says
//! what is mounted in their namespaces ([`Furnish`]).
//!
//! ```text
//! ContainerTable ─► Container ─┬─ Group      its tasks: events, limits, ceiling, freeze and kill         crate task
//!                              ├─ Files      an overlay of its own, and the namespaces that show it       files.rs
//!                              ├─ Template   env, cwd, label, limits: what a process starts with          template.rs
//!                              ├─ life       new ─► running ⇄ stopped, exited, destroyed                   life.rs
//!                              └─ ctl        the commands that change all this                            ctl/
//!              └─► Snapshots   files under a name, for any container; on a host root they last             snapshots.rs, shelf.rs
//! ```

mod answers;
mod archive;
mod container;
pub mod ctl;
mod files;
mod layer;
mod life;
mod process;
mod report;
mod shelf;
mod snapshots;
mod table;

pub use answers::Answers;
pub use archive::{Incoming, Outgoing};
pub use container::{Container, Settings, USER};
pub use files::{Files, Furnish};
pub use life::State;
pub use snapshots::{Snapshot, Snapshots};
pub use table::{Config, ContainerTable};
