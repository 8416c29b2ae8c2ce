//! Programs: the commands of this crate, which run in the shell's own strand, and all others, which are tasks.

use crate::commands::{Call, words};
use crate::files::closed;
use crate::jobs::deliver_together;
use crate::runner::Runner;
use crate::setting::{Child, What};
use crate::shell::{Outcome, Shell, Stop};
use task::{Exit, State};
use tokio::sync::watch;
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
        let argv = &found.words(argv);
        let call = Call { argv, env: &env, cwd: &cwd, stdio: self.stdio() };
        match found.what {
            What::Own(command) => {
                if let Some(job) = &self.job {
                    job.settle(None);
                }
                let (setting, who) = (self.setting.clone(), self.who.clone());
                let runner = Runner::new(&setting, &who, self.ignored());
                let running = runner.command(command, call);
                let status = tokio::select! {
                    status = running => Some(status),
                    () = self.interrupted() => None,
                };
                // It may have been `kill`.
                setting.process.unless_over().await;
                match status {
                    Some(status) => {
                        self.status = status;
                        Ok(())
                    }
                    None => Err(Stop::Interrupted),
                }
            }
            What::Program(place) => self.start(call, &place, "auto", &shown, last).await,
            What::Script(place) => self.start(call, &place, "sh", &shown, last).await,
        }
    }

    async fn start(&mut self, call: Call<'_>, place: &Place, kind: &str, shown: &str, last: bool) -> Outcome {
        let setting = self.setting.clone();
        let child = match setting.start(call, place, kind, self.ignored()).await {
            Ok(child) => child,
            Err(error) => return self.not_run(shown, &error).await,
        };
        if last {
            self.fds.clear();
        }
        // The terminal's signals come to a job through its shell, and to what runs in the background not at all.
        if self.interactive || self.job.is_some() {
            child.task.set_apart();
        }
        if let Some(job) = &self.job {
            job.add_task(&child.task);
            job.settle(Some(child.task.id.0));
        }
        self.await_child(child, shown).await
    }

    /// Waits for a program. In an interactive shell the terminal's signals are handed on to it; one that is stopped becomes a
    /// job.
    async fn await_child(&mut self, child: Child, shown: &str) -> Outcome {
        let mut state = child.task.life.watch();
        let exit = loop {
            let process = self.process().clone();
            let signal = tokio::select! {
                exit = child.ended() => break exit,
                signal = process.signals.came(), if self.interactive => signal,
                // By itself, or by somebody else.
                () = is_stopped(&mut state), if self.interactive => return self.suspend(child, shown).await,
            };
            process.signals.forget(signal);
            if signal == libc::SIGTSTP && child.task.stop_together().is_ok() {
                return self.suspend(child, shown).await;
            }
            deliver_together(&child.task, signal);
        };
        self.status = exit.code as u8;
        if let (Some(text), None) = (end_of(&exit), &self.job) {
            match text.strip_prefix("killed by SIG") {
                Some(signal) => self.tell(format!("{}\n", signal_words(signal)).as_bytes()).await,
                None => self.say(format!("{shown}: {text}")).await,
            }
        }
        Ok(())
    }

    /// A program that was stopped: it goes on with `fg` or `bg`.
    async fn suspend(&mut self, child: Child, shown: &str) -> Outcome {
        let job = self.jobs.add(shown.as_bytes().to_vec());
        job.add_task(&child.task);
        job.settle(Some(child.task.id.0));
        job.set_stopped();
        self.tell(format!("[{}] + Stopped {shown}\n", job.number).as_bytes()).await;
        let its = job.clone();
        let life = async move {
            let exit = child.ended().await;
            its.finish(exit.code as u8);
        };
        if self.process().spawn(life).is_err() {
            return Err(self.fail("Cannot fork").await);
        }
        self.last_job = Some(job);
        self.status = 128 + libc::SIGTSTP as u8;
        Ok(())
    }

    /// The terminal's interrupt, in an interactive shell.
    pub async fn interrupted(&self) {
        if !self.interactive {
            return std::future::pending().await;
        }
        let signals = &self.process().signals;
        while signals.came().await != libc::SIGINT {
            // What a command within the shell cannot do with another signal is left for later.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        signals.forget(libc::SIGINT);
    }

    /// Says why a program was not run: 127 where there is none, 126 where it cannot be.
    async fn not_run(&mut self, shown: &str, error: &Error) -> Outcome {
        if let Some(job) = &self.job {
            job.settle(None);
        }
        let (status, why) = match error.errno() {
            Errno::ENOENT | Errno::ENOTDIR => (127, format!("not found{}", instead(shown))),
            Errno::EACCES if error.text().contains("capability") => (126, error.text().to_owned()),
            _ => (126, words(error)),
        };
        self.say(format!("{shown}: {why}")).await;
        self.status = status;
        Ok(())
    }
}

/// What to say of a program that scripts expect everywhere, and that is nowhere here.
fn instead(name: &str) -> &'static str {
    match name {
        "awk" | "gawk" | "mawk" | "nawk" => ": there is no awk here (sed, cut, sort and node -e are)",
        _ => "",
    }
}

/// Done when a task is stopped.
async fn is_stopped(state: &mut watch::Receiver<State>) {
    if state.wait_for(|state| *state == State::Stopped).await.is_err() {
        // It has gone, and its end says so.
        std::future::pending::<()>().await;
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
