//! In whose name files are made.
//!
//! A server that runs as root makes files as the caller's user and group, from the first moment: a chown afterwards would go
//! by a name that someone else could have put another file under. The calling thread takes the caller's ids for file
//! access (setfsuid(2)) for the one system call and keeps the capability to pass permission checks, because the mode bits
//! were checked above. The kernel then does what it does for that user: set-group-id directories, quotas. A server that is
//! not root makes files as itself.
//!
//! The kernel counts a change of ids as a reason to write no core dumps of the process and to forget the thread's
//! parent-death signal (prctl(2)): whoever needs either sets it again.

use crate::{Caller, Errno, Error, Gid, Result, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

/// What becomes ineffective with a file user other than root (capabilities(7)), but for passing permission checks.
const ROOT_ONLY: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::LINUX_IMMUTABLE)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::MAC_OVERRIDE);

/// The user and group that this process makes files as by itself.
#[derive(Clone, Copy)]
pub(super) struct Own {
    uid: Uid,
    gid: Gid,
}

/// The calling thread makes files as another user until this is dropped. It must not cross an await.
struct Borrowed {
    own: Own,
    caps: CapabilitySets,
}

impl Own {
    pub fn now() -> Own {
        let me = Caller::me();
        Own { uid: me.uid, gid: me.gid }
    }
    pub fn is_root(self) -> bool {
        self.uid == Uid(0)
    }

    /// Whether this process has no more rights to files than `who`.
    pub fn is_as(self, who: &Caller) -> bool {
        !self.is_root() && who.uid == self.uid && who.gid == self.gid
    }

    /// Runs `make` so that what it makes belongs to `who`, as far as this process may.
    pub fn make_as<T>(self, who: &Caller, make: impl FnOnce() -> Result<T>) -> Result<T> {
        if !self.is_root() || (who.uid == self.uid && who.gid == self.gid) {
            return make();
        }
        let _borrowed = Borrowed::take(self, who)?;
        make()
    }
}

impl Borrowed {
    fn take(own: Own, who: &Caller) -> Result<Borrowed> {
        let caps = capabilities(None)?;
        let borrowed = Borrowed { own, caps };
        if !set_file_gid(who.gid) || !set_file_uid(who.uid) {
            return Err(Error::new(
                Errno::EPERM,
                format!("this server cannot make files for user {}, group {}", who.uid.0, who.gid.0),
            ));
        }
        if who.uid != own.uid {
            let effective = caps.effective.difference(ROOT_ONLY);
            set_capabilities(None, CapabilitySets { effective, ..caps })?;
        }
        Ok(borrowed)
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // A thread that went on with another's ids would be worse than none.
        let restored = set_file_uid(self.own.uid) && set_file_gid(self.own.gid);
        if !restored {
            tracing::error!("cannot go back to user {} for file access", self.own.uid.0);
            std::process::abort();
        }
        // Being root again has made its capabilities effective again, and more than before where the process had lowered
        // some of them; that those stay up does no harm to anybody.
        let _ = set_capabilities(None, self.caps);
    }
}

/// setfsuid(2) tells of no failure: only asking again does.
fn set_file_uid(uid: Uid) -> bool {
    // SAFETY: takes and gives integers; changes nothing but this thread's user for file access.
    unsafe {
        libc::setfsuid(uid.0);
        libc::setfsuid(u32::MAX) as u32 == uid.0
    }
}

fn set_file_gid(gid: Gid) -> bool {
    // SAFETY: as for set_file_uid, for the group.
    unsafe {
        libc::setfsgid(gid.0);
        libc::setfsgid(u32::MAX) as u32 == gid.0
    }
}
