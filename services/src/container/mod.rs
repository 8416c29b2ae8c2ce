//! `/web/container`: containers as files.
//!
//! ```text
//! /web/container/new        a container is made by the first read of an open file; its number is what is read
//!                clone      a container is made by the open; the open file is its ctl, reading gives its number
//!                snapshots  NAME UID, a line a snapshot
//!                <id>/      one container                                       directory.rs
//!                  ctl                                                          ctl.rs
//!                  status usage        to see                                   report.rs
//!                  limits caps         to set and to see                        setting.rs
//!                  mount/              its files: a portal into its namespace   directory.rs
//!                  processes/          new, clone, and a task's directory a process: the same files as in /task
//!                  events              a line an event, from when it was opened events.rs
//!                  ports/<n>/          what listens inside, and a way in            ports.rs
//!                  export import       its files as a tar stream, out and in     archive.rs
//!                  fork                a container with the same files is made by the first read, which gives its number
//! ```
//!
//! Looking makes nothing, as in /task. Containers are for those outside: a task, of a container or not, sees none here.

mod archive;
mod ctl;
mod directory;
mod etc;
mod events;
mod furniture;
mod make;
mod ports;
mod processes;
mod report;
mod root;
mod setting;

use crate::synth::Attr;
use ::container::{Container, ContainerTable};
use vfs::{Kind, Time};

pub(crate) use etc::tree as etc_tree;
pub(crate) use furniture::Furniture;
pub(crate) use root::tree;

/// Numbers of the files that belong to no container.
mod number {
    pub const ROOT: u64 = 1;
    pub const NEW: u64 = 2;
    pub const CLONE: u64 = 3;
    pub const SNAPSHOTS: u64 = 4;
    pub const WEB: u64 = 5;
}

/// Numbers of the files of one container.
mod file {
    pub const DIRECTORY: u64 = container::Container::DIRECTORY;
    pub const CTL: u64 = 2;
    pub const MOUNT: u64 = 3;
    pub const PROCESSES: u64 = 4;
    pub const NEW_PROCESS: u64 = 5;
    pub const CLONE_PROCESS: u64 = 6;
    pub const EVENTS: u64 = 7;
    pub const FORK: u64 = 8;
    pub const PORTS: u64 = 9;
    pub const EXPORT: u64 = 10;
    pub const IMPORT: u64 = 11;
    pub const SETTINGS: u64 = 32;
    pub const REPORTS: u64 = 64;
}

/// The attributes of a file of `container`: they are its owner's.
fn attr(container: &Container, kind: Kind, file: u64, mode: u32) -> Attr {
    let (uid, gid) = container.owner();
    Attr { uid, gid, born: container.born(), ..Attr::of_server(kind, container.file_path(file), mode) }
}

fn attr_of_none(table: &ContainerTable, kind: Kind, number: u64, mode: u32, born: Time) -> Attr {
    Attr { born, ..Attr::of_server(kind, table.file_path(0, number), mode) }
}
