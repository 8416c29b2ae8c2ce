//! Calls on a descriptor itself: reading, writing, its size, times, flags and identity, its streams and its end.

use super::Guest;
use super::call::{self, define, define_at_once};
use super::descriptor::{Descriptor, Handle};
use super::fault::{self, Result};
use super::input::FileInput;
use super::output::{FileOutput, Position};
use super::quick;
use crate::open::Found;
use std::future::ready;
use std::sync::Arc;
use task::Usage;
use vfs::{Errno, FileRef, Kind, Measure, Nature, Qid, SetStat, SetTime, Time};
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource, ResourceType, WasmList};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, MetadataHashValue, NewTimestamp,
};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// A call reads at most this many bytes: they are held by the server until the guest has made room for them.
pub(super) const MAX_READ: usize = 1 << 20;

pub(super) fn define(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.resource_async("descriptor", ResourceType::host::<Descriptor>(), |mut store, rep| {
        Box::new(async move { drop_descriptor(store.data_mut(), Resource::new_own(rep)).await })
    })?;
    define_at_once! { instance
        "[method]descriptor.advise"(this: Handle, offset: u64, length: u64, advice: Advice) -> () = advise;
        "[method]descriptor.append-via-stream"(this: Handle) -> Resource<DynOutputStream> = append_via_stream;
        "[method]descriptor.get-flags"(this: Handle) -> DescriptorFlags = get_flags;
        "[method]descriptor.get-type"(this: Handle) -> DescriptorType = get_type;
        "[method]descriptor.metadata-hash"(this: Handle) -> MetadataHashValue = metadata_hash;
        "[method]descriptor.read-via-stream"(this: Handle, offset: u64) -> Resource<DynInputStream> = read_via_stream;
        "[method]descriptor.write-via-stream"(this: Handle, offset: u64) -> Resource<DynOutputStream> = write_via_stream;
    }
    define! { instance
        "[method]descriptor.read"(this: Handle, length: u64, offset: u64) -> (Arc<Vec<u8>>, bool) = read, at once quick::read;
        "[method]descriptor.set-size"(this: Handle, size: u64) -> () = set_size;
        "[method]descriptor.set-times"(this: Handle, atime: NewTimestamp, mtime: NewTimestamp) -> () = set_times;
        "[method]descriptor.stat"(this: Handle) -> DescriptorStat = stat, at once quick::stat;
        "[method]descriptor.sync"(this: Handle) -> () = sync;
        "[method]descriptor.sync-data"(this: Handle) -> () = sync_data;
    }
    instance.func_wrap_async(
        "[method]descriptor.write",
        |mut store: StoreContextMut<'_, Guest>, (this, data, offset): (Handle, WasmList<u8>, u64)| {
            let shown = store.data().trace.is_on();
            let shown = shown.then(|| call::show(&[&this, &(data.len() as u64), &offset]));
            let bytes = data.as_le_slice(&store);
            if let Some(result) = quick::write(store.data(), &this, bytes, offset).transpose() {
                return Box::new(ready(call::end(store.data(), "write", shown, result)));
            }
            // What has to wait is copied out of the guest's memory.
            let data = bytes.to_vec();
            Box::new(async move {
                let guest = store.data_mut();
                let result = write(guest, this, data, offset).await;
                call::end(guest, "write", shown, result)
            })
        },
    )?;
    instance.func_wrap(
        "[method]descriptor.is-same-object",
        |store: StoreContextMut<'_, Guest>, (this, other): (Handle, Handle)| {
            Ok((is_same_object(store.data(), &this, &other)?,))
        },
    )?;
    instance.func_wrap(
        "filesystem-error-code",
        |store: StoreContextMut<'_, Guest>, (error,): (Resource<wasmtime::Error>,)| {
            Ok((error_code(store.data(), &error)?,))
        },
    )
}

pub(super) fn is_same_object(guest: &Guest, this: &Handle, other: &Handle) -> wasmtime::Result<bool> {
    let (this, other) = (guest.table.get(this)?, guest.table.get(other)?);
    Ok(this.node().qid().path == other.node().qid().path)
}

/// What a stream's error was, where it was a file's.
pub(super) fn error_code(
    guest: &Guest,
    error: &Resource<wasmtime::Error>,
) -> wasmtime::Result<Option<ErrorCode>> {
    let error = guest.table.get(error)?;
    Ok(error.downcast_ref::<vfs::Error>().map(|error| fault::code(error.errno())))
}

