//! Fids: numbers of our own choosing, given back when their file is clunked.

use super::Link;
use nine::wire::{Fid, Tmessage};
use std::sync::{Arc, Mutex};

/// The numbers that are not in use.
pub struct Fids(Mutex<(u32, Vec<u32>)>);

/// The control tree's root.
pub const CONTROL: Fid = Fid(0);
/// The root of the task's namespace.
pub const TASK: Fid = Fid(1);
const FIRST_FREE: u32 = 2;

impl Default for Fids {
    fn default() -> Self {
        Fids(Mutex::new((FIRST_FREE, Vec::new())))
    }
}

impl Fids {
    /// A number that is free.
    pub fn take(&self) -> Fid {
        let mut fids = self.0.lock().expect("no holder of the lock panics");
        Fid(fids.1.pop().unwrap_or_else(|| {
            fids.0 += 1;
            fids.0 - 1
        }))
    }

    /// It was clunked, or never became a file.
    pub fn give_back(&self, fid: Fid) {
        self.0.lock().expect("no holder of the lock panics").1.push(fid.0);
    }
}

/// A fid that is a file; dropping it clunks it.
pub struct Handle {
    link: Arc<Link>,
    fid: Fid,
    is_clunked: bool,
}

impl Handle {
    pub fn new(link: Arc<Link>, fid: Fid) -> Handle {
        Handle { link, fid, is_clunked: false }
    }

    pub fn fid(&self) -> Fid {
        self.fid
    }

    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// It is no file any more: a Tclunk was part of the batch.
    pub fn was_clunked(mut self) {
        self.is_clunked = true;
    }

    /// Clunks it with whatever is sent next. For a stored file that was only read: nobody notices when it is closed.
    pub fn clunk_later(mut self) {
        self.is_clunked = true;
        self.link.tell_later(&Tmessage::Clunk { fid: self.fid });
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // The number may be used at once: requests that name one fid take effect in the order they are sent.
        if !self.is_clunked {
            self.link.tell(&Tmessage::Clunk { fid: self.fid });
        }
        self.link.fids.give_back(self.fid);
    }
}
