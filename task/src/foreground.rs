//! Process groups (setpgid(2)): a task is in the group of who made it, unless it is apart, as what was started detached and the jobs
//! of an interactive shell are. What is typed at a terminal is for the whole group that has it.

use crate::{Signal, Task};
use std::sync::Arc;
use vfs::Result;

impl Task {
    /// From now on it is a group of its own, with all that it makes.
    pub fn set_apart(&self) {
        self.lineage.set_apart();
    }

    /// The others of its group that it made, directly or not.
    pub fn together(&self) -> Vec<Arc<Task>> {
        let Ok(table) = self.table() else { return Vec::new() };
        let mut all = table.after(self.id.0, usize::MAX);
        all.retain(|task| task.lineage.is_together_with(self.id));
        all
    }

    /// A signal is typed: for it and the others of its group, who hear of it first, since their maker's end is theirs.
    pub(crate) fn typed(&self, signal: i32) {
        let Some(signal) = Signal::numbered(signal) else { return };
        for other in self.together() {
            // It may have ended in the meantime, as may this one.
            let _ = other.signal(signal);
        }
        let _ = self.signal(signal);
    }

    /// Stops it and its group.
    ///
    /// # Errors
    /// It is not running.
    pub fn stop_together(&self) -> Result<()> {
        self.life.stop()?;
        for other in self.together() {
            let _stopped_or_over = other.life.stop();
        }
        Ok(())
    }

    /// Lets it and its group go on.
    ///
    /// # Errors
    /// It is not stopped.
    pub fn cont_together(&self) -> Result<()> {
        for other in self.together() {
            let _running_or_over = other.life.cont();
        }
        self.life.cont()
    }
}
