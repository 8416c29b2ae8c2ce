//! A node's identity: unique in the server, stable while the node lives (intro(5)).

use std::sync::Mutex;

/// What a node is, as inode(7) names it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    File,
    Dir,
    Symlink,
    Fifo,
    Socket,
    CharDevice,
    BlockDevice,
}

impl Kind {
    /// The S_IFMT bits of st_mode.
    pub const fn bits(self) -> u32 {
        match self {
            Kind::File => libc::S_IFREG,
            Kind::Dir => libc::S_IFDIR,
            Kind::Symlink => libc::S_IFLNK,
            Kind::Fifo => libc::S_IFIFO,
            Kind::Socket => libc::S_IFSOCK,
            Kind::CharDevice => libc::S_IFCHR,
            Kind::BlockDevice => libc::S_IFBLK,
        }
    }
    #[inline]
    pub fn from_bits(mode: u32) -> Option<Kind> {
        KINDS[slot(mode & libc::S_IFMT)]
    }
    pub fn is_dir(self) -> bool {
        self == Kind::Dir
    }
}

/// The kinds by their S_IFMT bits: one load, where a match jumps.
const KINDS: [Option<Kind>; 16] = {
    let all =
        [Kind::File, Kind::Dir, Kind::Symlink, Kind::Fifo, Kind::Socket, Kind::CharDevice, Kind::BlockDevice];
    let (mut kinds, mut at) = ([None; 16], 0);
    while at < all.len() {
        kinds[slot(all[at].bits())] = Some(all[at]);
        at += 1;
    }
    kinds
};

const fn slot(bits: u32) -> usize {
    bits as usize >> libc::S_IFMT.trailing_zeros()
}

/// Kind, version and path. The path is unique among all nodes of all trees of the process: its top 16 bits are the tree's
/// [`TreeTag`]. The version of a storage file changes with its content; a synthetic file's is 0, so nobody caches it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Qid {
    pub kind: Kind,
    pub version: u32,
    pub path: u64,
}

/// A tree's own part of the 64-bit identities: tag in the top 16 bits, 48 bits to use below. Given back when dropped.
#[derive(Debug)]
pub struct TreeTag(u16);

/// The next tag that was never taken, and those given back. Tag 0 is what all memory trees share.
static FREE: Mutex<(u16, Vec<u16>)> = Mutex::new((1, Vec::new()));

impl TreeTag {
    /// Bits below the tag.
    pub const SPACE: u64 = (1 << 48) - 1;

    /// A tag that no living tree has; none when 65 535 trees live.
    pub fn take() -> Option<TreeTag> {
        let mut free = FREE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(tag) = free.1.pop() {
            return Some(TreeTag(tag));
        }
        let tag = free.0;
        free.0 = tag.checked_add(1)?;
        Some(TreeTag(tag))
    }
    /// The identity of the node that the tree numbers `local`; only the low 48 bits count.
    pub fn path(&self, local: u64) -> u64 {
        (u64::from(self.0) << 48) | (local & TreeTag::SPACE)
    }
}

impl Drop for TreeTag {
    fn drop(&mut self) {
        FREE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).1.push(self.0);
    }
}
