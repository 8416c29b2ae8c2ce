//! Writes by an open fid, and where those go that append.
//!
//! Linux's 9P client with a cache that is written back (cache=loose, cache=mmap; seen on 6.12 and 7.3, not on 6.1) sends whole pages,
//! also what it has sent or read before. For that it uses a fid that the program has open, and where open(2) said O_RDWR | O_APPEND, so did its
//! Tlopen or Tlcreate. Appended, such a page would be in the file twice. So of a fid that is open in this way a write goes where it says,
//!
//! - where it begins before the end of what the fid that made the file has written itself, as long as all that it wrote lies where
//!   it said. Nobody who appends asks for that: where he believes the end to be is behind his own last write, unless the file was
//!   cut since;
//! - where it begins as pages do, and what the file has there already is what it says. Who appends asks for that only if he does not
//!   know what others have appended since, that begins as pages do, and he says the same as they.

use crate::{Caller, Created, FileRef, Nature, Op, OpenFlags, Place, Result};
use parking_lot::Mutex;

/// How files are open whose pages are written back.
const PAGES: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE).union(OpenFlags::APPEND);

/// Where pages begin, whatever their size.
const PAGE: u64 = 4096;

pub(super) enum Writes {
    WhereTheySay,
    /// At the end, whatever they say.
    ToTheEnd,
    /// At the end, but for pages that are written back.
    ToItsOwnEnd(OwnEnd),
}

/// The end of what the fid has written that made the file; none where some of that lies elsewhere than it said, and of any other fid.
pub(super) struct OwnEnd(Mutex<Option<u64>>);

impl Writes {
    fn of(flags: OpenFlags) -> Writes {
        if flags.contains(OpenFlags::APPEND) { Writes::ToTheEnd } else { Writes::WhereTheySay }
    }

    /// Opens what is there.
    pub fn open<'a>(place: &'a Place, who: &'a Caller, flags: OpenFlags) -> Op<'a, (FileRef, Writes)> {
        let opened = place.open(who, flags).map(move |file| (file, Writes::of(flags)));
        if !flags.contains(PAGES) {
            return opened;
        }
        Op::started(async move {
            let (file, writes) = opened.await?;
            // A server elsewhere appends in one step only to what was opened for that.
            if file.is_remote() || file.nature() != Nature::Storage {
                return Ok((file, writes));
            }
            let told = Writes::flags_to_make(flags) - OpenFlags::TRUNCATE;
            Ok(match place.open(who, told).await {
                Ok(file) => (file, Writes::ToItsOwnEnd(OwnEnd(Mutex::new(None)))),
                Err(_) => (file, writes),
            })
        })
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
            _ if offset.is_multiple_of(PAGE) => Op::started(async move {
                if is_there(file, offset, data).await? {
                    return file.write(offset, data).await;
                }
                self.append(file, offset, data).await
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

/// Whether the file has something from `offset` on, and that is what `data` begins with.
async fn is_there(file: &FileRef, offset: u64, data: &[u8]) -> Result<bool> {
    let there = file.stat().await?.size.saturating_sub(offset);
    let data = &data[..usize::try_from(there).map_or(data.len(), |there| there.min(data.len()))];
    let (mut same, mut has) = (0, vec![0; data.len().min(64 << 10)]);
    while same < data.len() {
        let wanted = has.len().min(data.len() - same);
        let count = file.read(offset + same as u64, &mut has[..wanted]).await?;
        if count == 0 || has[..count] != data[same..same + count] {
            return Ok(false);
        }
        same += count;
    }
    Ok(same > 0)
}
