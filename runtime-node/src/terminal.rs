//! The terminal that a program is at: the control tree's `tty`. A program that makes it raw leaves it as it was, when it is
//! stopped and when it ends, however that comes about.

use crate::link::Link;
use parking_lot::Mutex;
use std::convert::Infallible;
use task::Signal;
use vfs::{Errno, Error, FileRef, Result, Terminal, TerminalMode};

/// As Node's `setRawMode` has it: what is typed is read as it comes, but a line's end in the output stays one.
const RAW: TerminalMode = TerminalMode { cooked: false, echo: false, post: true };

/// The first of a task's stdio that is a terminal.
pub(crate) struct Screen {
    file: FileRef,
    modes: Mutex<Modes>,
}

#[derive(Default)]
struct Modes {
    /// How it was before the program changed it.
    found: Option<TerminalMode>,
    /// How the program had it when it was stopped.
    left: Option<TerminalMode>,
}

impl Screen {
    pub fn of(stdio: &[FileRef; 3]) -> Option<Screen> {
        let file = stdio.iter().find(|file| file.terminal().is_some())?.clone();
        Some(Screen { file, modes: Mutex::default() })
    }

    fn terminal(&self) -> Option<&dyn Terminal> {
        self.file.terminal()
    }

    /// `raw` or `cooked`.
    pub fn command(&self, words: &[u8]) -> Result<()> {
        let terminal = self.terminal().ok_or(Errno::ENOTTY)?;
        let mut modes = self.modes.lock();
        match words.trim_ascii() {
            b"raw" => {
                modes.found.get_or_insert_with(|| terminal.mode());
                terminal.set_mode(RAW);
            }
            b"cooked" => terminal.set_mode(modes.found.take().unwrap_or_default()),
            _ => return Err(Error::new(Errno::EINVAL, "tty: want raw or cooked")),
        }
        Ok(())
    }

    /// `rows columns raw|cooked`, a line.
    pub fn describe(&self) -> String {
        let Some(terminal) = self.terminal() else { return String::new() };
        let (rows, columns) = terminal.window();
        let mode = if terminal.mode().cooked { "cooked" } else { "raw" };
        format!("{rows} {columns} {mode}\n")
    }

    /// The program does not run any more, for now or for ever.
    pub fn leave(&self) {
        let mut modes = self.modes.lock();
        if let (Some(found), Some(terminal)) = (modes.found, self.terminal())
            && modes.left.is_none()
        {
            modes.left = Some(terminal.mode());
            terminal.set_mode(found);
        }
    }

    /// It runs again.
    pub fn come_back(&self) {
        let mut modes = self.modes.lock();
        if let (Some(left), Some(terminal)) = (modes.left.take(), self.terminal()) {
            terminal.set_mode(left);
        }
    }
}

/// Tells a program that is at another task's terminal of every change of its window, for ever: whose terminal it is, is told by
/// that.
pub(crate) async fn follow(link: &Link) -> Infallible {
    let given = link.task().await;
    let owner = given.tasks.upgrade().and_then(|tasks| tasks.get(given.id));
    if let Some(terminal) = given.screen.as_ref().and_then(Screen::terminal)
        && owner.is_some_and(|task| !task.tty.is_on())
    {
        let mut window = terminal.window();
        while let Ok(other) = terminal.window_other_than(window).await {
            window = other;
            link.signal(Signal::WINCH);
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use vfs::{MemTree, NodeRef, Op, OpenFile, Window};

    /// A terminal without anybody at it.
    struct Toy {
        node: NodeRef,
        mode: Mutex<TerminalMode>,
    }

    impl OpenFile for Toy {
        fn node(&self) -> &NodeRef {
            &self.node
        }
        fn terminal(&self) -> Option<&dyn Terminal> {
            Some(self)
        }
    }

    impl Terminal for Toy {
        fn mode(&self) -> TerminalMode {
            *self.mode.lock()
        }
        fn set_mode(&self, mode: TerminalMode) {
            *self.mode.lock() = mode;
        }
        fn window(&self) -> Window {
            (24, 80)
        }
        fn window_other_than(&self, _known: Window) -> Op<'_, Window> {
            Op::later(std::future::pending())
        }
    }

    fn screen() -> Screen {
        let toy = || Arc::new(Toy { node: MemTree::new().root(), mode: Mutex::default() }) as FileRef;
        Screen::of(&[toy(), toy(), toy()]).expect("a terminal")
    }

    fn is_cooked(screen: &Screen) -> bool {
        screen.terminal().expect("a terminal").mode() == TerminalMode::default()
    }

    #[test]
    fn a_terminal_that_was_made_raw_is_as_it_was_when_the_program_stops_or_ends() {
        let screen = screen();
        screen.command(b"raw\n").expect("a command");
        assert_eq!(screen.describe(), "24 80 raw\n");
        screen.leave();
        assert!(is_cooked(&screen));
        screen.come_back();
        assert!(!is_cooked(&screen));
        screen.leave();
        screen.leave();
        assert!(is_cooked(&screen));
    }

    #[test]
    fn a_program_that_has_left_it_as_it_was_changes_nothing_when_it_ends() {
        let screen = screen();
        screen.command(b"raw").expect("a command");
        screen.command(b"cooked").expect("a command");
        screen.terminal().expect("a terminal").set_mode(RAW);
        screen.leave();
        assert!(!is_cooked(&screen), "what another made of it is another's");
        assert!(screen.command(b"sane").is_err());
    }
}
