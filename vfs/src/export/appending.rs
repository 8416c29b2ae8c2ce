//! Writes by an open fid, and where those go that append.
//!
//! Linux's 9P client with a cache that is written back (cache=loose, cache=mmap; seen on 6.12 and 7.3, not on 6.1) sends whole pages,
//! also what it has sent before. For that it uses the fid that made the file, and where open(2) said O_RDWR | O_APPEND | O_CREAT, its Tlcreate
//! says O_APPEND too. Appended, such a page would be in the file twice. So a write of such a fid that begins before the end of what it has
//! written itself goes where it says, as long as all that it wrote lies where it said. Nobody who appends asks for that: where he
//! believes the end to be is behind his own last write, unless the file was cut since.

use crate::{Caller, Created, FileRef, Op, OpenFlags};
use parking_lot::Mutex;

/// How files are open whose pages are written back.
const PAGES: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE).union(OpenFlags::APPEND);

pub(super) enum Writes {
    WhereTheySay,
    /// At the end, whatever they say.
    ToTheEnd,
    /// At the end, but for pages that are written back.
    ToItsOwnEnd(OwnEnd),
}

/// The end of what the fid has written; none where some of that lies elsewhere than it said.
pub(super) struct OwnEnd(Mutex<Option<u64>>);

impl Writes {
    /// Of a fid that opened a file.
    pub fn of(flags: OpenFlags) -> Writes {
        if flags.contains(OpenFlags::APPEND) { Writes::ToTheEnd } else { Writes::WhereTheySay }
    }

    /// What to make a file with that is to be open in this way: one that appends does so whatever it is told.
    pub fn flags_to_make(flags: OpenFlags) -> OpenFlags {
        if flags.contains(PAGES) { flags - OpenFlags::APPEND } else { flags }
    }

    /// Of a fid that made a file, and what it is to write to.
    pub async fn of_made(made: &Created, who: &Caller, flags: OpenFlags) -> (FileRef, Writes) {
        let file = made.file.clone();
        if !flags.contains(PAGES) {
            return (file, Writes::of(flags));
        }
        if !file.is_remote() {
            return (file, Writes::ToItsOwnEnd(OwnEnd(Mutex::new(Some(0)))));
        }
        // A server elsewhere appends in one step only to what was opened for that.
        let appends = flags & (PAGES | OpenFlags::SYNC);
        (made.place.open(who, appends).await.unwrap_or(file), Writes::ToTheEnd)
    }

    pub fn append(&self) -> bool {
        !matches!(self, Writes::WhereTheySay)
    }

    pub fn write<'a>(&'a self, file: &'a FileRef, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        match self {
            Writes::WhereTheySay => file.write(offset, data),
            Writes::ToTheEnd => file.append(data).map(|(written, _)| written),
            Writes::ToItsOwnEnd(end) => end.write(file, offset, data),
        }
    }
}

impl OwnEnd {
    fn write<'a>(&'a self, file: &'a FileRef, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        let own = *self.0.lock();
        match own {
            Some(end) if offset < end => Op::started(async move {
                if file.stat().await?.size < end {
                    return self.append(file, offset, data).await;
                }
                let written = file.write(offset, data).await?;
                let mut own = self.0.lock();
                *own = own.map(|end| end.max(offset + written as u64));
                Ok(written)
            }),
            _ => self.append(file, offset, data),
        }
    }

    fn append<'a>(&'a self, file: &'a FileRef, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        file.append(data).map(move |(written, end)| {
            let mut own = self.0.lock();
            *own = own.filter(|_| end == offset.saturating_add(written as u64)).map(|_| end);
            written
        })
    }
}
