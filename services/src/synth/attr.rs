//! The attributes of a synthetic node.

use vfs::{Caller, Device, Gid, Kind, Mode, Qid, Stat, Time, Uid};

/// Who owns it, what may be done with it, and since when it is there.
#[derive(Clone, Copy)]
pub(crate) struct Attr {
    pub kind: Kind,
    pub path: u64,
    pub mode: u32,
    pub uid: Uid,
    pub gid: Gid,
    pub born: Time,
    pub rdev: Device,
}

impl Attr {
    /// One of the server's own: it belongs to the user that the server runs as.
    pub fn of_server(kind: Kind, path: u64, mode: u32) -> Attr {
        let me = Caller::me();
        Attr { kind, path, mode, uid: me.uid, gid: me.gid, born: Time::now(), rdev: Device::default() }
    }

    /// As a character device: what clients should not read as if it were a file that ends.
    pub fn device(self, major: u32, minor: u32) -> Attr {
        Attr { kind: Kind::CharDevice, rdev: Device { major, minor }, ..self }
    }

    pub fn qid(&self) -> Qid {
        Qid { kind: self.kind, version: 0, path: self.path }
    }

    pub fn stat(&self) -> Stat {
        Stat {
            qid: self.qid(),
            mode: Mode::new(self.mode),
            uid: self.uid,
            gid: self.gid,
            nlink: if self.kind.is_dir() { 2 } else { 1 },
            size: 0,
            blocks: 0,
            blksize: 4096,
            rdev: self.rdev,
            atime: self.born,
            mtime: self.born,
            ctime: self.born,
            btime: self.born,
        }
    }
}