/// Closing: what late writes have to complain of has no way to the guest.
pub(super) async fn drop_descriptor(guest: &mut Guest, this: Handle) -> wasmtime::Result<()> {
    let number = this.rep();
    let descriptor = guest.close(this)?;
    guest.say_dropped(number);
    if let Some(file) = descriptor.file() {
        let _ = file.flush().await;
    }
    Ok(())
}

pub(super) fn advise(
    guest: &mut Guest,
    this: Handle,
    offset: u64,
    length: u64,
    _advice: Advice,
) -> Result<()> {
    let descriptor = guest.descriptor(&this)?;
    if descriptor.is_dir() {
        return Err(Errno::EBADF.into());
    }
    if descriptor.open().is_stream() {
        return Err(Errno::ESPIPE.into());
    }
    // No advice helps this namespace, but some is wrong (posix_fadvise(2)).
    if offset.checked_add(length).is_none() {
        return Err(Errno::EINVAL.into());
    }
    Ok(())
}

pub(super) fn get_flags(guest: &mut Guest, this: Handle) -> Result<DescriptorFlags> {
    Ok(guest.descriptor(&this)?.flags())
}

pub(super) fn get_type(guest: &mut Guest, this: Handle) -> Result<DescriptorType> {
    Ok(shown_kind(guest.descriptor(&this)?.open().kind))
}

pub(super) fn shown_kind(kind: Kind) -> DescriptorType {
    match kind {
        Kind::BlockDevice => DescriptorType::BlockDevice,
        Kind::CharDevice => DescriptorType::CharacterDevice,
        Kind::Dir => DescriptorType::Directory,
        Kind::Fifo => DescriptorType::Fifo,
        Kind::Symlink => DescriptorType::SymbolicLink,
        Kind::File => DescriptorType::RegularFile,
        Kind::Socket => DescriptorType::Socket,
    }
}

pub(super) fn read_length(wanted: u64) -> usize {
    usize::try_from(wanted).unwrap_or(MAX_READ).min(MAX_READ)
}

pub(super) async fn read(
    guest: &mut Guest,
    this: Handle,
    length: u64,
    offset: u64,
) -> Result<(Arc<Vec<u8>>, bool)> {
    let descriptor = guest.descriptor(&this)?;
    let file = descriptor.open_for(DescriptorFlags::READ)?;
    let length = read_length(length);
    let mut data = vec![0; length];
    let n = file.read(offset, &mut data).await?;
    data.truncate(n);
    Usage::add(&guest.usage.read_bytes, n as u64);
    Ok((Arc::new(data), n == 0))
}

pub(super) async fn write(guest: &mut Guest, this: Handle, data: Vec<u8>, offset: u64) -> Result<u64> {
    let descriptor = guest.descriptor(&this)?;
    let n = descriptor.open_for(DescriptorFlags::WRITE)?.write(offset, &data).await?;
    Usage::add(&guest.usage.written_bytes, n as u64);
    Ok(n as u64)
}

/// The file that a stream is of. One that keeps what is written is ready for both, however it was opened (poll(2)), and says what it
/// was not opened for when that is done.
fn streamed(descriptor: &Descriptor, way: DescriptorFlags) -> Result<FileRef> {
    match descriptor.file() {
        Some(file) if file.nature() == Nature::Storage && file.kind() == Kind::File => Ok(file.clone()),
        _ => Ok(descriptor.open_for(way)?.clone()),
    }
}

pub(super) fn read_via_stream(
    guest: &mut Guest,
    this: Handle,
    offset: u64,
) -> Result<Resource<DynInputStream>> {
    let descriptor = guest.descriptor(&this)?;
    let file = streamed(&descriptor, DescriptorFlags::READ)?;
    let stream: DynInputStream = Box::new(FileInput::new(guest, file, this.rep(), offset));
    Ok(guest.table.push(stream)?)
}

pub(super) fn write_via_stream(
    guest: &mut Guest,
    this: Handle,
    offset: u64,
) -> Result<Resource<DynOutputStream>> {
    output(guest, &this, Position::At(offset))
}

pub(super) fn append_via_stream(guest: &mut Guest, this: Handle) -> Result<Resource<DynOutputStream>> {
    output(guest, &this, Position::End)
}

