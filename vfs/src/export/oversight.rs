//! What is kept an eye on while somebody's files are served: how many he has open, and, where it was asked for, each of his calls.

use crate::{Op, OpenFlags, Place, Result};
use std::fmt;
use std::sync::Arc;

/// Keeps an eye on one attached caller.
pub trait Overseer: Send + Sync {
    /// He is about to open a file; EMFILE where he may not. What was allowed is told [`Overseer::closed`] once.
    fn opening(&self) -> Result<()> {
        Ok(())
    }
    fn closed(&self) {}
    /// Whether anybody reads what [`Overseer::say`] is told.
    fn is_traced(&self) -> bool {
        false
    }
    /// One call, as strace(1) shows it: `open("/x", O_RDONLY) = 0`.
    fn say(&self, line: fmt::Arguments<'_>) {
        let _ = line;
    }
}

/// His overseer, where there is one.
#[derive(Clone, Default)]
pub(super) struct Oversight(pub Option<Arc<dyn Overseer>>);

/// A file that counts among those he has open.
pub(super) struct Counted(Option<Arc<dyn Overseer>>);

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(overseer) = &self.0 {
            overseer.closed();
        }
    }
}

impl Oversight {
    pub fn opening(&self) -> Result<Counted> {
        if let Some(overseer) = &self.0 {
            overseer.opening()?;
        }
        Ok(Counted(self.0.clone()))
    }

    pub fn is_traced(&self) -> bool {
        self.0.as_ref().is_some_and(|overseer| overseer.is_traced())
    }

    /// Shows `op`, where that was asked for, as `call` says; its value is what `value` makes of its result.
    #[inline]
    pub fn show<'a, T: Send + 'a>(
        &self,
        call: impl FnOnce() -> String,
        value: fn(&T) -> usize,
        op: Op<'a, T>,
    ) -> Op<'a, T> {
        match &self.0 {
            Some(overseer) if overseer.is_traced() => shown(overseer.clone(), call(), value, op),
            _ => op,
        }
    }
}

#[cold]
fn shown<'a, T: Send + 'a>(
    overseer: Arc<dyn Overseer>,
    call: String,
    value: fn(&T) -> usize,
    op: Op<'a, T>,
) -> Op<'a, T> {
    op.then(move |result| {
        match &result {
            Ok(done) => overseer.say(format_args!("{call} = {}", value(done))),
            Err(error) => overseer.say(format_args!("{call} = {:?} ({error})", error.errno())),
        }
        result.into()
    })
}

/// Paths are shown up to this many bytes.
const MAX_SHOWN: usize = 256;

/// A name in quotes.
pub(super) fn quoted(path: &[u8]) -> String {
    match path.get(..MAX_SHOWN) {
        Some(head) if path.len() > MAX_SHOWN => format!("\"{}\"…", head.escape_ascii()),
        _ => format!("\"{}\"", path.escape_ascii()),
    }
}

/// The path of a place, or of the entry `name` in it, in quotes.
pub(super) fn path(place: &Place, name: Option<&[u8]>) -> String {
    let mut path = place.path();
    if let Some(name) = name {
        if path != b"/" {
            path.push(b'/');
        }
        path.extend_from_slice(name);
    }
    quoted(&path)
}

/// open(2)'s flags in words.
pub(super) fn flags(flags: OpenFlags, create: bool) -> String {
    let read = flags.intersects(OpenFlags::READ | OpenFlags::EXEC);
    let mut words = vec![match (read, flags.contains(OpenFlags::WRITE)) {
        (_, false) => "O_RDONLY",
        (false, true) => "O_WRONLY",
        (true, true) => "O_RDWR",
    }];
    let named = [
        (create, "O_CREAT"),
        (flags.contains(OpenFlags::EXCLUSIVE), "O_EXCL"),
        (flags.contains(OpenFlags::TRUNCATE), "O_TRUNC"),
        (flags.contains(OpenFlags::APPEND), "O_APPEND"),
        (flags.contains(OpenFlags::DIRECTORY), "O_DIRECTORY"),
    ];
    words.extend(named.iter().filter(|(is_set, _)| *is_set).map(|(_, word)| *word));
    words.join("|")
}

/// What a call that gives nothing shows.
pub(super) fn nothing<T>(_: &T) -> usize {
    0
}

/// A look-up that fails is a call of its own; one that does not is part of what it is for.
pub(super) fn missing(oversight: &Oversight, dir: &Place, name: &[u8], error: &crate::Error) {
    if let Some(overseer) = oversight.0.as_ref().filter(|overseer| overseer.is_traced()) {
        overseer.say(format_args!("lookup({}) = {:?} ({error})", path(dir, Some(name)), error.errno()));
    }
}
