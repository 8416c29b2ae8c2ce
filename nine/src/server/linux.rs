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
            (Linux::Attached, Tmessage::Stat { fid: Fid(0) }) if is_next(tag) => Linux::Yes,
            // 6.1 asks for the basic attributes, later ones for birth and generation too.
            (Linux::Attached, Tmessage::Getattr { fid: Fid(0), mask })
                if is_next(tag) && (*mask == AttrMask::BASIC || *mask == AttrMask::BASIC | AttrMask::GEN) =>
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

/// The attach's tag, or the one after it: the kernel's receiver may not have let go of the first when the mount goes on.
fn is_next(tag: Tag) -> bool {
    tag.0 <= 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Extension, Name, Uid};

    fn attach(fid: u32) -> Tmessage<'static> {
        let (uname, aname) = (Name(b"nobody"), Name(b""));
        Tmessage::Attach { fid: Fid(fid), afid: Fid::NONE, uname, aname, n_uname: Extension(Some(Uid(0))) }
    }

    fn after(messages: &[(u16, Tmessage<'static>)]) -> Linux {
        let mut linux = Linux::default();
        for (tag, message) in messages {
            linux.note(Tag(*tag), message);
        }
        linux
    }

    #[test]
    fn a_mount_is_known_whether_or_not_its_second_request_has_the_first_ones_tag() {
        for tag in [0, 1] {
            assert_eq!(after(&[(0, attach(0)), (tag, Tmessage::Stat { fid: Fid(0) })]), Linux::Yes, "{tag}");
        }
    }

    #[test]
    fn who_counts_from_elsewhere_or_walks_first_is_not_linux() {
        let walk = Tmessage::Clunk { fid: Fid(0) };
        for messages in [
            [(0, attach(1)), (0, Tmessage::Stat { fid: Fid(1) })],
            [(7, attach(0)), (0, Tmessage::Stat { fid: Fid(0) })],
            [(0, attach(0)), (9, Tmessage::Stat { fid: Fid(0) })],
            [(0, attach(0)), (0, walk)],
        ] {
            assert_eq!(after(&messages), Linux::No);
        }
    }
}
