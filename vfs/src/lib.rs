//! One namespace for everybody.
//!
//! A *tree* serves [`Node`]s: files, directories, links and devices, each with a stable identity (its [`Qid`]). Opening
//! a node gives an [`OpenFile`] with a state of its own; dropping the last reference closes it. Every operation is an
//! [`Op`]: done at once, or something to await, and dropping what is awaited cancels it.
//!
//! A [`Namespace`] is a mount table in the manner of Plan 9; a [`Place`] is a node reached by a name in one, and is what
//! 9P fids, FUSE inodes and a guest's descriptors hold.
//!
//! ```text
//! session, FUSE, guest ──► Place (names, binds, unions, permissions) ──► Node / OpenFile (a tree's own)
//! ```

mod access;
mod acl;
pub mod archive;
mod caller;
mod error;
pub mod export;
mod flags;
pub mod host;
pub mod import;
pub mod lock;
pub mod mem;
mod name;
mod node;
mod ns;
mod op;
pub mod overlay;
mod qid;
mod stat;
mod terminal;
mod watch;

pub use access::Access;
pub use acl::{Acl, AclKind};
pub use caller::{Caller, Gid, Guard, TaskId, Uid, Writer};
pub use error::{Errno, Error, Result};
pub use export::Export;
pub use flags::{Allocate, Extent, OpenFlags, RenameFlags, SetXattr};
pub use host::{Direct, HostOptions, HostTree, Measure};
pub use import::Import;
pub use mem::{MemOptions, MemTree};
pub use name::{Name, NameBuf};
pub use node::{DirEntry, FileRef, Interest, Nature, Node, NodeRef, OpenFile, Sink};
pub use ns::{
    Aspect, BindFlags, Created, Follow, Happening, Namespace, Notice, Notices, NsLine, Opened, Parent, Place,
    Recall, WatchRoom, setstat,
};
pub use op::Op;
pub use overlay::Overlay;
pub use qid::{Kind, Qid, TreeTag};
pub use stat::{Device, Mode, SetStat, SetTime, Stat, StatFs, Time};
pub use terminal::{Terminal, TerminalMode, Window};
pub use watch::{Change, Mark, Telling, Watch, Watcher, Watchers};
