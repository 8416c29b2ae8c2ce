//! Trees as tar streams: [`pack`] writes one that GNU tar takes, [`unpack`] reads any (ustar, GNU and pax headers; plain,
//! gzip or zstd), and trusts none.
//!
//! ```text
//! reader ──► squeezed (which compression, how much it grows) ──► read (headers, names, sizes) ──► unpack ──► staging overlay
//!                                                                       all of it was good: one step ──► the place
//! ```
//!
//! What is unpacked is made in an overlay of its own, which starts empty: no name in the archive can meet anything that is
//! not from the archive. It becomes part of the place in one step when the last byte was read and found good. So nothing is
//! ever half done: who looks sees the place as it was, or with all that was in the archive.
//!
//! [`Packer`] and [`Archive`] are the two entry by entry, for who goes about it in another way (tar(1)).

mod header;
mod pack;
mod read;
mod squeezed;
mod unpack;

pub use header::{Entry, What};
pub use pack::{Packer, pack, pack_into};
pub use read::Archive;
pub use unpack::unpack;

/// How much an archive may bring.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files and directories.
    pub inodes: u64,
    /// How many times its compressed size an archive may be, where that is more than 64 MiB.
    pub ratio: u64,
    /// Whether symlinks may lead to absolute names, which mean what they mean to who follows them.
    pub absolute_links: bool,
}

impl Default for Bounds {
    /// 16 GiB, two million files, 200 times the compressed size, no absolute links.
    fn default() -> Bounds {
        Bounds { bytes: 16 << 30, inodes: 2_000_000, ratio: 200, absolute_links: false }
    }
}

/// What an archive brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unpacked {
    pub entries: u64,
    /// Of all files' content.
    pub bytes: u64,
}
