//! Work on open files: reading, writing, sizes, and what the kernel may do with the file's pages.

use super::attr::with_groups;
use super::buffer::{Buffer, LARGEST};
use super::handles::Open;
use super::locks::{self, Holder};
use bytes::Bytes;
use fuser::FopenFlags;
use std::sync::Arc;
use vfs::{
    Allocate, Caller, Errno, Extent, FileRef, Interest, Mode, Nature, Op, OpenFlags, Result, SetStat, Stat,
    Writer,
};

/// How the kernel is to treat an open file. `unchanged`: its pages are of the version that is opened now.
pub(super) fn treatment(nature: Nature, flags: OpenFlags, unchanged: bool) -> FopenFlags {
    match nature {
        // Reads and writes of synthetic files are the programs' own, byte for byte; offsets are told, and whoever ignores
        // them may. Not FOPEN_STREAM or NONSEEKABLE: `>>` and the logs' readers need their offsets. The kernel lets
        // writers of one file in one by one all the same where they write past its size, as all do where that is 0.
        Nature::Device | Nature::Stream => {
            FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES
        }
        // The kernel appends where it believes the end to be; we know where it is.
        Nature::Storage if flags.contains(OpenFlags::APPEND) => FopenFlags::FOPEN_DIRECT_IO,
        Nature::Storage if unchanged => FopenFlags::FOPEN_KEEP_CACHE,
        Nature::Storage => FopenFlags::empty(),
    }
}

/// Fails with EAGAIN instead of waiting where the descriptor does not block (which fcntl(2) may change at any time).
async fn now_or_later<T>(op: Op<'_, T>, nonblocking: bool) -> Result<T> {
    if nonblocking { op.or_again() } else { op.await }
}

/// Whether what is asked of `file` is mostly there at once, and may be asked again where it is not.
fn is_at_hand(file: &FileRef) -> bool {
    file.nature() == Nature::Storage && !file.is_remote()
}

/// What a read has brought.
pub(super) enum Data {
    Read(Buffer),
    /// The file's own, not copied.
    Lent(Vec<Bytes>),
}

/// A smaller read is copied for less than it takes to lend it.
const LENT: usize = 32 << 10;

/// [`read`] without a future; none where it takes one.
pub(super) fn read_at_once(open: &Open, offset: u64, size: usize) -> Option<Result<Data>> {
    let file = &open.file;
    if !is_at_hand(file) {
        return None;
    }
    if size >= LENT
        && let Some(parts) = file.read_shared(offset, size.min(LARGEST))
    {
        return Some(Ok(Data::Lent(parts)));
    }
    // The kernel takes less than it asked for as the end of the file.
    let mut buffer = Buffer::take(size);
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(offset + filled as u64, &mut buffer[filled..]).now()? {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(_) if filled > 0 => break,
            Err(error) => return Some(Err(error)),
        }
    }
    buffer.truncate(filled);
    Some(Ok(Data::Read(buffer)))
}

pub(super) async fn read(open: Arc<Open>, offset: u64, size: usize, flags: i32) -> Result<Data> {
    read_copied(open, offset, size, flags).await.map(Data::Read)
}

