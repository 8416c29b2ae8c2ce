//! Processes of a container: tasks that are made from its template.

use crate::{Container, State};
use std::sync::Arc;
use task::{Signal, Task, Template, rc};
use vfs::{Caller, Errno, Error, Result};

impl Container {
    /// A new process, to be set up and started like any task.
    pub fn make_process(&self, who: &Caller) -> Result<Arc<Task>> {
        self.must_be_there()?;
        self.reachable_by(who)?;
        if self.state() == State::Exited {
            let text = format!("new: container {} was killed: start it first", self.id);
            return Err(Error::new(Errno::EBUSY, text));
        }
        self.boot();
        let tasks = self.table()?.tasks().clone();
        let template = Template {
            group: Some(self.group.clone()),
            ns: self.inside().fork(),
            spec: self.settings().spec,
            limits: tasks.default_limits(),
            caps: self.caps(),
        };
        let task = tasks.make_with(self.identity(), template)?;
        if self.was_destroyed() {
            // It was not seen by whoever put the others away.
            let _ = tasks.remove(task.id);
            self.must_be_there()?;
        }
        Ok(task)
    }

    /// Makes a process of a command line and starts it. One word that is more than a name is a line for the shell.
    pub async fn spawn(&self, who: &Caller, words: &[String]) -> Result<Arc<Task>> {
        let line = match words {
            [line] if !is_name(line) => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
            words => words.to_vec(),
        };
        let task = self.make_process(who)?;
        let started = async {
            task.set_cmd(&rc::join(&line))?;
            task.start(self.identity()).await
        };
        if let Err(error) = started.await {
            let _ = self.table()?.tasks().remove(task.id);
            return Err(error);
        }
        Ok(task)
    }
}

impl Container {
    /// Sends every process a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.must_be_there()?;
        let mut running = self.group.alive();
        running.retain(|task| task.life.running().is_some());
        if running.is_empty() {
            let text = format!("kill: nothing runs in container {}", self.id);
            return Err(Error::new(Errno::EBUSY, text));
        }
        for task in running {
            // It may have ended meanwhile.
            let _ = task.signal(signal);
        }
        Ok(())
    }
}

/// A program's name or path, and nothing that a shell would make more of.
fn is_name(word: &str) -> bool {
    !word.contains(|c: char| c.is_whitespace() || "|&;<>()$`\\\"'*?[#~=%{}!".contains(c))
}
