//! What is kept an eye on while a worker's files are served: how many its program has open, and, where somebody reads its task's
//! trace, each of its calls.

use crate::link::Link;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use task::{OpenFiles, Trace};
use vfs::export::Overseer;
use vfs::{Errno, Result};

/// The files that a program has open, and how many they may be.
#[derive(Debug)]
pub(crate) struct Files {
    open: AtomicU64,
    most: AtomicU64,
}

impl Default for Files {
    fn default() -> Files {
        Files { open: AtomicU64::new(0), most: AtomicU64::new(u64::MAX) }
    }
}

impl Files {
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
    pub fn set_limit(&self, files: Option<u32>) {
        self.most.store(files.map_or(u64::MAX, u64::from), Ordering::Relaxed);
    }
    fn close(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
    fn add(&self) -> Result<()> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.most.load(Ordering::Relaxed) {
            self.close();
            return Errno::EMFILE.into();
        }
        Ok(())
    }
}

/// The overseer of one worker.
pub(crate) struct Overseen {
    pub link: Arc<Link>,
    pub trace: Trace,
    /// Those of its container.
    pub together: OpenFiles,
}

impl Overseer for Overseen {
    fn opening(&self) -> Result<()> {
        self.link.files.add()?;
        self.together.opening().inspect_err(|_| self.link.files.close())
    }
    fn closed(&self) {
        self.together.closed();
        self.link.files.close();
    }
    fn is_traced(&self) -> bool {
        self.trace.is_on()
    }
    fn say(&self, line: fmt::Arguments<'_>) {
        self.trace.say(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_files_are_open_than_may_be() {
        let link = Arc::new(Link::new(1, Arc::default()));
        let overseen =
            Overseen { link: link.clone(), trace: Trace::default(), together: OpenFiles::default() };
        link.files.set_limit(Some(2));
        assert!(overseen.opening().is_ok() && overseen.opening().is_ok());
        assert!(overseen.opening().is_err_and(|error| error.is(Errno::EMFILE)));
        overseen.closed();
        assert!(overseen.opening().is_ok());
        assert_eq!(link.files.open(), 2);
    }
}
