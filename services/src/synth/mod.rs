//! What synthetic trees are made of: directories with fixed entries, texts made when they are read, files that take lines,
//! devices.
//!
//! A synthetic file has length 0 and version 0, so that nobody caches it; its offsets count within one open; truncating it
//! is taken and means nothing, unless the file says otherwise, for a shell's `>` truncates before it writes.

mod attr;
pub(crate) mod ctl;
mod device;
mod dir;
mod edited;
mod file;
mod lines;
mod text;

pub(crate) use attr::Attr;
pub(crate) use ctl::Commanded;
pub(crate) use device::Device;
pub(crate) use dir::{Dir, OpenDir};
pub(crate) use edited::{Edit, Edited};
pub(crate) use file::{Content, File, only_reads};
pub(crate) use text::{Made, Show, Text};

use vfs::{Errno, Op, OpenFlags, Result, SetStat};

/// What a synthetic file does with a setstat: a size is taken (the caller may act on it), times too, owners are not.
pub(crate) fn only_truncates(set: SetStat) -> Result<bool> {
    if set.mode.is_some() || set.uid.is_some() || set.gid.is_some() {
        return Errno::EPERM.into();
    }
    Ok(set.size.is_some())
}

/// Opened by one who only looks around: as grep -r opens what it comes across, and cat does not.
pub(crate) fn only_looks(flags: OpenFlags) -> bool {
    flags.contains(OpenFlags::NONBLOCK) && !flags.contains(OpenFlags::WRITE)
}

/// For files opened with O_NONBLOCK.
pub(crate) fn unless_blocking<T>(nonblock: bool, op: Op<'_, T>) -> Op<'_, T> {
    if nonblock { Op::Done(op.or_again()) } else { op }
}
