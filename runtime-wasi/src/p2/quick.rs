//! The calls that components make most, done at once where nothing has to be waited for: no future of their own, no reference
//! counted, no node for a file that is only opened.
//!
//! Each is the same call as its asynchronous namesake, for the common case. None says that it is not that, or that there is
//! something to wait for; nothing was changed then, and the namesake does it from the start.

use super::Guest;
use super::descriptor::{Descriptor, Handle};
use super::fault::Result;
use super::files::{describe, identity, read_length};
use super::looked::Subject;
use super::names::{checked, follow, opening};
use crate::open::{Found, Open};
use crate::paths;
use std::sync::Arc;
use task::Usage;
use vfs::{Kind, OpenFlags, Opened};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorStat, MetadataHashValue, OpenFlags as Oflags, PathFlags,
};

/// The value of an operation that was done at once.
macro_rules! done {
    ($operation:expr) => {
        match $operation {
            Some(done) => done?,
            None => return Ok(None),
        }
    };
}

pub(super) fn read(
    guest: &mut Guest,
    (this, length, offset): &(Handle, u64, u64),
) -> Result<Option<(Arc<Vec<u8>>, bool)>> {
    let descriptor = guest.table.get(this)?;
    let (open, file) = (descriptor.open(), descriptor.open_for(DescriptorFlags::READ)?);
    if !open.stores {
        return Ok(None);
    }
    let length = read_length(*length);
    let data = guest.passing.room(length);
    let n = match open.direct(file) {
        Some(direct) => direct.read(*offset, data)?,
        None => done!(file.read(*offset, data).now()),
    };
    Usage::add(&guest.usage.read_bytes, n as u64);
    Ok(Some((guest.passing.give(n), n == 0)))
}

pub(super) fn write(guest: &Guest, this: &Handle, data: &[u8], offset: u64) -> Result<Option<u64>> {
    let descriptor = guest.table.get(this)?;
    let (open, file) = (descriptor.open(), descriptor.open_for(DescriptorFlags::WRITE)?);
    // What is asked of others, and not awaited, may be half done.
    if !open.stores {
        return Ok(None);
    }
    let n = match open.direct(file).and_then(|direct| direct.write(offset, data)) {
        Some(written) => written?,
        None => done!(file.write(offset, data).now()),
    };
    Usage::add(&guest.usage.written_bytes, n as u64);
    Ok(Some(n as u64))
}

/// Closes it, where nothing is late; else changes nothing.
pub(super) fn drop_descriptor(guest: &mut Guest, this: Handle) -> wasmtime::Result<Option<()>> {
    let descriptor = guest.table.get(&this)?;
    if descriptor.file().is_some_and(|file| file.flush().now().is_none()) {
        return Ok(None);
    }
    guest.say_dropped(this.rep());
    guest.close(this)?;
    Ok(Some(()))
}

pub(super) fn stat(guest: &mut Guest, (this,): &(Handle,)) -> Result<Option<DescriptorStat>> {
    let subject = Subject::itself(this);
    if let Some(known) = shown(guest, subject) {
        return Ok(Some(known));
    }
    let Some((stat, identity)) = look_at(guest, this)? else { return Ok(None) };
    guest.looked.told(guest.calls(), subject, &stat, identity);
    Ok(Some(stat))
}

/// An open file that is known by its descriptor alone stays so: its identity is told by a look at it.
pub(super) fn metadata_hash(guest: &mut Guest, this: &Handle) -> Result<Option<MetadataHashValue>> {
    let subject = Subject::itself(this);
    if let Some(known) = guest.looked.identity(guest.calls(), subject) {
        return Ok(Some(known));
    }
    let open = guest.table.get(this)?.open();
    if let Some(node) = open.known_node() {
        return Ok(Some(identity(open.identity(node), node)));
    }
    let Some((stat, identity)) = look_at(guest, this)? else { return Ok(None) };
    guest.looked.told_identity(guest.calls(), subject, stat);
    Ok(Some(identity))
}

