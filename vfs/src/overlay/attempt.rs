//! Operations that may find something not looked at yet.
//!
//! An operation is a step that changes nothing before it has all that it needs. Where it lacks something of the layers, it
//! stops and says what; that is fetched, with no lock held, and the step is tried again. What was fetched stays, so it gets
//! further each time; mostly there is nothing to fetch, and no future is made.

use super::inode::Inode;
use crate::*;
use std::sync::Arc;

/// What a step lacks.
pub(super) enum Need {
    /// The names in a directory.
    Names(Arc<Inode>),
    /// What the entry of this name and number is.
    Entry(Arc<Inode>, NameBuf, u64),
    /// The bytes of a file, in memory.
    Content(Arc<Inode>),
}

/// Why a step does not go on.
pub(super) enum Stop {
    Fail(Error),
    Need(Need),
}

pub(super) type Step<T> = std::result::Result<T, Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Fail(error)
    }
}
impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        Stop::Fail(errno.into())
    }
}
impl From<Need> for Stop {
    fn from(need: Need) -> Stop {
        Stop::Need(need)
    }
}
impl<T> From<Errno> for Step<T> {
    fn from(errno: Errno) -> Step<T> {
        Err(errno.into())
    }
}

impl Need {
    async fn fetch(self) -> Result<()> {
        match self {
            Need::Names(dir) => dir.list_lower().await,
            Need::Entry(dir, name, number) => dir.find_lower(name.as_name(), number).await,
            Need::Content(file) => file.bring_content().await,
        }
    }
}

/// Takes `step` until it lacks nothing.
pub(super) fn attempt<'a, T: Send + 'a>(mut step: impl FnMut() -> Step<T> + Send + 'a) -> Op<'a, T> {
    let mut need = match step() {
        Ok(done) => return Op::ok(done),
        Err(Stop::Fail(error)) => return Op::err(error),
        Err(Stop::Need(need)) => need,
    };
    Op::started(async move {
        loop {
            need.fetch().await?;
            need = match step() {
                Ok(done) => return Ok(done),
                Err(Stop::Fail(error)) => return Err(error),
                Err(Stop::Need(next)) => next,
            };
        }
    })
}
