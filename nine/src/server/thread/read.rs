//! Receiving into memory that nobody has written to. What a large write is received into is as large, and to fill it with zeros
//! before was 7 % of the server's time while 1 MiB was read and written in turn.

use rustix::fd::AsFd;
use std::io;
use tokio::io::ReadBuf;

/// read(2) into what `buf` has left; says how much came.
pub(super) fn read(socket: impl AsFd, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
    // SAFETY: the kernel writes bytes there, and takes none away.
    let (read, _) = rustix::io::read(socket, unsafe { buf.unfilled_mut() })?;
    let read = read.len();
    // SAFETY: it has written so many.
    unsafe { buf.assume_init(read) };
    buf.advance(read);
    Ok(read)
}
