//! The ctl of a task: one command a line, a verb and its words, quoted as rc(1) quotes.
//!
//! Every line of a write is parsed before anything is done, and a line that cannot be is an error of the write that changes
//! nothing; then the lines are done in order until one fails. One file a verb, or a pair that undoes itself:
//!
//! ```text
//! write ──► lines ──► words ──► Verb::parse ──► Command::apply ──► Task
//! ```

mod alias;
mod cap;
mod kill;
mod killonclose;
mod limit;
mod namespace;
mod output;
mod remove;
mod start;
mod stdin;
mod stop;

use crate::{Task, rc};
use std::fmt::Write as _;
use std::sync::Arc;
use vfs::{Caller, Errno, Error, Op, Result};

/// The longest write, in bytes.
pub const MAX_WRITE: usize = 64 << 10;

/// A parsed line.
trait Command: Send + Sync {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, who: &'a Caller) -> Op<'a, ()>;
}

/// What is wrong with a line whose verb is known.
enum Wrong {
    /// The number of its words, or a word where none of the kind goes.
    Arguments,
    Bad(Error),
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Wrong {
        Wrong::Bad(error)
    }
}

type Parsed = Result<Box<dyn Command>, Wrong>;

struct Verb {
    name: &'static str,
    takes: &'static str,
    does: &'static str,
    /// From the words behind the verb.
    parse: fn(&[&str]) -> Parsed,
}

const VERBS: &[Verb] = &[
    start::START,
    start::EXEC,
    stop::STOP,
    stop::CONT,
    kill::KILL,
    namespace::BIND,
    namespace::MOUNT,
    namespace::UNMOUNT,
    namespace::CD,
    stdin::EOF,
    stdin::HANGUP,
    output::OUTPUT,
    limit::LIMIT,
    cap::CAP,
    killonclose::KILLONCLOSE,
    alias::ALIAS,
    remove::REMOVE,
];

/// A line as errors show it: on one line, and not all of a long one.
fn shown(line: &str) -> String {
    const MOST: usize = 200;
    let mut text: String = line
        .chars()
        .take(MOST)
        .flat_map(|c| {
            let plain = !c.is_control();
            plain.then_some(c).into_iter().chain((!plain).then(|| c.escape_default()).into_iter().flatten())
        })
        .collect();
    if line.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}

fn parse_line(line: &str) -> Result<Box<dyn Command>> {
    let bad = |what: &str| Error::new(Errno::EINVAL, format!("{what} \"{}\"", shown(line)));
    let words = rc::split(line.as_bytes()).map_err(|e| bad(&format!("{e} in control message")))?;
    // Splitting at ASCII bytes leaves UTF-8 whole.
    let words: Vec<&str> = words.iter().filter_map(|w| std::str::from_utf8(w).ok()).collect();
    let Some((name, rest)) = words.split_first() else {
        return Err(Error::new(Errno::EINVAL, "empty control message"));
    };
    let verb = VERBS.iter().find(|verb| verb.name == *name).ok_or_else(|| bad("unknown control message"))?;
    (verb.parse)(rest).map_err(|wrong| match wrong {
        Wrong::Arguments => bad("wrong number of arguments in control message"),
        Wrong::Bad(error) => error.context(name),
    })
}

fn parse(message: &[u8]) -> Result<Vec<Box<dyn Command>>> {
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
        let command = parse_line(line);
        commands
            .push(command.map_err(|e| if several { e.context(format!("line {}", index + 1)) } else { e })?);
    }
    Ok(commands)
}

/// Does what `message`, one write, says; an error is remembered for who reads ctl.
pub fn write<'a>(task: &'a Arc<Task>, who: &'a Caller, message: &'a [u8]) -> Op<'a, ()> {
    let remember = |error: Error| {
        task.remember(&error);
        error
    };
    if let Err(error) = task.reachable_by(who) {
        return Op::err(error);
    }
    let commands = match parse(message) {
        Ok(commands) => commands,
        Err(error) => return Op::err(remember(error)),
    };
    Op::started(async move {
        let several = commands.len() > 1;
        for (index, command) in commands.iter().enumerate() {
            let done = command.apply(task, who).await;
            done.map_err(|e| if several { e.context(format!("command {}", index + 1)) } else { e })
                .map_err(remember)?;
        }
        Ok(())
    })
}

/// What reading ctl gives: the commands, what each takes, and the last error.
pub fn help(task: &Task) -> String {
    let mut text = String::new();
    for Verb { name, takes, does, .. } in VERBS {
        let usage = format!("{name} {takes}");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<36} {does}", usage.trim_end());
    }
    if let Some(error) = task.last_error() {
        let _ = writeln!(text, "last error: {error}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(message: &[u8]) -> String {
        match parse(message) {
            Ok(_) => panic!("{message:?} was taken"),
            Err(error) => error.text().to_owned(),
        }
    }

    #[test]
    fn errors_echo_the_line() {
        assert_eq!(error(b"foo 'a b'\n"), "unknown control message \"foo 'a b'\"");
        assert_eq!(error(b"start now\n"), "wrong number of arguments in control message \"start now\"");
        assert_eq!(error(b"bind /a\n"), "wrong number of arguments in control message \"bind /a\"");
        assert_eq!(error(b"kill FOO"), "kill: unknown signal \"FOO\"");
        assert_eq!(
            error(b"bind '/a /b\n"),
            "unbalanced quote in control message \"bind '/a /b\n\"".replace('\n', "\\n")
        );
    }

    #[test]
    fn an_alias_is_one_line() {
        assert_eq!(error(b"alias 'a\nb'\n"), "alias: an alias is one line");
    }

    #[test]
    fn nothing_is_an_empty_message() {
        for message in [&b""[..], b"\n", b" \t \n\n"] {
            assert_eq!(error(message), "empty control message");
        }
    }

    #[test]
    fn what_is_no_text_or_too_long_is_refused() {
        assert!(error(b"start\0").contains("not text"));
        assert!(error(b"\xff\xfe").contains("not text"));
        assert!(error(&vec![b'x'; MAX_WRITE + 1]).contains("too long"));
    }

    #[test]
    fn one_bad_line_of_several_is_named_and_spoils_them_all() {
        assert_eq!(error(b"eof\nfrob\nstart\n"), "line 2: unknown control message \"frob\"");
        assert_eq!(parse(b"eof\n\nhangup off\nstart").map(|c| c.len()), Ok(3));
    }

    impl std::fmt::Debug for Box<dyn Command> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Command")
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(message in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&message);
        }

        #[test]
        fn parsing_words_never_panics(
            verb in prop::sample::select(VERBS.iter().map(|v| v.name).collect::<Vec<_>>()),
            rest in "[ -~\n'é]{0,30}"
        ) {
            let _ = parse(format!("{verb} {rest}").as_bytes());
        }
    }
}
