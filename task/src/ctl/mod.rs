//! The ctl of a task: one command a line, a verb and its words, quoted as rc(1) quotes.
//!
//! Every line of a write is parsed before anything is done, and a line that cannot be is an error of the write that changes
//! nothing; then the lines are done in order until one fails. One file a verb, or a pair that undoes itself; the language is
//! in `language.rs`.

mod alias;
mod cap;
mod kill;
mod killonclose;
pub mod language;
mod limit;
mod namespace;
mod output;
mod remove;
mod start;
mod stdin;
mod stop;
mod tty;

pub use language::MAX_WRITE;

use crate::Task;
use language::{Command, Wrong};
use std::sync::Arc;
use vfs::{Caller, Op};

type Parsed = language::Parsed<Task>;
type Verb = language::Verb<Task>;

const VERBS: &[Verb] = &[
    start::START,
    start::EXEC,
    stop::STOP,
    stop::CONT,
    stop::WAITSTOP,
    kill::KILL,
    namespace::BIND,
    namespace::MOUNT,
    namespace::UNMOUNT,
    namespace::CD,
    stdin::EOF,
    stdin::HANGUP,
    tty::TTY,
    tty::WINSIZE,
    output::OUTPUT,
    limit::LIMIT,
    cap::CAP,
    killonclose::KILLONCLOSE,
    alias::ALIAS,
    remove::REMOVE,
];

/// Does what `message`, one write, says; an error is remembered for who reads ctl.
pub fn write<'a>(task: &'a Arc<Task>, who: &'a Caller, message: &'a [u8]) -> Op<'a, ()> {
    match task.reachable_by(who) {
        Ok(()) => language::write(VERBS, task, who, message, Task::remember),
        Err(error) => Op::err(error),
    }
}

/// What reading ctl gives: the commands, what each takes, and the last error.
pub fn help(task: &Task) -> String {
    language::help(VERBS, task.last_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vfs::Result;

    fn parse(message: &[u8]) -> Result<Vec<Box<dyn Command<Task>>>> {
        language::parse(VERBS, message)
    }

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

    impl std::fmt::Debug for dyn Command<Task> {
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
