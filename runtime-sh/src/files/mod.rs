//! A shell's open files: descriptors 0 to 9, pipes, and the text that a command substitution gathers.

mod closed;
mod description;
mod gather;
mod pipe;

pub(crate) use closed::closed;
pub(crate) use description::Description;
pub(crate) use gather::gather;
pub(crate) use pipe::pipe;

use std::collections::BTreeMap;
use std::sync::Arc;

/// Open files by their numbers. A copy shares what is open.
#[derive(Clone, Default)]
pub(crate) struct Descriptors(BTreeMap<u32, Arc<Description>>);

impl Descriptors {
    pub fn get(&self, fd: u32) -> Option<&Arc<Description>> {
        self.0.get(&fd)
    }
    /// Puts an open file there, or none; what was there comes back.
    pub fn set(&mut self, fd: u32, file: Option<Arc<Description>>) -> Option<Arc<Description>> {
        match file {
            Some(file) => self.0.insert(fd, file),
            None => self.0.remove(&fd),
        }
    }
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
