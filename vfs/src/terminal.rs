//! What an open file that is a terminal can be asked beside what every file can (termios(3), ioctl_tty(2)). Who makes a terminal
//! of a file, and what its modes do to the bytes, is left to the tree that serves it.

use crate::Op;

/// Rows and columns.
pub type Window = (u16, u16);

/// How a terminal is set (termios(3): ICANON and ISIG, ECHO, OPOST).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TerminalMode {
    /// Lines are gathered, and signals are typed; else every byte is read as it comes.
    pub cooked: bool,
    pub echo: bool,
    /// A line's end in what is written goes to the left edge as well.
    pub post: bool,
}

impl Default for TerminalMode {
    fn default() -> TerminalMode {
        TerminalMode { cooked: true, echo: true, post: true }
    }
}

pub trait Terminal: Send + Sync {
    fn mode(&self) -> TerminalMode;
    fn set_mode(&self, mode: TerminalMode);
    fn window(&self) -> Window;
    /// Done when the window's size is another than `known`.
    fn window_other_than(&self, known: Window) -> Op<'_, Window>;
}
