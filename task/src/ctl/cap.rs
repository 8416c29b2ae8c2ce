//! `cap`: what the task may do. Grants add; `cap -d` takes away; `cap none` denies everything.

use super::{Command, Parsed, Verb, Wrong};
use crate::Task;
use crate::caps::{Cap, Caps};
use std::sync::Arc;
use vfs::{Caller, Op};

pub(super) const CAP: Verb = Verb {
    name: "cap",
    takes: "[-d] capability | none",
    does: "fs:/path read write, net:connect|listen|deny h:p, env NAME, spawn",
    parse,
};

enum Change {
    Grant(Cap),
    Revoke(Cap),
    None,
}

fn parse(words: &[&str]) -> Parsed {
    let own = |words: &[&str]| words.iter().map(|w| w.as_bytes().to_vec()).collect::<Vec<_>>();
    Ok(Box::new(match words {
        [] | ["-d"] => return Err(Wrong::Arguments),
        ["none"] => Change::None,
        ["-d", rest @ ..] => Change::Revoke(Cap::parse(&own(rest))?),
        words => Change::Grant(Cap::parse(&own(words))?),
    }))
}

impl Command<Task> for Change {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, who: &'a Caller) -> Op<'a, ()> {
        task.change_caps(who, |caps| match self {
            Change::Grant(cap) => {
                caps.grant(cap.clone());
                Ok(())
            }
            Change::Revoke(cap) => caps.revoke(cap),
            Change::None => {
                *caps = Caps::default();
                Ok(())
            }
        })
        .into()
    }
}