/// What the guest's call before this one has seen of it, while it asked for its identity.
fn shown(guest: &Guest, subject: Subject<'_>) -> Option<DescriptorStat> {
    // A guest whose calls wasmtime lowers may have waited in between, on a stream, which is not heard of here.
    guest.memory.and_then(|_| guest.looked.stat(guest.calls(), subject))
}

fn look_at(guest: &Guest, this: &Handle) -> Result<Option<(DescriptorStat, MetadataHashValue)>> {
    let open = guest.table.get(this)?.open();
    let (node, stat) = match open.direct_node() {
        Some((direct, node)) if let Some(measure) = direct.measure() => (node, describe(node.kind, measure?)),
        _ => {
            let stat = match &open.file {
                Some(file) => file.stat().now(),
                None => open.node().stat().now(),
            };
            let stat = done!(stat);
            open.is_of(stat.qid);
            (stat.qid, describe(stat.kind(), &stat))
        }
    };
    Ok(Some((stat, identity(open.identity(node), node))))
}

pub(super) fn open_at(
    guest: &mut Guest,
    (this, _lookup, path, how, flags): &(Handle, PathFlags, String, Oflags, DescriptorFlags),
) -> Result<Option<Handle>> {
    if how.contains(Oflags::DIRECTORY) {
        return Ok(None);
    }
    guest.room()?;
    let (dir, path) = (guest.table.get(this)?.dir()?, checked(path)?);
    let (who, open): (_, OpenFlags) = (&guest.who, opening(*how, *flags));
    let opened = if how.contains(Oflags::CREATE) {
        dir.open_or_create_at_once(who, path, paths::FILE_MODE, open, &mut guest.recall)
    } else {
        dir.open_at_once(who, path, open, &mut guest.recall)
    };
    let Opened { file, aspect } = done!(opened);
    let opened = Open::opened(Found::Once(aspect), file, Kind::File);
    Ok(Some(guest.open(Descriptor::new(opened, *flags))?))
}

pub(super) fn stat_at(
    guest: &mut Guest,
    (this, flags, path): &(Handle, PathFlags, String),
) -> Result<Option<DescriptorStat>> {
    if let Some(known) = shown(guest, Subject::named(this, *flags, path)) {
        return Ok(Some(known));
    }
    let Some((stat, identity)) = look(guest, this, *flags, path)? else { return Ok(None) };
    guest.looked.told(guest.calls(), Subject::named(this, *flags, path), &stat, identity);
    Ok(Some(stat))
}

fn look(
    guest: &mut Guest,
    this: &Handle,
    flags: PathFlags,
    path: &str,
) -> Result<Option<(DescriptorStat, MetadataHashValue)>> {
    let dir = guest.table.get(this)?.dir()?;
    let mut stat = None;
    let name = checked(path)?;
    let node = done!(dir.look_at_once(&guest.who, name, follow(flags), &mut guest.recall, &mut stat));
    Ok(stat.map(|stat| (describe(stat.kind(), &stat), identity(stat.qid.path, node))))
}

pub(super) fn metadata_hash_at(
    guest: &mut Guest,
    (this, flags, path): &(Handle, PathFlags, String),
) -> Result<Option<MetadataHashValue>> {
    if let Some(known) = guest.looked.identity(guest.calls(), Subject::named(this, *flags, path)) {
        return Ok(Some(known));
    }
    let Some((stat, identity)) = look(guest, this, *flags, path)? else { return Ok(None) };
    guest.looked.told_identity(guest.calls(), Subject::named(this, *flags, path), stat);
    Ok(Some(identity))
}

pub(super) fn unlink_file_at(guest: &mut Guest, (this, path): &(Handle, String)) -> Result<Option<()>> {
    let dir = guest.table.get(this)?.dir()?;
    dir.remove_at_once(&guest.who, checked(path)?, &mut guest.recall).transpose().map_err(Into::into)
}