fn output(guest: &mut Guest, this: &Handle, position: Position) -> Result<Resource<DynOutputStream>> {
    let descriptor = guest.descriptor(this)?;
    let file = streamed(&descriptor, DescriptorFlags::WRITE)?;
    let stream: DynOutputStream = Box::new(FileOutput::new(guest, file, this.rep(), position));
    Ok(guest.table.push(stream)?)
}

pub(super) async fn set_size(guest: &mut Guest, this: Handle, size: u64) -> Result<()> {
    let descriptor = guest.descriptor(&this)?;
    let file = descriptor.open_for(DescriptorFlags::WRITE)?;
    if i64::try_from(size).is_err() {
        return Err(Errno::EFBIG.into());
    }
    Ok(file.set_size(size).await?)
}

/// The times that a guest asks for.
pub(super) fn times(atime: NewTimestamp, mtime: NewTimestamp) -> Result<SetStat, vfs::Error> {
    let time = |time| match time {
        NewTimestamp::NoChange => Ok(None),
        NewTimestamp::Now => Ok(Some(SetTime::Now)),
        NewTimestamp::Timestamp(Datetime { seconds, nanoseconds }) => match i64::try_from(seconds) {
            Ok(secs) if nanoseconds < 1_000_000_000 => {
                Ok(Some(SetTime::To(Time { secs, nanos: nanoseconds })))
            }
            _ => Err(vfs::Error::from(Errno::EINVAL)),
        },
    };
    Ok(SetStat { atime: time(atime)?, mtime: time(mtime)?, ..SetStat::default() })
}

pub(super) async fn set_times(
    guest: &mut Guest,
    this: Handle,
    atime: NewTimestamp,
    mtime: NewTimestamp,
) -> Result<()> {
    let set = times(atime, mtime)?;
    let descriptor = guest.descriptor(&this)?;
    let changed = match descriptor.found() {
        Found::At(place) => place.setstat(&guest.who, set).await,
        Found::Once(_) | Found::Stdio => vfs::setstat(descriptor.node(), &guest.who, set).await,
    };
    Ok(changed?)
}

pub(super) async fn stat(guest: &mut Guest, this: Handle) -> Result<DescriptorStat> {
    let descriptor = guest.descriptor(&this)?;
    let stat = match descriptor.file() {
        Some(file) => file.stat().await?,
        None => descriptor.node().stat().await?,
    };
    Ok(describe(stat.kind(), &stat))
}

/// What a guest is told of a file. A time before the epoch cannot be said, and is left out.
pub(super) fn describe(kind: Kind, measure: impl Into<Measure>) -> DescriptorStat {
    let Measure { nlink, size, atime, mtime, ctime } = measure.into();
    let time = |time: Time| {
        u64::try_from(time.secs).ok().map(|seconds| Datetime { seconds, nanoseconds: time.nanos })
    };
    DescriptorStat {
        type_: shown_kind(kind),
        link_count: nlink,
        size,
        data_access_timestamp: time(atime),
        data_modification_timestamp: time(mtime),
        status_change_timestamp: time(ctime),
    }
}

pub(super) async fn sync(guest: &mut Guest, this: Handle) -> Result<()> {
    fsync(guest.descriptor(&this)?, false).await
}

pub(super) async fn sync_data(guest: &mut Guest, this: Handle) -> Result<()> {
    fsync(guest.descriptor(&this)?, true).await
}

async fn fsync(descriptor: Descriptor, data_only: bool) -> Result<()> {
    match descriptor.file() {
        Some(file) => Ok(file.fsync(data_only).await?),
        None => Ok(()),
    }
}

/// Libraries make inode and device numbers of the two halves: they are the file's identity, and that of its tree.
pub(super) fn identity(seen: u64, node: Qid) -> MetadataHashValue {
    MetadataHashValue { lower: seen, upper: node.path >> 48 }
}

pub(super) fn metadata_hash(guest: &mut Guest, this: Handle) -> Result<MetadataHashValue> {
    if let Some(known) = quick::metadata_hash(guest, &this)? {
        return Ok(known);
    }
    let open = guest.table.get(&this)?.open();
    let node = match &open.file {
        Some(file) => file.qid(),
        None => open.node().qid(),
    };
    Ok(identity(open.identity(node), node))
}