async fn read_copied(open: Arc<Open>, offset: u64, size: usize, flags: i32) -> Result<Buffer> {
    let nonblocking = flags & libc::O_NONBLOCK != 0;
    let file = &open.file;
    if file.nature() == Nature::Storage {
        let mut buffer = Buffer::take(size);
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(offset + filled as u64, &mut buffer[filled..]).await {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        return Ok(buffer);
    }
    if file.is_remote() {
        // Asked once: a request that is taken back may have been answered.
        let mut buffer = Buffer::waiting(size);
        let read = file.read(offset, &mut buffer).await?;
        buffer.truncate(read);
        return Ok(buffer);
    }
    let mut buffer = Buffer::take(size);
    // Whoever waits gives his large buffer back first; a read that is cancelled has taken nothing.
    if let Some(read) = file.read(offset, &mut buffer).now() {
        buffer.truncate(read?);
        return Ok(buffer);
    }
    if nonblocking {
        return Errno::EAGAIN.into();
    }
    drop(buffer);
    file.ready(Interest::Read).await?;
    // Ready is a guess where the offset counts (the end of a log): the read itself knows.
    let mut buffer = Buffer::waiting(size);
    let read = file.read(offset, &mut buffer).await?;
    buffer.truncate(read);
    Ok(buffer)
}

/// [`flush`] without a future; none where it takes one.
pub(super) fn flush_at_once(open: &Open, holder: Holder) -> Option<Result<()>> {
    if !is_at_hand(&open.file) {
        return None;
    }
    locks::closed_by(open, holder);
    open.file.flush().now()
}

/// `holder` has closed one of his descriptors. That gives up his locks whatever becomes of the late writes (close(2)).
pub(super) async fn flush(open: Arc<Open>, holder: Holder) -> Result<()> {
    locks::closed_by(&open, holder);
    open.file.flush().await
}

/// What a write came with besides its data.
#[derive(Clone, Copy)]
pub(super) struct Write {
    pub(super) offset: u64,
    /// open(2)'s, as they are now; none with pages that the kernel kept.
    pub(super) flags: i32,
    /// The writer may not keep set-id bits alive.
    pub(super) kill_set_id: bool,
}

/// [`write`] without a future, and from the memory that the request lies in; none where it takes more, with nothing written.
pub(super) fn write_at_once(open: &Open, who: &Caller, how: Write, data: &[u8]) -> Option<Result<u32>> {
    if !is_at_hand(&open.file) {
        return None;
    }
    // Whether there are set-id bits to take off is known before; with them it is the long way.
    if how.kill_set_id
        && !matches!(open.place.stat(who).now()?, Ok(stat) if without_set_id(&stat, who, false).is_none())
    {
        return None;
    }
    let written = if how.flags & libc::O_APPEND != 0 {
        open.appender().append(data).now()?.map(|(written, _)| written)
    } else {
        open.file.write(how.offset, data).now()?
    };
    Some(written.map(|written| written as u32))
}

pub(super) async fn write(open: Arc<Open>, who: Caller, how: Write, data: Buffer) -> Result<u32> {
    let nonblocking = how.flags & libc::O_NONBLOCK != 0 && !open.file.is_remote();
    let written = if how.flags & libc::O_APPEND != 0 {
        now_or_later(open.appender().append(&data), nonblocking).await?.0
    } else {
        now_or_later(open.file.write(how.offset, &data), nonblocking).await?
    };
    if how.kill_set_id && open.file.nature() == Nature::Storage {
        drop_set_id(&open, &who).await?;
    }
    // A buffer is 1 MiB at most.
    Ok(written as u32)
}

/// The mode without the set-id bits that go when `who` writes, truncates or gives the file away (write(2), chown(2)), where it
/// has some. `hands`: the owner changes.
pub(super) fn without_set_id(stat: &Stat, who: &Caller, hands: bool) -> Option<Mode> {
    const SET_ID: u32 = libc::S_ISUID | libc::S_ISGID;
    let mode = stat.mode.bits();
    if mode & SET_ID == 0 || stat.kind().is_dir() {
        return None;
    }
    let writer = Writer::new(&Caller { checked: false, ..with_groups(who) });
    let left =
        if hands { writer.gives_away(stat.mode, stat.gid) } else { writer.leaves(stat.mode, stat.gid) };
    (left != stat.mode).then_some(left)
}

async fn drop_set_id(open: &Open, who: &Caller) -> Result<()> {
    let stat = open.place.stat(who).await?;
    match without_set_id(&stat, who, false) {
        Some(mode) => open.place.setstat(who, SetStat { mode: Some(mode), ..SetStat::default() }).await,
        None => Ok(()),
    }
}

pub(super) async fn allocate(
    open: Arc<Open>,
    who: Caller,
    offset: u64,
    length: u64,
    mode: i32,
) -> Result<()> {
    let how = Allocate::from_bits(mode as u32).ok_or(Errno::EOPNOTSUPP)?;
    open.file.allocate(offset, length, how).await?;
    if who.is_root() { Ok(()) } else { drop_set_id(&open, &who).await }
}

/// lseek(2) with SEEK_DATA or SEEK_HOLE. A file that does not know its holes is one piece of data.
pub(super) async fn seek(open: Arc<Open>, who: Caller, offset: i64, whence: i32) -> Result<i64> {
    let extent = match whence {
        libc::SEEK_DATA => Extent::Data,
        libc::SEEK_HOLE => Extent::Hole,
        _ => return Errno::EINVAL.into(),
    };
    let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
    let found = match open.file.seek(from, extent).await {
        Err(error) if error.is(Errno::EOPNOTSUPP) => {
            let size = open.place.stat(&who).await?.size;
            if from >= size {
                return Errno::ENXIO.into();
            }
            if extent == Extent::Data { from } else { size }
        }
        found => found?,
    };
    i64::try_from(found).map_err(|_| Errno::EOVERFLOW.into())
}
