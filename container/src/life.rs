//! The life of a container.
//!
//! ```text
//!                        stop
//!   new ──start──► running ◄────► stopped       all processes are frozen
//!    │  (spawn)      │ ▲    cont     │
//!    │               │ └─start─ exited ◄── kill, a limit          every process is killed; the files stay
//!    └──── destroy ──┴──────────┴────┴──► destroyed               the files go too, with whoever has one open last
//! ```

use crate::Container;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use task::Exit;
use task::group::Hold;
use tokio::task::JoinHandle;
use vfs::{Errno, Error, Result};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    New,
    Running,
    Stopped,
    Exited,
    Destroyed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::New => "new",
            State::Running => "running",
            State::Stopped => "stopped",
            State::Exited => "exited",
            State::Destroyed => "destroyed",
        })
    }
}

/// Between two looks at tasks that are on their way to their end.
const SOON: Duration = Duration::from_millis(5);

impl Container {
    pub fn state(&self) -> State {
        if self.was_destroyed() {
            return State::Destroyed;
        }
        match self.group.hold() {
            Hold::Shut => State::Exited,
            Hold::Frozen => State::Stopped,
            Hold::Open if self.booted.load(Ordering::SeqCst) => State::Running,
            Hold::Open => State::New,
        }
    }

    fn unfit(&self, verb: &str) -> Error {
        Error::new(Errno::EBUSY, format!("{verb}: container {} is {}", self.id, self.state()))
    }

    /// Lets processes run, also after a kill.
    pub fn start(&self) -> Result<()> {
        self.must_be_there()?;
        match self.state() {
            State::New => {}
            State::Exited => {
                self.booted.store(true, Ordering::SeqCst);
                self.group.forgive();
                self.group.reopen();
            }
            State::Running | State::Stopped | State::Destroyed => return Err(self.unfit("start")),
        }
        self.boot();
        Ok(())
    }
    /// The first process starts it.
    pub(crate) fn boot(&self) {
        if !self.booted.swap(true, Ordering::SeqCst) {
            self.say_life(&["running"]);
        }
    }

    /// Freezes every process; those that are made meanwhile cannot start.
    pub fn stop(&self) -> Result<()> {
        self.must_be_there()?;
        if self.state() != State::Running || !self.group.freeze() {
            return Err(self.unfit("stop"));
        }
        Ok(())
    }
    pub fn cont(&self) -> Result<()> {
        self.must_be_there()?;
        if !self.group.thaw() {
            return Err(self.unfit("cont"));
        }
        Ok(())
    }

    /// Kills every process; done is ended. Files stay as they are.
    pub async fn kill(&self) -> Result<()> {
        self.must_be_there()?;
        if !matches!(self.state(), State::Running | State::Stopped) {
            return Err(self.unfit("kill"));
        }
        self.group.shut(&Exit::killed(128 + 9, "killed with its container"));
        self.group.quiet().await;
        Ok(())
    }

    /// Ends it: every process is killed, its names lead nowhere, its files go. What somebody has open stays good until he
    /// closes it. Done is gone.
    pub async fn destroy(self: &Arc<Container>) -> Result<()> {
        match self.go()? {
            Some(ended) => ended.await.map_err(|_| Error::new(Errno::EIO, "destroy: the server stops")),
            None => self.must_be_there(),
        }
    }

    /// Begins to end it; none where somebody else has.
    fn go(self: &Arc<Container>) -> Result<Option<JoinHandle<()>>> {
        let table = self.table()?;
        if !table.forget(self.id) {
            return Ok(None);
        }
        self.destroyed.store(true, Ordering::SeqCst);
        self.leave(&table);
        self.group.shut(&Exit::killed(128 + 9, "killed: its container was destroyed"));
        // Whoever asked may go away: what was begun is done.
        let (container, handle) = (self.clone(), table.config.handle.clone());
        Ok(Some(handle.spawn(async move { container.put_away().await })))
    }

    pub(crate) fn set_destroy_on_close(&self) {
        self.destroy_on_close.store(true, Ordering::SeqCst);
    }
    pub fn ctl_opened(&self) {
        self.ctl_files.fetch_add(1, Ordering::SeqCst);
    }
    /// The last close of ctl destroys a container with destroyonclose.
    pub fn ctl_closed(self: &Arc<Container>) {
        let last = self.ctl_files.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.destroy_on_close.load(Ordering::SeqCst) {
            // It may be gone already, or the server.
            let _gone = self.go();
        }
    }

    async fn put_away(&self) {
        let Ok(table) = self.table() else { return };
        self.answers().clear();
        loop {
            self.group.quiet().await;
            // One that is starting is cancelled, and then new.
            let left = self.group.tasks();
            let removed = left.iter().filter(|task| table.tasks().remove(task.id).is_ok()).count();
            if removed == left.len() {
                break;
            }
            self.group.shut(&Exit::killed(128 + 9, "killed: its container was destroyed"));
            tokio::time::sleep(SOON).await;
        }
        self.say_life(&["destroyed"]);
        self.group.events().close();
    }
}
