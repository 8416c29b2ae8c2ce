//! Tread, Twrite, Tfsync.

use std::sync::Arc;
use std::task::Context;

use super::check_offset;
use crate::server::answer::Error;
use crate::server::fid::{FidEntry, Rest, State};
use crate::server::files::FileServer;
use crate::server::held::{CalledInto, call, call_into};
use crate::server::input::Input;
use crate::server::output::Segment;
use crate::server::session::{Body, Done, Request, Session};
use crate::wire::{Data, Dialect, Fid, FsyncKind, IO_HEADER, OpenFlags, READ_OVERHEAD, Rmessage, Sink};

/// The most that one read of a stream gives: a read that waits keeps its buffer.
const STREAM_READ: usize = 32 << 10;

/// Reads from this size on are worth the bookkeeping of not copying what they give.
const WORTH_SHARING: usize = 128 << 10;

/// Linux fills a reader's buffer: after a short read at `offset` it asks for the rest, at `offset + n`, before it
/// returns. On a stream that request would wait for what comes next, and the reader would not see what is there. So
/// exactly that request is answered with nothing, once.
///
/// A buffer larger than a message makes `asked` as much as a message holds (`most`), and the rest may be as much again,
/// which is also what a client asks that does not fill buffers. Only from Linux, whose every short read is followed by one
/// for the rest (but for files opened O_NONBLOCK), is that taken for the rest.
fn note_short_read<F: FileServer>(entry: &FidEntry<F>, offset: u64, asked: u32, got: usize, fills: Fills) {
    let (got, Some(open)) = (got as u32, entry.opened()) else { return };
    let up_to = |rest| match fills {
        Fills::Not => None,
        Fills::Beyond { most } if asked == most && !open.flags.contains(OpenFlags::NONBLOCK) => Some(asked),
        Fills::Beyond { .. } => Some(rest),
    };
    let short = asked.checked_sub(got).filter(|&rest| got > 0 && rest > 0);
    if let Some((rest, up_to)) = short.and_then(|rest| Some((rest, up_to(rest)?))) {
        *open.rest.lock() = Some(Rest { offset: offset.wrapping_add(got.into()), counts: rest..=up_to });
    }
}

/// What a client does after a short read of a stream.
#[derive(Clone, Copy)]
enum Fills {
    /// Nothing: its readers get what came.
    Not,
    /// It asks for the rest of its buffer; of one larger than a message for `most` at a time.
    Beyond { most: u32 },
}

