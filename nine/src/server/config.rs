//! What a session allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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
    /// What this connection and others may keep together of pending requests and unread replies. Default: no bound.
    pub shared: Option<Arc<Buffers>>,
    /// How long a peer may take until it has said Tversion. Default: for ever, as with all of these.
    pub handshake: Option<Duration>,
    /// How long a peer may take to send the rest of a frame that it has begun, or to take any of its replies.
    pub stalled: Option<Duration>,
    /// How long a peer may ask nothing while nothing of its is pending.
    pub idle: Option<Duration>,
}

/// Bytes that several connections keep together, and may keep at most: each gives its [`Config`] a clone of one `Arc`.
///
/// Beyond the bound, whoever keeps more than [`Buffers::FREE`] gets errors for what would have to wait, and is not
/// listened to while its replies are unread. Who keeps less notices nothing.
#[derive(Debug)]
pub struct Buffers {
    most: usize,
    kept: AtomicUsize,
}

impl Buffers {
    /// So much every connection may keep, whatever the others do.
    pub const FREE: usize = 1 << 20;

    /// A bound of `most` bytes.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, kept: AtomicUsize::new(0) })
    }

    /// How many bytes are kept now.
    pub fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// Whether one who is known to keep `told` may keep `now`.
    pub(super) fn allow(&self, told: usize, now: usize) -> bool {
        now <= Self::FREE || self.kept().saturating_sub(told).saturating_add(now) <= self.most
    }

    /// One keeps `now` bytes, and kept `before`.
    pub(super) fn change(&self, before: usize, now: usize) {
        if now >= before {
            self.kept.fetch_add(now - before, Ordering::Relaxed);
        } else {
            self.kept.fetch_sub(before - now, Ordering::Relaxed);
        }
    }
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
            shared: None,
            handshake: None,
            stalled: None,
            idle: None,
        }
    }
}
