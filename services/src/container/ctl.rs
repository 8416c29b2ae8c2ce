//! `ctl` of a container.

use crate::container::{attr, file};
use crate::synth::{self, Attr, Commanded};
use ::container::{Container, ctl};
use std::sync::Arc;
use vfs::{Caller, FileRef, Kind, NodeRef, Op, OpenFlags};

impl Commanded for Arc<Container> {
    fn id(&self) -> u32 {
        self.id
    }
    fn help(&self) -> String {
        ctl::help(self)
    }
    fn command<'a>(&'a self, who: &'a Caller, lines: &'a [u8]) -> Op<'a, ()> {
        ctl::write(self, who, lines)
    }
    fn opened(&self) {
        self.ctl_opened();
    }
    fn closed(&self) {
        self.ctl_closed();
    }
}

pub(super) fn node(container: Arc<Container>) -> NodeRef {
    synth::ctl::node(attributes(&container), container)
}

/// The ctl of a container that was just made by opening `clone`.
pub(super) fn open_clone(container: Arc<Container>, who: &Caller, flags: OpenFlags) -> FileRef {
    synth::ctl::open_clone(attributes(&container), container, who, flags)
}

fn attributes(container: &Arc<Container>) -> Attr {
    attr(container, Kind::File, file::CTL, 0o644)
}
