//! The language of ctl files: lines, words, verbs. What the verbs are, and what they do to what, is the device's own.
//!
//! ```text
//! write ──► lines ──► words ──► Verb::parse ──► Command::apply ──► T
//! ```

use crate::rc;
use std::fmt::Write as _;
use std::sync::Arc;
use vfs::{Caller, Errno, Error, Op, Result};

/// The longest write, in bytes.
pub const MAX_WRITE: usize = 64 << 10;

/// A parsed line, to be done to a `T`.
pub trait Command<T>: Send + Sync {
    fn apply<'a>(&'a self, to: &'a Arc<T>, who: &'a Caller) -> Op<'a, ()>;
}

/// What is wrong with a line whose verb is known.
pub enum Wrong {
    /// The number of its words, or a word where none of the kind goes.
    Arguments,
    Bad(Error),
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Wrong {
        Wrong::Bad(error)
    }
}

pub type Parsed<T> = Result<Box<dyn Command<T>>, Wrong>;

/// A verb, and what reading ctl says of it.
pub struct Verb<T> {
    pub name: &'static str,
    pub takes: &'static str,
    pub does: &'static str,
    /// From the words behind the verb.
    pub parse: fn(&[&str]) -> Parsed<T>,
}

/// A line as errors show it: on one line, and not all of a long one.
fn shown(line: &str) -> String {
    const MOST: usize = 200;
    let mut text = on_one_line(&line.chars().take(MOST).collect::<String>());
    if line.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}

/// `text` without line ends and other controls: they are escaped.
pub fn on_one_line(text: &str) -> String {
    text.chars().fold(String::new(), |mut line, c| {
        if c.is_control() {
            line.extend(c.escape_default())
        } else {
            line.push(c)
        }
        line
    })
}

fn parse_line<T>(verbs: &[Verb<T>], line: &str) -> Result<Box<dyn Command<T>>> {
    let bad = |what: &str| Error::new(Errno::EINVAL, format!("{what} \"{}\"", shown(line)));
    let words = rc::split(line.as_bytes()).map_err(|e| bad(&format!("{e} in control message")))?;
    // Splitting at ASCII bytes leaves UTF-8 whole.
    let words: Vec<&str> = words.iter().filter_map(|w| std::str::from_utf8(w).ok()).collect();
    let Some((name, rest)) = words.split_first() else {
        return Err(Error::new(Errno::EINVAL, "empty control message"));
    };
    let verb = verbs.iter().find(|verb| verb.name == *name).ok_or_else(|| bad("unknown control message"))?;
    (verb.parse)(rest).map_err(|wrong| match wrong {
        Wrong::Arguments => bad("wrong number of arguments in control message"),
        Wrong::Bad(error) => error.context(name),
    })
}

/// The commands of a message; one bad line spoils them all.
pub fn parse<T>(verbs: &[Verb<T>], message: &[u8]) -> Result<Vec<Box<dyn Command<T>>>> {
    let bad = |text: String| Error::new(Errno::EINVAL, text);
    if message.len() > MAX_WRITE {
        return Err(Error::new(
            Errno::E2BIG,
            format!("control message too long: more than {MAX_WRITE} bytes"),
        ));
    }
    let text = std::str::from_utf8(message)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| bad("control message is not text (UTF-8 without NUL)".into()))?;
    let lines = rc::lines(text.as_bytes());
    if lines.iter().all(|line| line.trim_ascii().is_empty()) {
        return Err(bad("empty control message".into()));
    }
    let several = lines.len() > 1;
    let mut commands = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let line = std::str::from_utf8(line).map_err(|_| bad("control message is not UTF-8".into()))?;
        if several && line.trim().is_empty() {
            continue;
        }
        let command = parse_line(verbs, line);
        commands
            .push(command.map_err(|e| if several { e.context(format!("line {}", index + 1)) } else { e })?);
    }
    Ok(commands)
}

/// Does what `message`, one write, says. What went wrong is given to `remember` too, for who reads ctl.
pub fn write<'a, T: Send + Sync>(
    verbs: &[Verb<T>],
    to: &'a Arc<T>,
    who: &'a Caller,
    message: &[u8],
    remember: fn(&T, &Error),
) -> Op<'a, ()> {
    let remember = move |error: Error| {
        remember(to, &error);
        error
    };
    let commands = match parse(verbs, message) {
        Ok(commands) => commands,
        Err(error) => return Op::err(remember(error)),
    };
    Op::started(async move {
        let several = commands.len() > 1;
        for (index, command) in commands.iter().enumerate() {
            let done = command.apply(to, who).await;
            done.map_err(|e| if several { e.context(format!("command {}", index + 1)) } else { e })
                .map_err(remember)?;
        }
        Ok(())
    })
}

/// What reading ctl gives: the commands, what each takes, and the last error.
pub fn help<T>(verbs: &[Verb<T>], last_error: Option<String>) -> String {
    let mut text = String::new();
    for Verb { name, takes, does, .. } in verbs {
        let usage = format!("{name} {takes}");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<36} {does}", usage.trim_end());
    }
    if let Some(error) = last_error {
        let _ = writeln!(text, "last error: {error}");
    }
    text
}
