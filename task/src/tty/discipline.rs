//! A terminal's line discipline (termios(3)): what becomes of the bytes that somebody types.
//!
//! ```text
//! typed ──► signals (^C ^\ ^Z)      ──► the task
//!       ──► a line: erase ^H ^?, kill ^U, word ^W, end ^D, again ^R ──► read when its end is typed; raw: at once
//!       ──► echo                    ──► the output
//! ```

use vfs::TerminalMode;

/// The longest line that is gathered (MAX_CANON).
const LONGEST: usize = 4096;

/// What came of typing.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Typed {
    /// What is read, in parts: each is a line, or the end of the input where it is empty.
    pub parts: Vec<Vec<u8>>,
    pub echo: Vec<u8>,
    pub signals: Vec<i32>,
}

/// The state between bytes.
#[derive(Default)]
pub struct Discipline {
    pub mode: TerminalMode,
    line: Vec<u8>,
    /// The next byte is taken as it is (^V).
    literal: bool,
}

const INTERRUPT: u8 = 3;
const END: u8 = 4;
const AGAIN: u8 = 18;
const KILL: u8 = 21;
const LITERAL: u8 = 22;
const WORD: u8 = 23;
const SUSPEND: u8 = 26;
const QUIT: u8 = 28;

impl Discipline {
    /// Sets how it works; what was typed of a line can be read once lines are not gathered any more.
    pub fn set(&mut self, mode: TerminalMode) -> Option<Vec<u8>> {
        self.mode = mode;
        (!mode.cooked && !self.line.is_empty()).then(|| std::mem::take(&mut self.line))
    }

    pub fn type_in(&mut self, bytes: &[u8]) -> Typed {
        let mut typed = Typed::default();
        if !self.mode.cooked {
            if self.mode.echo {
                bytes.iter().for_each(|byte| show(*byte, &mut typed.echo));
            }
            if !bytes.is_empty() {
                typed.parts.push(bytes.to_vec());
            }
            return typed;
        }
        for byte in bytes {
            self.one(*byte, &mut typed);
        }
        typed
    }

    fn one(&mut self, byte: u8, typed: &mut Typed) {
        if std::mem::take(&mut self.literal) {
            return self.keep(byte, typed);
        }
        match byte {
            INTERRUPT => self.signal(libc::SIGINT, byte, typed),
            QUIT => self.signal(libc::SIGQUIT, byte, typed),
            SUSPEND => self.signal(libc::SIGTSTP, byte, typed),
            LITERAL => self.literal = true,
            END => typed.parts.push(std::mem::take(&mut self.line)),
            b'\r' | b'\n' => {
                self.line.push(b'\n');
                typed.parts.push(std::mem::take(&mut self.line));
                if self.mode.echo {
                    typed.echo.push(b'\n');
                }
            }
            8 | 127 => self.erase(typed),
            KILL => {
                while !self.line.is_empty() {
                    self.erase(typed);
                }
            }
            WORD => {
                let blank = |line: &[u8]| line.last().is_some_and(|b| matches!(b, b' ' | b'\t'));
                while blank(&self.line) {
                    self.erase(typed);
                }
                while !self.line.is_empty() && !blank(&self.line) {
                    self.erase(typed);
                }
            }
            AGAIN if self.mode.echo => {
                typed.echo.extend_from_slice(b"^R\n");
                self.line.iter().for_each(|byte| show(*byte, &mut typed.echo));
            }
            _ => self.keep(byte, typed),
        }
    }

    fn keep(&mut self, byte: u8, typed: &mut Typed) {
        if self.line.len() + 1 >= LONGEST {
            // As Linux does it: what is too long is lost, with a bell.
            if self.mode.echo {
                typed.echo.push(7);
            }
            return;
        }
        self.line.push(byte);
        if self.mode.echo {
            show(byte, &mut typed.echo);
        }
    }

    fn signal(&mut self, signal: i32, byte: u8, typed: &mut Typed) {
        self.line.clear();
        typed.signals.push(signal);
        if self.mode.echo {
            show(byte, &mut typed.echo);
            typed.echo.push(b'\n');
        }
    }

    /// Takes the last character back: all bytes of it.
    fn erase(&mut self, typed: &mut Typed) {
        let Some(mut last) = self.line.pop() else { return };
        let width = if last < 32 || last == 127 { 2 } else { 1 };
        while last & 0xc0 == 0x80
            && let Some(byte) = self.line.pop()
        {
            last = byte;
        }
        if self.mode.echo {
            typed.echo.extend_from_slice(&b"\x08 \x08".repeat(width));
        }
    }
}

/// A byte as it is echoed: control characters as `^X`.
fn show(byte: u8, echo: &mut Vec<u8>) {
    match byte {
        b'\n' | b'\t' | 7 => echo.push(byte),
        0..32 => echo.extend_from_slice(&[b'^', byte + 64]),
        127 => echo.extend_from_slice(b"^?"),
        _ => echo.push(byte),
    }
}

/// Output as it goes to the terminal (OPOST, ONLCR).
pub fn shown(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 16);
    for byte in data {
        if *byte == b'\n' {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &[u8]) -> Typed {
        Discipline::default().type_in(text)
    }

    #[test]
    fn a_line_is_read_when_it_is_whole_and_can_be_mended_until_then() {
        assert_eq!(typed(b"ab").parts, Vec::<Vec<u8>>::new());
        assert_eq!(typed(b"ab\r").parts, [b"ab\n"]);
        assert_eq!(typed(b"abx\x7fc\n").parts, [b"abc\n"]);
        assert_eq!(typed(b"gone\x15here\n").parts, [b"here\n"]);
        assert_eq!(typed(b"one two  \x17three\n").parts, [b"one three\n"]);
        assert_eq!(typed("aé\x7fb\n".as_bytes()).parts, [b"ab\n"]);
        assert_eq!(typed(b"a\x16\x03b\n").parts, [b"a\x03b\n"]);
    }

    #[test]
    fn the_end_is_typed_where_nothing_is_and_else_sends_what_there_is() {
        assert_eq!(typed(b"\x04").parts, [b""]);
        assert_eq!(typed(b"ab\x04").parts, [b"ab"]);
    }

    #[test]
    fn signals_are_typed_and_take_the_line_with_them() {
        let came = typed(b"half\x03whole\n");
        assert_eq!((came.signals, came.parts), (vec![libc::SIGINT], vec![b"whole\n".to_vec()]));
        assert_eq!(typed(b"\x1c\x1a").signals, [libc::SIGQUIT, libc::SIGTSTP]);
    }

    #[test]
    fn what_is_typed_is_echoed_as_a_terminal_does() {
        assert_eq!(typed(b"a\x01\x7f\r").echo, b"a^A\x08 \x08\x08 \x08\n");
        assert_eq!(typed(b"\x03").echo, b"^C\n");
        assert_eq!(shown(b"a\nb"), b"a\r\nb");
    }

    #[test]
    fn raw_is_as_it_comes() {
        let mut discipline = Discipline::default();
        discipline.type_in(b"ab");
        let rest = discipline.set(TerminalMode { cooked: false, echo: false, post: false });
        assert_eq!(rest, Some(b"ab".to_vec()));
        let typed = discipline.type_in(b"\x03\r");
        assert_eq!((typed.parts, typed.echo, typed.signals), (vec![b"\x03\r".to_vec()], vec![], vec![]));
    }

    #[test]
    fn a_line_is_no_longer_than_can_be() {
        let typed = typed(&[&[b'x'; 10_000][..], b"\n"].concat());
        assert_eq!(typed.parts[0].len(), LONGEST);
    }
}
