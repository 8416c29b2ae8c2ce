//! Whether a connection's client is Linux's own, which no message says: it shows in how a mount begins. Its reads fill their
//! reader's buffer (see [`super::ops`], Tread), and where that buffer is larger than a message, only this tells the request
//! for the rest from a reader's next one.

use crate::wire::{AttrMask, Fid, Tag, Tmessage};

/// How much of a mount's beginning has been seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Linux {
    /// Nothing has come after Tversion.
    #[default]
    Unknown,
    /// The root has been attached as fid 0.
    Attached,
    /// It was looked at next.
    Yes,
    No,
}

impl Linux {
    /// Takes note of the next request. A mount takes the lowest fids and tags that are free, one request at a time: it
    /// attaches the root as fid 0, and at once asks for the attributes that make its inode. Other clients walk first, or
    /// count from elsewhere.
    pub(super) fn note(&mut self, tag: Tag, message: &Tmessage<'_>) {
        *self = match (*self, message) {
            (Linux::Unknown, Tmessage::Attach { fid: Fid(0), afid: Fid::NONE, .. }) if tag == Tag(0) => {
                Linux::Attached
            }
            (Linux::Attached, Tmessage::Stat { fid: Fid(0) }) if tag == Tag(0) => Linux::Yes,
            // 6.1 asks for the basic attributes, later ones for birth and generation too.
            (Linux::Attached, Tmessage::Getattr { fid: Fid(0), mask })
                if tag == Tag(0)
                    && (*mask == AttrMask::BASIC || *mask == AttrMask::BASIC | AttrMask::GEN) =>
            {
                Linux::Yes
            }
            _ => Linux::No,
        };
    }

    /// Whether there is more to be learnt.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Linux::Unknown | Linux::Attached)
    }
}
