//! Who asks. Every walk, open and create carries a caller: files are made in his name, permissions are his, and
//! `/task/self` is his task.

use crate::{Access, Mode, Result};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Uid(pub u32);
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Gid(pub u32);

/// A task's number: the name of its directory in /task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskId(pub u32);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a caller may do with the files of a namespace beyond what their mode bits say: a task's capabilities.
pub trait Guard: Any + Send + Sync + fmt::Debug {
    /// Fails (EACCES, naming the missing capability) where the caller may not do `want` with the file at `path`, as he
    /// sees it. Nothing wanted is a look: stat, or passing through on the way to something below.
    fn allow(&self, path: &[u8], want: Access) -> Result<()>;
}

/// Who asks: an attached 9P user, the process behind a FUSE request, or a task.
#[derive(Clone, Debug)]
pub struct Caller {
    pub uid: Uid,
    pub gid: Gid,
    /// Supplementary groups, where the transport tells them.
    pub groups: Arc<[Gid]>,
    /// The task whose guest asks; none for requests from outside.
    pub task: Option<TaskId>,
    /// The process that asks, where the transport tells it (FUSE): an owner for locks.
    pub pid: Option<u32>,
    /// The transport has checked the mode bits already (FUSE with default_permissions); only what the mode bits do
    /// not say is left to check.
    pub checked: bool,
    /// What he makes does not get these permission bits, but where a directory's default access control list says what it
    /// gets (umask(2)).
    pub umask: u32,
    /// Capabilities, where the caller is bound by any.
    pub guard: Option<Arc<dyn Guard>>,
}

/// Who writes, as far as the set-id bits of what he writes go by it. Whoever has opened a file writes as who he was then.
#[derive(Clone, Debug)]
pub struct Writer(Option<Mere>);

/// A writer who is not the superuser.
#[derive(Clone, Debug)]
struct Mere {
    gid: Gid,
    groups: Arc<[Gid]>,
    /// The transport does not tell all of his groups, and sees itself to what hangs on them.
    unknown: bool,
}

impl Writer {
    pub fn new(who: &Caller) -> Writer {
        let mere = || Mere { gid: who.gid, groups: who.groups.clone(), unknown: who.checked };
        Writer((!who.is_root()).then(mere))
    }

    /// What a write by him leaves of the mode of a file of `group` (inode(7)): no set-user-id; set-group-id where the group may
    /// not execute, which makes it no privilege, if he is of the group.
    pub fn leaves(&self, mode: Mode, group: Gid) -> Mode {
        let Some(Mere { gid, groups, unknown }) = &self.0 else { return mode };
        let member = *unknown || *gid == group || groups.contains(&group);
        let harmless = member && mode.bits() & libc::S_IXGRP == 0;
        let lost = if harmless { libc::S_ISUID } else { libc::S_ISUID | libc::S_ISGID };
        Mode::new(mode.bits() & !lost)
    }

    /// What is left where he gives the file to another: then the superuser's word does not keep them either (chown(2)).
    pub fn gives_away(&self, mode: Mode, group: Gid) -> Mode {
        let runs = if mode.bits() & libc::S_IXGRP != 0 { libc::S_ISGID } else { 0 };
        Mode::new(self.leaves(mode, group).bits() & !(libc::S_ISUID | runs))
    }
}

impl Caller {
    pub fn new(uid: Uid, gid: Gid) -> Caller {
        Caller {
            uid,
            gid,
            groups: Arc::new([]),
            task: None,
            pid: None,
            checked: false,
            umask: 0,
            guard: None,
        }
    }
    /// The user that this process runs as.
    pub fn me() -> Caller {
        Caller::new(Uid(rustix::process::geteuid().as_raw()), Gid(rustix::process::getegid().as_raw()))
    }
    pub fn is_root(&self) -> bool {
        self.uid == Uid(0)
    }
    pub fn in_group(&self, gid: Gid) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}
