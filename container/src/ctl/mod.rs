//! The ctl of a container: one command a line, a verb and its words, quoted as rc(1) quotes. The language is that of a task's
//! ctl: one bad line of a write spoils them all and changes nothing.

mod files;
mod life;
mod setting;
mod spawn;

use crate::Container;
use std::sync::Arc;
use task::ctl::language;
use vfs::{Caller, Op};

type Parsed = language::Parsed<Container>;
type Verb = language::Verb<Container>;

const VERBS: &[Verb] = &[
    life::START,
    life::STOP,
    life::CONT,
    life::KILL,
    life::DESTROY,
    life::DESTROYONCLOSE,
    spawn::SPAWN,
    setting::ENV,
    setting::CWD,
    setting::LABEL,
    setting::LIMIT,
    setting::CAP,
    files::LAYER,
    files::SNAPSHOT,
    files::RESTORE,
    files::FORGET,
    files::FORK,
];

/// Does what `message`, one write, says; an error is remembered for who reads ctl.
pub fn write<'a>(container: &'a Arc<Container>, who: &'a Caller, message: &'a [u8]) -> Op<'a, ()> {
    match container.reachable_by(who).and_then(|()| container.must_be_there()) {
        Ok(()) => language::write(VERBS, container, who, message, Container::remember),
        Err(error) => Op::err(error),
    }
}

/// What reading ctl gives: the commands, what each takes, and the last error.
pub fn help(container: &Container) -> String {
    language::help(VERBS, container.last_error())
}
