//! Programs: the commands of this crate, which run in the shell's own strand, and all others, which are tasks.

use crate::commands::{Call, words};
use crate::files::closed;
use crate::runner::Runner;
use crate::setting::{Child, Found};
use crate::shell::{Outcome, Shell};
use task::Exit;
use vfs::{Errno, Error, FileRef, Place};

impl Shell {
    /// stdin, stdout and stderr as a program gets them.
    fn stdio(&self) -> [FileRef; 3] {
        [0, 1, 2].map(|fd| match self.fds.get(fd) {
            Some(file) => file.clone() as FileRef,
            None => closed(),
        })
    }

    /// Runs a program and waits for it. `last` is whether the shell has nothing left to do: then it lets go of its files.
    pub async fn program(&mut self, argv: &[Vec<u8>], last: bool) -> Outcome {
        let Some(name) = argv.first() else { return Ok(()) };
        let (path, cwd) = (self.path(), self.cwd.clone());
        let shown = String::from_utf8_lossy(name).into_owned();
        let found = match self.setting.find(name, &path, &cwd).await {
            Ok(found) => found,
            Err(error) => return self.not_run(&shown, &error).await,
        };
        let env = self.vars.environment();
        let call = Call { argv, env: &env, cwd: &cwd, stdio: self.stdio() };
        match found {
            Found::Own(command) => {
                if let Some(job) = &self.job {
                    job.settle(None);
                }
                let (setting, who) = (self.setting.clone(), self.who.clone());
                self.status = Runner::new(&setting, &who).command(command, call).await;
                Ok(())
            }
            Found::Program(place) => self.start(call, &place, "auto", &shown, last).await,
            Found::Script(place) => self.start(call, &place, "sh", &shown, last).await,
        }
    }

    async fn start(&mut self, call: Call<'_>, place: &Place, kind: &str, shown: &str, last: bool) -> Outcome {
        let setting = self.setting.clone();
        let child = match setting.start(call, place, kind).await {
            Ok(child) => child,
            Err(error) => return self.not_run(shown, &error).await,
        };
        if last {
            self.fds.clear();
        }
        if let Some(job) = &self.job {
            job.add_task(&child.task);
            job.settle(Some(child.task.id.0));
        }
        self.await_child(&child, shown).await;
        Ok(())
    }

    async fn await_child(&mut self, child: &Child, shown: &str) {
        let exit = child.ended().await;
        self.status = exit.code as u8;
        if let Some(text) = end_of(&exit) {
            match text.strip_prefix("killed by SIG") {
                Some(signal) => self.tell(format!("{}\n", signal_words(signal)).as_bytes()).await,
                None => self.say(format!("{shown}: {text}")).await,
            }
        }
    }

    /// Says why a program was not run: 127 where there is none, 126 where it cannot be.
    async fn not_run(&mut self, shown: &str, error: &Error) -> Outcome {
        if let Some(job) = &self.job {
            job.settle(None);
        }
        let (status, why) = match error.errno() {
            Errno::ENOENT | Errno::ENOTDIR => (127, "not found".to_owned()),
            Errno::EACCES if error.text().contains("capability") => (126, error.text().to_owned()),
            _ => (126, words(error)),
        };
        self.say(format!("{shown}: {why}")).await;
        self.status = status;
        Ok(())
    }
}

/// What is to be said of a program's end, where it did not end by itself.
fn end_of(exit: &Exit) -> Option<&str> {
    let silent = exit.message.is_empty()
        || exit.message == format!("exit status {}", exit.code)
        || matches!(exit.message.as_str(), "killed by SIGINT" | "killed by SIGPIPE");
    (!silent).then_some(exit.message.as_str())
}

/// strsignal(3).
fn signal_words(name: &str) -> &str {
    match name {
        "HUP" => "Hangup",
        "QUIT" => "Quit",
        "ABRT" => "Aborted",
        "KILL" => "Killed",
        "USR1" => "User defined signal 1",
        "USR2" => "User defined signal 2",
        "ALRM" => "Alarm clock",
        "TERM" => "Terminated",
        other => other,
    }
}
