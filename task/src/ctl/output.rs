//! `output`: what stdio/1 and 2 do at their bound, and how much they keep.

use super::{Command, Parsed, Verb, Wrong};
use crate::Task;
use crate::limits::parse_size;
use crate::stdio::Full;
use std::sync::Arc;
use vfs::{Caller, Errno, Error, Op};

pub(super) const OUTPUT: Verb = Verb {
    name: "output",
    takes: "auto|wait|drop [size]",
    does: "full stdio/1, 2: wait for open readers, for any, drop",
    parse,
};

/// Kept of one stream at most, whoever asks.
const MOST: u64 = 64 << 20;

struct Output {
    full: Full,
    size: Option<usize>,
}

fn parse(words: &[&str]) -> Parsed {
    let (word, size) = match words {
        [word] => (word, None),
        [word, size] => (word, Some(size)),
        _ => return Err(Wrong::Arguments),
    };
    let bad = |text: String| Error::new(Errno::EINVAL, text);
    let full = Full::parse(word).ok_or_else(|| bad(format!("want auto, wait or drop, not {word:?}")))?;
    let size = match size {
        None => None,
        Some(size) => match parse_size(size) {
            Ok(bytes @ 1..=MOST) => Some(bytes as usize),
            Ok(_) => return Err(bad(format!("size {size}: want 1 to {}M", MOST >> 20)).into()),
            Err(why) => return Err(bad(format!("bad size {size:?}: {why}")).into()),
        },
    };
    Ok(Box::new(Output { full, size }))
}

impl Command<Task> for Output {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        task.stdio.logs().iter().for_each(|log| log.set(self.full, self.size));
        Op::ok(())
    }
}
