//! Reading and writing: straight between a file and the guest's memory.

use super::Call;
use super::abi::{FdFlags, Rights};
use crate::memory::GuestMemory;
use task::Exit;
use vfs::{Errno, Nature, Result};

/// IOV_MAX: more buffers than this are EINVAL, as in readv(2).
const MAX_BUFFERS: u32 = 1024;
/// A call moves at most this many bytes: others want the thread too. Short counts are what read(2) and write(2) allow.
const MAX_TRANSFER: usize = 64 << 20;
/// Several buffers are written as one up to this many bytes.
const MAX_GATHERED: usize = 1 << 20;

pub(super) async fn fd_read(call: &mut Call<'_>, fd: u32, iovs: u32, count: u32, out: u32) -> Result<()> {
    let n = read(call, fd, iovs, count, None).await?;
    call.guest.fds.get_mut(fd)?.offset += n as u64;
    call.memory.put_u32(out, n as u32)
}

pub(super) async fn fd_pread(
    call: &mut Call<'_>,
    fd: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    out: u32,
) -> Result<()> {
    let n = read(call, fd, iovs, count, Some(offset)).await?;
    call.memory.put_u32(out, n as u32)
}

pub(super) async fn fd_write(call: &mut Call<'_>, fd: u32, iovs: u32, count: u32, out: u32) -> Result<()> {
    let written = write(call, fd, iovs, count, None).await;
    if written.as_ref().is_err_and(|error| error.is(Errno::EPIPE)) && call.guest.fds.get(fd)?.open.is_stdio()
    {
        // No module can say that it wants to hear of it: what SIGPIPE does by itself is what happens.
        call.guest.control.kill(broken_pipe());
        std::future::pending::<()>().await;
    }
    let (n, offset) = written?;
    call.guest.fds.get_mut(fd)?.offset = offset;
    call.memory.put_u32(out, n as u32)
}

pub(super) async fn fd_pwrite(
    call: &mut Call<'_>,
    fd: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    out: u32,
) -> Result<()> {
    let (n, _) = write(call, fd, iovs, count, Some(offset)).await?;
    call.memory.put_u32(out, n as u32)
}

async fn read(call: &mut Call<'_>, fd: u32, iovs: u32, count: u32, at: Option<u64>) -> Result<usize> {
    if count > MAX_BUFFERS {
        return Errno::EINVAL.into();
    }
    let descriptor = call.guest.fds.get(fd)?;
    let file = descriptor.open_for(Rights::FD_READ)?.clone();
    if at.is_some() && descriptor.open.is_stream() {
        return Errno::ESPIPE.into();
    }
    let start = at.unwrap_or(descriptor.offset);
    let storage = file.nature() == Nature::Storage;
    let nonblock = descriptor.flags.contains(FdFlags::NONBLOCK) && !storage && !file.is_remote();
    let mut total = 0;
    for index in 0..count {
        let (buf, len) = call.memory.iovec(iovs, index)?;
        let len = len.min(MAX_TRANSFER - total);
        if len == 0 {
            continue;
        }
        if total > 0 && !storage && file.is_remote() {
            // What is asked of a peer and not awaited may be lost.
            break;
        }
        let offset = start.checked_add(total as u64).ok_or(Errno::EINVAL)?;
        let op = file.read(offset, call.memory.bytes_mut(buf, len)?);
        let result = if storage || (total == 0 && !nonblock) {
            op.await
        } else {
            // A stream's first bytes are enough: what would wait for more is left for the next call.
            op.or_again()
        };
        match result {
            Ok(n) => {
                total += n;
                if n < len {
                    break;
                }
            }
            Err(_) if total > 0 => break,
            Err(error) => return Err(error),
        }
    }
    call.guest.tally.read_bytes += total as u64;
    Ok(total)
}

/// The end of a program whose reader is gone.
pub(crate) fn broken_pipe() -> Exit {
    Exit::killed(128 + libc::SIGPIPE, "killed by SIGPIPE")
}

/// What is to be written, in one piece: others who append to the same file, or write to the same pipe, do not come between
/// (write(2)). None where it is longer than anybody counts on.
fn gather(memory: &GuestMemory<'_>, iovs: u32, count: u32) -> Result<Option<Vec<u8>>> {
    let mut total = 0;
    for index in 0..count {
        total += memory.iovec(iovs, index)?.1;
    }
    if total > MAX_GATHERED {
        return Ok(None);
    }
    let mut gathered = Vec::with_capacity(total);
    for index in 0..count {
        let (buf, len) = memory.iovec(iovs, index)?;
        gathered.extend_from_slice(memory.bytes(buf, len)?);
    }
    Ok(Some(gathered))
}

/// Gives the bytes written and the offset behind them.
async fn write(call: &mut Call<'_>, fd: u32, iovs: u32, count: u32, at: Option<u64>) -> Result<(usize, u64)> {
    if count > MAX_BUFFERS {
        return Errno::EINVAL.into();
    }
    let descriptor = call.guest.fds.get(fd)?;
    let file = descriptor.open_for(Rights::FD_WRITE)?.clone();
    if at.is_some() && descriptor.open.is_stream() {
        return Errno::ESPIPE.into();
    }
    let append = at.is_none() && (descriptor.appends || descriptor.flags.contains(FdFlags::APPEND));
    let start = at.unwrap_or(descriptor.offset);
    let stores = file.nature() == Nature::Storage;
    let nonblock = descriptor.flags.contains(FdFlags::NONBLOCK) && !stores && !file.is_remote();
    let gathered = if count > 1 { gather(&call.memory, iovs, count)? } else { None };
    let pieces = if gathered.is_some() { 1 } else { count };
    let mut total = 0;
    let mut end = start;
    'pieces: for index in 0..pieces {
        let data = match &gathered {
            Some(gathered) => gathered,
            None => {
                let (buf, len) = call.memory.iovec(iovs, index)?;
                call.memory.bytes(buf, len.min(MAX_TRANSFER - total))?
            }
        };
        let mut rest = data;
        while !rest.is_empty() {
            let result = if append {
                let op = file.append(rest);
                if nonblock { op.or_again() } else { op.await }
            } else {
                let offset = start.checked_add(total as u64).ok_or(Errno::EFBIG)?;
                let op = file.write(offset, rest).map(move |n| (n, offset + n as u64));
                if nonblock { op.or_again() } else { op.await }
            };
            match result {
                Ok((n, behind)) => {
                    total += n;
                    end = behind;
                    rest = &rest[n.min(rest.len())..];
                    // What waits for a reader takes all in the end (write(2), of pipes); another short write has its reason.
                    if !rest.is_empty() && (n == 0 || nonblock || stores) {
                        break 'pieces;
                    }
                }
                Err(_) if total > 0 => break 'pieces,
                Err(error) => return Err(error),
            }
        }
    }
    call.guest.tally.written_bytes += total as u64;
    Ok((total, end))
}