impl<F: FileServer> Session<F> {
    pub(super) fn read(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        fid: Fid,
        offset: u64,
        count: u32,
    ) -> Result<(), Error> {
        check_offset(offset)?;
        let entry = self.fids.get(fid)?;
        let limit = (count as usize).min(self.data_limit());
        let open = match &entry.state {
            State::Open(open) => open,
            State::XattrValue(value) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(value.len());
                let data = value[from..(from + limit).min(value.len())].to_vec();
                self.reply(request.tag, Ok(Body::Bytes(data).into()));
                return Ok(());
            }
            State::Path | State::XattrSink { .. } => return Err(Error::NOT_OPEN),
        };
        if !open.flags.reads() {
            return Err(Error::new(9, "fid not open for reading"));
        }
        if open.is_dir {
            return match self.dialect() {
                Dialect::P9P2000L => Err(Error::IS_DIRECTORY),
                Dialect::P9P2000 | Dialect::P9P2000U => {
                    let entry = entry.clone();
                    self.classic_readdir(cx, request, entry, offset, limit)
                }
            };
        }
        // Others than Linux mean what they ask: who fills a buffer himself would take nothing for the end.
        let fills = match open.is_stream && self.is_linux() {
            true => Fills::Beyond { most: self.msize() - IO_HEADER },
            false => Fills::Not,
        };
        let limit = if open.is_stream { limit.min(STREAM_READ) } else { limit };
        let is_rest = |rest: Rest| rest.offset == offset && rest.counts.contains(&count);
        if !matches!(fills, Fills::Not) && open.rest.lock().take().is_some_and(is_rest) {
            self.reply(request.tag, Ok(Done::message(Rmessage::Read { data: Data(&[]) })));
            return Ok(());
        }
        if limit >= WORTH_SHARING
            && !open.is_stream
            && let Some(file) = entry.file()
            && let Some(parts) = self.files.read_shared(file, offset, limit)
        {
            self.send_shared(request.tag, parts);
            return Ok(());
        }
        self.read_into_reply(request, fid, offset, count, limit, fills)
    }

    /// Has the file put its data where the reply is to carry it.
    fn read_into_reply(
        &mut self,
        request: Request,
        fid: Fid,
        offset: u64,
        count: u32,
        limit: usize,
        fills: Fills,
    ) -> Result<(), Error> {
        let entry = self.fids.opened(fid)?;
        let Segment { bytes, start, end } = self.out.take_room(READ_OVERHEAD + limit);
        let data = end + READ_OVERHEAD..end + READ_OVERHEAD + limit;
        let place = data.clone();
        let called =
            call_into(&self.files, entry, bytes, |files, entry, bytes: &mut [u8]| match entry.file() {
                Some(file) => files.read(file, offset, &mut bytes[place]),
                None => Error::NOT_OPEN.into(),
            });
        match called {
            CalledInto::Now(result, bytes) => {
                let segment = Segment { bytes, start, end };
                match result.map(|got| got.min(limit)) {
                    Ok(got) => {
                        note_short_read(entry, offset, count, got, fills);
                        self.send_data(request.tag, segment, got);
                    }
                    Err(error) => {
                        self.out.put_back(segment);
                        return Err(error);
                    }
                }
            }
            CalledInto::Later(held) => {
                // The segment stays with the file; what was to be sent from it goes out on its own.
                let before = held.before(end);
                self.out.prepare();
                self.out.put(&before[start..]);
                let pinned = held.lent();
                self.pend(request, pinned, async move {
                    let (result, (_files, entry, bytes)) = held.await;
                    let got = result?.min(limit);
                    note_short_read(&entry, offset, count, got, fills);
                    // The header goes in front of the data, where there was room for it.
                    Ok(Body::Data(Segment { bytes, start: end, end }, got).into())
                });
            }
        }
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        request: Request,
        frame: &Arc<Input>,
        fid: Fid,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Error> {
        check_offset(offset)?;
        check_offset(offset.saturating_add(data.len() as u64))?;
        let entry = self.fids.get(fid)?;
        match &entry.state {
            State::Open(open) if open.is_dir => return Err(Error::IS_DIRECTORY),
            State::Open(open) if open.flags.writes() => {}
            State::Open(_) => return Err(Error::new(9, "fid not open for writing")),
            State::XattrSink { .. } => {
                let count = entry.xattr_write(offset, data)?;
                self.reply(request.tag, Ok(Done::message(Rmessage::Write { count })));
                return Ok(());
            }
            State::Path | State::XattrValue(_) => return Err(Error::NOT_OPEN),
        }
        let len = data.len();
        let called = call(&self.files, entry, frame, data, |files, entry, data| match entry.file() {
            Some(file) => files.write(file, offset, data),
            None => Error::NOT_OPEN.into(),
        });
        self.answer(request, frame.bytes().len(), called, move |wrote| {
            Ok(Done::message(Rmessage::Write { count: wrote.min(len) as u32 }))
        });
        Ok(())
    }

    pub(super) fn fsync(
        &mut self,
        request: Request,
        frame: &Arc<Input>,
        fid: Fid,
        kind: FsyncKind,
    ) -> Result<(), Error> {
        let entry = self.fids.opened(fid)?;
        let data_only = kind.contains(FsyncKind::DATA_ONLY);
        let called = call(&self.files, entry, frame, &[], |files, entry, _| match entry.file() {
            Some(file) => files.fsync(file, data_only),
            None => Error::NOT_OPEN.into(),
        });
        self.answer(request, 0, called, |()| Ok(Done::message(Rmessage::Fsync {})));
        Ok(())
    }
}

impl<F: FileServer> FidEntry<F> {
    /// Collects a piece of an attribute's value.
    fn xattr_write(&self, offset: u64, data: &[u8]) -> Result<u32, Error> {
        let State::XattrSink { size, value, .. } = &self.state else { return Err(Error::NOT_OPEN) };
        let mut value = value.lock();
        if offset != value.len() as u64 || data.len() > size - value.len() {
            return Err(Error::new(
                22,
                "an extended attribute is written in order, up to the size announced",
            ));
        }
        value.extend_from_slice(data);
        Ok(data.len() as u32)
    }
}
