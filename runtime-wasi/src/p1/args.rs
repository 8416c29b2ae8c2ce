//! The guest's arguments and environment: both are an array of pointers, and the strings they point to, each ended by a NUL.

use super::Call;
use crate::memory::GuestMemory;
use vfs::{Errno, Result};

pub(super) fn args_get(call: &mut Call<'_>, argv: u32, buf: u32) -> Result<()> {
    put_strings(&mut call.memory, &call.guest.args, argv, buf)
}

pub(super) fn args_sizes_get(call: &mut Call<'_>, count: u32, size: u32) -> Result<()> {
    put_sizes(&mut call.memory, &call.guest.args, count, size)
}

pub(super) fn environ_get(call: &mut Call<'_>, environ: u32, buf: u32) -> Result<()> {
    put_strings(&mut call.memory, &call.guest.env, environ, buf)
}

pub(super) fn environ_sizes_get(call: &mut Call<'_>, count: u32, size: u32) -> Result<()> {
    put_sizes(&mut call.memory, &call.guest.env, count, size)
}

fn put_strings(memory: &mut GuestMemory<'_>, strings: &[Vec<u8>], mut at: u32, mut buf: u32) -> Result<()> {
    let step = |at: u32, by: usize| {
        u32::try_from(by).ok().and_then(|by| at.checked_add(by)).ok_or(vfs::Error::from(Errno::EFAULT))
    };
    for string in strings {
        memory.put_u32(at, buf)?;
        memory.put(buf, string)?;
        buf = step(buf, string.len())?;
        memory.put(buf, &[0])?;
        buf = step(buf, 1)?;
        at = step(at, 4)?;
    }
    Ok(())
}

fn put_sizes(memory: &mut GuestMemory<'_>, strings: &[Vec<u8>], count: u32, size: u32) -> Result<()> {
    let total: usize = strings.iter().map(|string| string.len() + 1).sum();
    memory.put_u32(count, u32::try_from(strings.len()).map_err(|_| Errno::E2BIG)?)?;
    memory.put_u32(size, u32::try_from(total).map_err(|_| Errno::E2BIG)?)
}
