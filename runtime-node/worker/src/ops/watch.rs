//! Watching files: the server tells of changes, and `Deno.watchFs`, on which node:fs.watch is written, reads what it tells.

use super::Task;
use crate::files::Tree;
use crate::link::{Handle, now};
use deno_core::{AsyncRefCell, CancelFuture, CancelHandle, OpState, RcRef, Resource, ResourceId, op2};
use deno_error::JsErrorBox;
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

struct Watching {
    file: AsyncRefCell<Handle>,
    closed: CancelHandle,
}

impl Resource for Watching {
    fn name(&self) -> Cow<'_, str> {
        "watch".into()
    }
    fn close(self: Rc<Self>) {
        self.closed.cancel();
    }
}

/// Begins to watch a file, or a directory and, with `recursive`, all below it.
#[op2(fast)]
#[smi]
pub fn op_watch_open(
    state: &mut OpState,
    #[string] path: &str,
    recursive: bool,
) -> Result<ResourceId, JsErrorBox> {
    let path = state.borrow::<Tree>().cwd().join(path);
    let file = now(state.borrow::<Task>().control.watch(&path.to_string_lossy(), recursive));
    let file = AsyncRefCell::new(file.map_err(JsErrorBox::from_err)?);
    Ok(state.resource_table.add(Watching { file, closed: CancelHandle::default() }))
}

/// What has happened, as pairs of a word (`change`, `rename`) and a path from the watched one on; empty when it was closed.
#[op2]
#[serde]
pub async fn op_watch_read(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: ResourceId,
) -> Result<Vec<(String, String)>, JsErrorBox> {
    let Ok(watching) = state.borrow().resource_table.get::<Watching>(rid) else { return Ok(Vec::new()) };
    let file = RcRef::map(&watching, |watching| &watching.file).borrow_mut().await;
    let control = state.borrow().borrow::<Task>().control.clone();
    let closed = RcRef::map(&watching, |watching| &watching.closed);
    match control.read(&file).or_cancel(closed).await {
        Ok(text) => Ok(events(&text.map_err(JsErrorBox::from_err)?)),
        Err(_) => Ok(Vec::new()),
    }
}

/// Lines of a word and a name; one that holds line ends is quoted as rc(1) quotes.
fn events(text: &str) -> Vec<(String, String)> {
    let (mut events, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let line = match rest.strip_prefix('\'') {
            Some(quoted) => {
                let (word, behind) = unquoted(quoted);
                rest = behind.strip_prefix('\n').unwrap_or(behind);
                word
            }
            None => {
                let (line, behind) = rest.split_once('\n').unwrap_or((rest, ""));
                rest = behind;
                line.to_owned()
            }
        };
        let (what, name) = line.split_once(' ').unwrap_or((&line, ""));
        events.push((what.to_owned(), name.to_owned()));
    }
    events
}

/// A word up to its closing quote, and what is behind that; two quotes are one.
fn unquoted(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut rest = text;
    loop {
        let (head, behind) = rest.split_once('\'').unwrap_or((rest, ""));
        word.push_str(head);
        match behind.strip_prefix('\'') {
            Some(more) => {
                word.push('\'');
                rest = more;
            }
            None => return (word, behind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_lines_and_names_may_hold_anything() {
        let pair = |what: &str, name: &str| (what.to_owned(), name.to_owned());
        assert_eq!(
            events("rename a b\nchange\n'rename it''s\ntwo'\nchange it's\n"),
            [pair("rename", "a b"), pair("change", ""), pair("rename", "it's\ntwo"), pair("change", "it's")]
        );
        assert_eq!(events(""), []);
    }
}
