//! What a session allows.

use crate::wire::{IO_HEADER, Msize};

/// Bounds of one connection.
#[derive(Clone, Debug)]
pub struct Config {
    /// The largest frame that we agree to. Default: 1 MiB of data and its header. At most 16 MiB and a header.
    pub msize: Msize,
    /// The most fids. Default: 65536.
    pub fids: usize,
    /// The most requests that have not been answered, beyond which more get an error. Default: 4096.
    pub in_flight: usize,
    /// The most bytes of buffers that pending requests may keep, beyond which one that would block gets an error.
    /// Default: 64 MiB.
    pub buffered: usize,
    /// The most bytes of replies that wait for the peer to read them; beyond it, nothing is read from the peer.
    /// Default: 4 MiB. The reply that crosses the bound is still kept.
    pub unread: usize,
}

impl Config {
    /// The smallest msize that a session agrees to: less has no room for a stat.
    pub const MIN_MSIZE: u32 = 256;
    /// The largest.
    pub const MAX_MSIZE: u32 = (16 << 20) + IO_HEADER;
}

impl Default for Config {
    fn default() -> Self {
        Self {
            msize: Msize((1 << 20) + IO_HEADER),
            fids: 65536,
            in_flight: 4096,
            buffered: 64 << 20,
            unread: 4 << 20,
        }
    }
}
