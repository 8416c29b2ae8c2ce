//! `start`, `stop`, `cont`, `kill`, `destroy`, `destroyonclose`: the life of the whole.

use super::{Parsed, Verb};
use crate::Container;
use std::sync::Arc;
use task::Signal;
use task::ctl::language::{Command, Wrong};
use vfs::{Caller, Op};

pub(super) const START: Verb = Verb {
    name: "start",
    takes: "",
    does: "let processes run, also after a kill",
    parse: |w| bare(w, Turn::Start),
};
pub(super) const STOP: Verb =
    Verb { name: "stop", takes: "", does: "freeze every process", parse: |w| bare(w, Turn::Stop) };
pub(super) const CONT: Verb =
    Verb { name: "cont", takes: "", does: "go on after stop", parse: |w| bare(w, Turn::Cont) };
pub(super) const KILL: Verb = Verb {
    name: "kill",
    takes: "[signal]",
    does: "end every process; with a signal (TERM, 15 …), send that",
    parse: |words| match words {
        [] => Ok(Box::new(Turn::Kill(Signal::KILL))),
        [word] => Ok(Box::new(Turn::Kill(Signal::parse(word)?))),
        _ => Err(Wrong::Arguments),
    },
};
pub(super) const DESTROY: Verb = Verb {
    name: "destroy",
    takes: "",
    does: "end it, and throw its files away (as rmdir does)",
    parse: |w| bare(w, Turn::Destroy),
};
pub(super) const DESTROYONCLOSE: Verb = Verb {
    name: "destroyonclose",
    takes: "",
    does: "the last close of ctl destroys it",
    parse: |w| bare(w, Turn::DestroyOnClose),
};

enum Turn {
    Start,
    Stop,
    Cont,
    Kill(Signal),
    Destroy,
    DestroyOnClose,
}

fn bare(words: &[&str], turn: Turn) -> Parsed {
    if words.is_empty() { Ok(Box::new(turn)) } else { Err(Wrong::Arguments) }
}

impl Command<Container> for Turn {
    fn apply<'a>(&'a self, container: &'a Arc<Container>, _who: &'a Caller) -> Op<'a, ()> {
        match self {
            Turn::Start => container.start().into(),
            Turn::Stop => container.stop().into(),
            Turn::Cont => container.cont().into(),
            Turn::Kill(Signal::KILL) => Op::started(container.kill()),
            Turn::Kill(Signal::STOP) => container.stop().into(),
            // One that goes on may have processes that were stopped by themselves.
            Turn::Kill(Signal::CONT) => container.cont().or_else(|_| container.signal(Signal::CONT)).into(),
            Turn::Kill(signal) => container.signal(*signal).into(),
            Turn::Destroy => Op::started(container.destroy()),
            Turn::DestroyOnClose => {
                container.set_destroy_on_close();
                Op::ok(())
            }
        }
    }
}
