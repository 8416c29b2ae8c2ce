//! `tty` and `winsize`: the task's terminal.

use super::{Command, Verb, Wrong};
use crate::Task;
use std::sync::Arc;
use vfs::{Caller, Op, Terminal, TerminalMode, Window};

pub(super) const TTY: Verb = Verb {
    name: "tty",
    takes: "on [rows columns]|off|cooked|raw|echo|noecho",
    does: "make stdio/0, 1 and 2 one terminal; set how it takes what is typed",
    parse: |words| match words {
        ["on"] => Ok(Box::new(Tty::On(None))),
        ["on", rows, columns] => Ok(Box::new(Tty::On(Some(window(rows, columns)?)))),
        ["off"] => Ok(Box::new(Tty::Off)),
        ["cooked"] => Ok(Box::new(Tty::Mode(|mode| TerminalMode { cooked: true, post: true, ..mode }))),
        ["raw"] => Ok(Box::new(Tty::Mode(|_| TerminalMode { cooked: false, echo: false, post: false }))),
        ["echo"] => Ok(Box::new(Tty::Mode(|mode| TerminalMode { echo: true, ..mode }))),
        ["noecho"] => Ok(Box::new(Tty::Mode(|mode| TerminalMode { echo: false, ..mode }))),
        _ => Err(Wrong::Arguments),
    },
};

pub(super) const WINSIZE: Verb = Verb {
    name: "winsize",
    takes: "rows columns",
    does: "the size of the terminal's window",
    parse: |words| match words {
        [rows, columns] => Ok(Box::new(WinSize(window(rows, columns)?))),
        _ => Err(Wrong::Arguments),
    },
};

fn window(rows: &str, columns: &str) -> Result<Window, Wrong> {
    match (rows.parse(), columns.parse()) {
        (Ok(rows), Ok(columns)) => Ok((rows, columns)),
        _ => Err(Wrong::Arguments),
    }
}

enum Tty {
    On(Option<Window>),
    Off,
    Mode(fn(TerminalMode) -> TerminalMode),
}

impl Command<Task> for Tty {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        match self {
            Tty::On(window) => {
                if let Err(error) = task.life.must_be_new("tty") {
                    return Op::err(error);
                }
                task.tty.turn(true);
                if let Some(window) = window {
                    task.set_window(*window);
                }
            }
            Tty::Off => {
                if let Err(error) = task.life.must_be_new("tty") {
                    return Op::err(error);
                }
                task.tty.turn(false);
            }
            Tty::Mode(change) => task.set_mode(change(task.mode())),
        }
        Op::ok(())
    }
}

struct WinSize(Window);

impl Command<Task> for WinSize {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        task.set_window(self.0);
        Op::ok(())
    }
}
