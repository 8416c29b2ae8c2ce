//! A task's terminal: stdio/0, 1 and 2 as one, with a line discipline between who types and who reads.
//!
//! `tty on` of ctl makes it, before the task is started. What is written to stdio/0 is typed; what is read of stdio/1 is shown:
//! the echo, and all output. Who shows it (taskfs run -t) sets the window's size; who runs sets the mode.

mod discipline;

use crate::Task;
use discipline::{Discipline, shown};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;
use vfs::{Op, Result, Terminal, TerminalMode, Window};

#[derive(Default)]
pub struct Tty {
    on: AtomicBool,
    state: Mutex<State>,
    resized: Notify,
}

struct State {
    discipline: Discipline,
    window: Window,
}

impl Default for State {
    fn default() -> State {
        State { discipline: Discipline::default(), window: (24, 80) }
    }
}

impl Tty {
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }
    pub fn turn(&self, on: bool) {
        self.on.store(on, Ordering::Release);
    }
    /// Output as it goes to the terminal.
    pub fn output(&self, data: &[u8]) -> Vec<u8> {
        if self.state.lock().discipline.mode.post { shown(data) } else { data.to_vec() }
    }
}

impl Task {
    /// Sets the window's size; the program is told by SIGWINCH where it is another.
    pub fn set_window(&self, window: Window) {
        let before = std::mem::replace(&mut self.tty.state.lock().window, window);
        if before == window {
            return;
        }
        self.tty.resized.notify_waiters();
        if let Some(running) = self.life.running() {
            running.signal(libc::SIGWINCH);
        }
    }

    /// Bytes are typed. What nobody reads in time is lost, as at any terminal.
    pub(crate) fn type_in(&self, bytes: &[u8]) -> Op<'static, usize> {
        let typed = self.tty.state.lock().discipline.type_in(bytes);
        if !typed.echo.is_empty() {
            let echo = self.tty.output(&typed.echo);
            // An echo that finds no room is not waited for.
            let _shown: Option<Result<usize>> = self.stdio.stdout.append(&echo, true).now();
        }
        for part in &typed.parts {
            if part.is_empty() {
                self.stdio.stdin.end_once();
            } else {
                self.stdio.stdin.put(part);
            }
        }
        for signal in typed.signals {
            self.typed(signal);
        }
        Op::ok(bytes.len())
    }
}

impl Terminal for Task {
    fn mode(&self) -> TerminalMode {
        self.tty.state.lock().discipline.mode
    }
    fn set_mode(&self, mode: TerminalMode) {
        let rest = self.tty.state.lock().discipline.set(mode);
        if let Some(rest) = rest {
            self.stdio.stdin.put(&rest);
        }
    }
    fn window(&self) -> Window {
        self.tty.state.lock().window
    }
    fn window_other_than(&self, known: Window) -> Op<'_, Window> {
        let other = move || Some(self.window()).filter(|window| *window != known);
        match other() {
            Some(window) => Op::ok(window),
            None => Op::later(async move {
                loop {
                    let resized = self.tty.resized.notified();
                    tokio::pin!(resized);
                    resized.as_mut().enable();
                    if let Some(window) = other() {
                        return Ok(window);
                    }
                    resized.await;
                }
            }),
        }
    }
}
