//! The user's own terminal, given to a task (`-t` of `taskfs run` and of `taskfs container`): raw while it is the task's, and as it
//! was before afterwards. A task that is stopped (^Z) gives it back, and the shell that taskfs was typed in has its job stopped.

use crate::fault::Fault;
use crate::remote::{Remote, fault};
use nine::wire::OpenFlags;
use rustix::process::kill_current_process_group;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::stdin;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Standard input as a terminal that is raw until this is dropped, be it by a panic.
pub(super) struct Terminal {
    before: Termios,
    // Caught before the terminal is raw: none of them ends this process while it is.
    window_change: Signal,
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
    hangup: Signal,
    go_on: Signal,
}

/// How long a process that stops itself may go on until it is stopped. One that nobody could let go on again is not stopped at all.
const UNTIL_STOPPED: Duration = Duration::from_millis(500);

impl Terminal {
    /// Takes standard input, which must be a terminal. Is called within tokio.
    fn take() -> Result<Terminal, Fault> {
        let before = tcgetattr(stdin())
            .map_err(|e| Fault::usage(format!("-t: standard input is not a terminal: {e}")))?;
        let of = |kind| signal(kind).map_err(|e| Fault::os(e.to_string()));
        let terminal = Terminal {
            before,
            window_change: of(SignalKind::window_change())?,
            interrupt: of(SignalKind::interrupt())?,
            quit: of(SignalKind::quit())?,
            terminate: of(SignalKind::terminate())?,
            hangup: of(SignalKind::hangup())?,
            go_on: of(SignalKind::from_raw(libc::SIGCONT))?,
        };
        terminal.make_raw()?;
        Ok(terminal)
    }

    fn make_raw(&self) -> Result<(), Fault> {
        let mut raw = self.before.clone();
        raw.make_raw();
        // At once: what was typed ahead is the program's.
        tcsetattr(stdin(), OptionalActions::Now, &raw)
            .map_err(|e| Fault::os(format!("-t: the terminal's mode: {e}")))
    }

    /// Takes it for the task in `dir`, which is told of it and, where its environment does not say, of what kind it is.
    pub(super) async fn give(remote: &Remote, dir: &str) -> Result<Terminal, Fault> {
        let env = format!("{dir}/env");
        let said = remote.read(&env).await?;
        if let Ok(term) = std::env::var("TERM")
            && !said.lines().any(|line| line.starts_with("TERM="))
        {
            // Not emptied: what else there is stays.
            let fid = remote.open(&env, OpenFlags::WRONLY).await?;
            fid.write_all(said.len() as u64, format!("TERM={term}\n").as_bytes())
                .await
                .map_err(|e| fault(&env, &e))?;
            fid.clunk().await.map_err(|e| fault(&env, &e))?;
        }
        let terminal = Terminal::take()?;
        let (rows, columns) = terminal.size();
        remote.write(&format!("{dir}/ctl"), format!("tty on {rows} {columns}\n").as_bytes()).await?;
        Ok(terminal)
    }

    /// Stops this process group, as the user's terminal does when ^Z is typed, until the user lets it go on.
    async fn suspend(&mut self) -> Result<(), Fault> {
        let _gone = tcsetattr(stdin(), OptionalActions::Now, &self.before);
        kill_current_process_group(rustix::process::Signal::TSTP)
            .map_err(|e| Fault::os(format!("-t: it cannot be stopped: {e}")))?;
        let _let_go_on = tokio::time::timeout(UNTIL_STOPPED, self.go_on.recv()).await;
        self.make_raw()
    }

    /// Rows and columns of its window.
    fn size(&self) -> (u16, u16) {
        match tcgetwinsize(stdin()) {
            Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row, size.ws_col),
            _ => (24, 80),
        }
    }

    /// Tells the task of the window's size whenever it changes, and of the signals that are not typed.
    pub(super) async fn follow(&mut self, remote: &Remote, ctl: &str) -> Result<(), Fault> {
        let mut stopped = Box::pin(remote.write(ctl, b"waitstop\n"));
        let mut is_over = false;
        loop {
            let line = tokio::select! {
                is = &mut stopped, if !is_over => {
                    is_over = is.is_err();
                    if is_over {
                        continue;
                    }
                    self.suspend().await?;
                    let (rows, columns) = self.size();
                    let line = format!("winsize {rows} {columns}\n");
                    let _ended = remote.write(ctl, line.as_bytes()).await;
                    // Somebody else may have been sooner.
                    let _goes_on = remote.write(ctl, b"cont\n").await;
                    stopped = Box::pin(remote.write(ctl, b"waitstop\n"));
                    continue;
                }
                _ = self.window_change.recv() => {
                    let (rows, columns) = self.size();
                    format!("winsize {rows} {columns}\n")
                }
                _ = self.interrupt.recv() => "kill INT\n".to_owned(),
                _ = self.quit.recv() => "kill QUIT\n".to_owned(),
                // An interactive shell lives through a TERM; who sends one wants the end.
                _ = self.terminate.recv() => "kill\n".to_owned(),
                _ = self.hangup.recv() => "kill HUP\n".to_owned(),
            };
            // It may have ended by itself.
            let _ended = remote.write(ctl, line.as_bytes()).await;
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // At once, not after the output: a terminal that is stopped must not hold the end up. One that is gone needs no mending.
        let _gone = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}
