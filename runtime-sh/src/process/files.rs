//! The files that a shell's redirections hold open, counted against its limit and its container's. A descriptor that is a copy of
//! another, and what a small command opens while it reads it, count nothing.

use super::Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use task::OpenFiles;
use vfs::{Errno, Error, Result};

#[derive(Default)]
pub(super) struct Files {
    open: AtomicU64,
    together: OpenFiles,
}

impl Files {
    pub fn new(together: OpenFiles) -> Files {
        Files { open: AtomicU64::new(0), together }
    }
}

/// One open file, until it is dropped.
pub(crate) struct Counted(Arc<Process>);

/// Standard input, output and error.
const STDIO: u64 = 3;

impl Process {
    /// Counts one more open file; EMFILE where there are as many as may be.
    pub(crate) fn opening(self: &Arc<Process>) -> Result<Counted> {
        let most = self.limits().files.map_or(u64::MAX, u64::from);
        let open = self.files.open.fetch_add(1, Ordering::Relaxed) + STDIO;
        let room = if open < most {
            self.files.together.opening()
        } else {
            Err(Error::new(Errno::EMFILE, format!("files limit {most} reached")))
        };
        if let Err(error) = room {
            self.files.open.fetch_sub(1, Ordering::Relaxed);
            return Err(error);
        }
        self.usage.files.store(open + 1, Ordering::Relaxed);
        Ok(Counted(self.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let process = &self.0;
        let open = process.files.open.fetch_sub(1, Ordering::Relaxed) - 1 + STDIO;
        process.usage.files.store(open, Ordering::Relaxed);
        process.files.together.closed();
    }
}
