//! Commands, and what stands behind their letters.

use super::super::replacement::{self, Part};
use super::super::script::{Command, Substitution, Target, Verb, Where};
use super::{Jump, Parse, Parser};

impl Parser<'_> {
    pub(super) fn command(&mut self, at: Where) -> Parse<()> {
        let Some(letter) = self.take() else { return self.wrong("missing command") };
        match letter {
            b'#' => {
                if at.from.is_some() {
                    return self.wrong("comments don't accept any addresses");
                }
                while self.peek().is_some_and(|b| b != b'\n') {
                    self.at += 1;
                }
                return Ok(());
            }
            b':' if at.from.is_some() => return self.wrong(": doesn't want any addresses"),
            b'}' if at.from.is_some() => return self.wrong("} doesn't want any addresses"),
            b'q' | b'Q' if at.to.is_some() => return self.wrong("command only uses one address"),
            b'\n' | b';' => return self.wrong("missing command"),
            _ => {}
        }
        let index = self.script.commands.len();
        let verb = match letter {
            b'{' => {
                self.blocks.push(index);
                self.script.commands.push(Command { at, verb: Verb::Block(0) });
                return Ok(());
            }
            b'}' => {
                let Some(open) = self.blocks.pop() else { return self.wrong("unexpected `}'") };
                self.script.commands[open].verb = Verb::Block(index);
                self.ends()?;
                Verb::EndBlock
            }
            b'=' => self.plain(Verb::Equals)?,
            b'd' => self.plain(Verb::Delete)?,
            b'D' => self.plain(Verb::DeleteFirst)?,
            b'F' => self.plain(Verb::Name)?,
            b'g' => self.plain(Verb::Get)?,
            b'G' => self.plain(Verb::GetAppend)?,
            b'h' => self.plain(Verb::Hold)?,
            b'H' => self.plain(Verb::HoldAppend)?,
            b'x' => self.plain(Verb::Exchange)?,
            b'n' => self.plain(Verb::Next)?,
            b'N' => self.plain(Verb::NextAppend)?,
            b'p' => self.plain(Verb::Print)?,
            b'P' => self.plain(Verb::PrintFirst)?,
            b'z' => self.plain(Verb::Clear)?,
            b'l' | b'q' | b'Q' => {
                self.blanks();
                let given = self.peek().is_some_and(|b| b.is_ascii_digit());
                let number = self.number();
                self.ends()?;
                match letter {
                    b'l' => Verb::List(given.then_some(number as usize)),
                    b'q' => Verb::Quit(number as u8),
                    _ => Verb::QuitSilently(number as u8),
                }
            }
            b'a' | b'i' | b'c' => {
                let text = self.text_argument()?;
                match letter {
                    b'a' => Verb::Append(text),
                    b'i' => Verb::Insert(text),
                    _ => Verb::Change(text),
                }
            }
            b':' => {
                let label = self.label(b" \t\n;");
                if label.is_empty() {
                    return self.wrong("\":\" lacks a label");
                }
                self.labels.push((label, index));
                Verb::Label
            }
            b'b' | b't' | b'T' => {
                let label = self.label(b" \t\n;}");
                self.ends()?;
                let jump = match letter {
                    b'b' => Jump::Always,
                    b't' => Jump::IfDone,
                    _ => Jump::UnlessDone,
                };
                self.jumps.push((index, label, jump));
                Verb::Branch(None)
            }
            b'r' => Verb::ReadFile(self.file_name()?),
            b'R' => {
                let name = self.file_name()?;
                Verb::ReadLine(place_of(&mut self.script.inputs, name))
            }
            b'w' => Verb::Write(self.target()?),
            b'W' => Verb::WriteFirst(self.target()?),
            b's' => self.substitution()?,
            b'y' => self.translation()?,
            b'v' => {
                self.label(b" \t\n;}");
                self.ends()?;
                Verb::Label
            }
            b'e' => return self.wrong("e/r/w commands disabled in sandbox mode"),
            other => return self.wrong(format!("unknown command: `{}'", char::from(other))),
        };
        self.script.commands.push(Command { at, verb });
        Ok(())
    }

    pub(super) fn plain(&mut self, verb: Verb) -> Parse<Verb> {
        self.ends()?;
        Ok(verb)
    }

    /// The end of a command: a newline, `;`, a comment or a closing brace.
    pub(super) fn ends(&mut self) -> Parse<()> {
        self.skip(b" \t\r");
        match self.peek() {
            None | Some(b'}' | b'#') => Ok(()),
            Some(b'\n' | b';') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => {
                self.at += 1;
                self.wrong("extra characters after command")
            }
        }
    }

    pub(super) fn label(&mut self, ends: &[u8]) -> Vec<u8> {
        self.blanks();
        let start = self.at;
        while self.peek().is_some_and(|b| !ends.contains(&b)) {
            self.at += 1;
        }
        self.text[start..self.at].to_vec()
    }

    pub(super) fn file_name(&mut self) -> Parse<Vec<u8>> {
        self.blanks();
        let start = self.at;
        while self.peek().is_some_and(|b| b != b'\n') {
            self.at += 1;
        }
        if start == self.at {
            return self.wrong("missing filename in r/R/w/W commands");
        }
        Ok(self.text[start..self.at].to_vec())
    }

    pub(super) fn target(&mut self) -> Parse<Target> {
        let name = self.file_name()?;
        Ok(match name.as_slice() {
            b"/dev/stdout" => Target::Stdout,
            b"/dev/stderr" => Target::Stderr,
            _ => Target::File(place_of(&mut self.script.outputs, name)),
        })
    }

    /// The text of a, i and c: the lines after `\`, or the rest of the line.
    pub(super) fn text_argument(&mut self) -> Parse<Vec<u8>> {
        self.blanks();
        if self.peek().is_none() {
            return self.wrong("expected \\ after `a', `c' or `i'");
        }
        if self.peek() == Some(b'\\') {
            let mut behind = self.at + 1;
            while self.text.get(behind).is_some_and(|b| b" \t".contains(b)) {
                behind += 1;
            }
            match self.text.get(behind) {
                Some(b'\n') => {
                    self.at = behind + 1;
                }
                None => self.at = behind,
                // A backslash keeps the blanks behind it.
                Some(_) => self.at += 1,
            }
        }
        let mut text = Vec::new();
        loop {
            match self.take() {
                None | Some(b'\n') => break,
                Some(b'\\') => match self.take() {
                    None => break,
                    Some(b'\n') => text.push(b'\n'),
                    Some(byte) => match replacement::letter_escape(byte) {
                        Some(meant) => text.push(meant),
                        None => text.push(byte),
                    },
                },
                Some(byte) => text.push(byte),
            }
        }
        text.push(b'\n');
        Ok(text)
    }

    pub(super) fn substitution(&mut self) -> Parse<Verb> {
        const UNTERMINATED: &str = "unterminated `s' command";
        let Some(delimiter) = self.take() else { return self.wrong(UNTERMINATED) };
        if delimiter == b'\n' || delimiter == b'\\' {
            return self.wrong(UNTERMINATED);
        }
        let Some(text) = self.delimited(delimiter, true) else { return self.wrong(UNTERMINATED) };
        let Some(new) = self.delimited(delimiter, false) else { return self.wrong(UNTERMINATED) };
        let (mut global, mut print, mut number, mut write) = (false, false, 0, None);
        let (mut ignore_case, mut multi_line) = (false, false);
        loop {
            match self.take() {
                Some(b'g') if global => return self.wrong("multiple `g' options to `s' command"),
                Some(b'g') => global = true,
                Some(b'p') if print => return self.wrong("multiple `p' options to `s' command"),
                Some(b'p') => print = true,
                Some(b'i' | b'I') => ignore_case = true,
                Some(b'm' | b'M') => multi_line = true,
                Some(b'0'..=b'9') if number > 0 => {
                    return self.wrong("multiple number options to `s' command");
                }
                Some(b'0'..=b'9') => {
                    self.at -= 1;
                    number = self.number() as usize;
                    if number == 0 {
                        return self.wrong("number option to `s' command may not be zero");
                    }
                }
                Some(b'w') => {
                    write = Some(self.target()?);
                    break;
                }
                Some(b'}' | b'#') => {
                    self.at -= 1;
                    break;
                }
                None | Some(b'\n' | b';') => break,
                Some(b' ' | b'\t' | b'\r') => {}
                Some(_) => return self.wrong("unknown option to `s'"),
            }
        }
        let pattern = self.pattern(&text, ignore_case, multi_line)?;
        let parts = replacement::parse(&new);
        let highest =
            parts.iter().filter_map(|part| if let Part::Group(n) = part { Some(*n) } else { None }).max();
        if let (Some(highest), Some(pattern)) = (highest, &pattern)
            && highest > pattern.groups()
        {
            return self.wrong(format!("invalid reference \\{highest} on `s' command's RHS"));
        }
        Ok(Verb::Substitute(Box::new(Substitution {
            pattern,
            parts,
            global,
            print,
            number: number.max(1),
            write,
        })))
    }

    pub(super) fn translation(&mut self) -> Parse<Verb> {
        const UNTERMINATED: &str = "unterminated `y' command";
        let Some(delimiter) = self.take() else { return self.wrong(UNTERMINATED) };
        let Some(from) = self.delimited(delimiter, false) else { return self.wrong(UNTERMINATED) };
        let Some(to) = self.delimited(delimiter, false) else { return self.wrong(UNTERMINATED) };
        let (from, to) = (replacement::unescape(&from), replacement::unescape(&to));
        if from.len() != to.len() {
            return self.wrong("strings for `y' command are different lengths");
        }
        let mut table = [0; 256];
        (0..=255).for_each(|byte: u8| table[usize::from(byte)] = byte);
        from.iter().zip(&to).for_each(|(from, to)| table[usize::from(*from)] = *to);
        self.ends()?;
        Ok(Verb::Translate(Box::new(table)))
    }
}

fn place_of(names: &mut Vec<Vec<u8>>, name: Vec<u8>) -> usize {
    names.iter().position(|known| *known == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}
