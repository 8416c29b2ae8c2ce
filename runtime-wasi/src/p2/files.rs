//! Calls on a descriptor itself: reading, writing, its size, times, flags and identity, its streams and its end.

use super::Guest;
use super::call::{self, define};
use super::descriptor::{Descriptor, Handle};
use super::fault::{self, Result};
use super::input::FileInput;
use super::output::{FileOutput, Position};
use task::Usage;
use vfs::{Errno, Kind, Qid, SetStat, SetTime, Stat, Time};
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource, ResourceType, WasmList};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, MetadataHashValue, NewTimestamp,
};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// A call reads at most this many bytes: they are held by the server until the guest has made room for them.
pub(super) const MAX_READ: usize = 1 << 20;

pub(super) fn define(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.resource_async("descriptor", ResourceType::host::<Descriptor>(), |mut store, rep| {
        Box::new(async move { drop_descriptor(store.data_mut(), Resource::new_own(rep)).await })
    })?;
    define! { instance
        "[method]descriptor.advise"(this: Handle, offset: u64, length: u64, advice: Advice) -> () = advise;
        "[method]descriptor.append-via-stream"(this: Handle) -> Resource<DynOutputStream> = append_via_stream;
        "[method]descriptor.get-flags"(this: Handle) -> DescriptorFlags = get_flags;
        "[method]descriptor.get-type"(this: Handle) -> DescriptorType = get_type;
        "[method]descriptor.metadata-hash"(this: Handle) -> MetadataHashValue = metadata_hash;
        "[method]descriptor.read"(this: Handle, length: u64, offset: u64) -> (Vec<u8>, bool) = read;
        "[method]descriptor.read-via-stream"(this: Handle, offset: u64) -> Resource<DynInputStream> = read_via_stream;
        "[method]descriptor.set-size"(this: Handle, size: u64) -> () = set_size;
        "[method]descriptor.set-times"(this: Handle, atime: NewTimestamp, mtime: NewTimestamp) -> () = set_times;
        "[method]descriptor.stat"(this: Handle) -> DescriptorStat = stat;
        "[method]descriptor.sync"(this: Handle) -> () = sync;
        "[method]descriptor.sync-data"(this: Handle) -> () = sync_data;
        "[method]descriptor.write-via-stream"(this: Handle, offset: u64) -> Resource<DynOutputStream> = write_via_stream;
    }
    instance.func_wrap_async(
        "[method]descriptor.write",
        |mut store: StoreContextMut<'_, Guest>, (this, data, offset): (Handle, WasmList<u8>, u64)| {
            Box::new(async move {
                let shown =
                    store.data().trace.is_on().then(|| call::show(&[&this, &(data.len() as u64), &offset]));
                let result = write(&mut store, this, data, offset).await;
                call::end(store.data(), "write", shown, result)
            })
        },
    )?;
    instance.func_wrap(
        "[method]descriptor.is-same-object",
        |store: StoreContextMut<'_, Guest>, (this, other): (Handle, Handle)| {
            let guest = store.data();
            let (this, other) = (guest.descriptor(&this)?, guest.descriptor(&other)?);
            Ok((this.node().qid().path == other.node().qid().path,))
        },
    )?;
    instance.func_wrap(
        "filesystem-error-code",
        |store: StoreContextMut<'_, Guest>, (error,): (Resource<wasmtime::Error>,)| {
            let error = store.data().table.get(&error)?;
            let code = error.downcast_ref::<vfs::Error>().map(|error| fault::code(error.errno()));
            Ok((code,))
        },
    )
}

/// Closing: what late writes have to complain of has no way to the guest.
async fn drop_descriptor(guest: &mut Guest, this: Handle) -> wasmtime::Result<()> {
    let number = this.rep();
    let descriptor = guest.close(this)?;
    if guest.trace.is_on() {
        guest.trace.say(format_args!("drop({number}) = 0"));
    }
    if let Some(file) = descriptor.file() {
        let _ = file.flush().await;
    }
    Ok(())
}

async fn advise(guest: &mut Guest, this: Handle, offset: u64, length: u64, _advice: Advice) -> Result<()> {
    let descriptor = guest.descriptor(&this)?;
    if descriptor.node().kind().is_dir() {
        return Err(Errno::EBADF.into());
    }
    if descriptor.is_stream() {
        return Err(Errno::ESPIPE.into());
    }
    // No advice helps this namespace, but some is wrong (posix_fadvise(2)).
    if offset.checked_add(length).is_none() {
        return Err(Errno::EINVAL.into());
    }
    Ok(())
}

async fn get_flags(guest: &mut Guest, this: Handle) -> Result<DescriptorFlags> {
    Ok(guest.descriptor(&this)?.flags())
}

async fn get_type(guest: &mut Guest, this: Handle) -> Result<DescriptorType> {
    Ok(shown_kind(guest.descriptor(&this)?.node().kind()))
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

async fn read(guest: &mut Guest, this: Handle, length: u64, offset: u64) -> Result<(Vec<u8>, bool)> {
    let descriptor = guest.descriptor(&this)?;
    let file = descriptor.open_for(DescriptorFlags::READ)?;
    let length = usize::try_from(length).unwrap_or(MAX_READ).min(MAX_READ);
    let mut data = vec![0; length];
    let n = file.read(offset, &mut data).await?;
    data.truncate(n);
    Usage::add(&guest.usage.read_bytes, n as u64);
    Ok((data, n == 0 && length > 0))
}

/// Writes straight from the guest's memory; only what has to wait is copied out of it.
async fn write(
    store: &mut StoreContextMut<'_, Guest>,
    this: Handle,
    data: WasmList<u8>,
    offset: u64,
) -> Result<u64> {
    let descriptor = store.data().descriptor(&this)?;
    let file = descriptor.open_for(DescriptorFlags::WRITE)?;
    let data = data.as_le_slice(&*store);
    // What is asked of a peer is not asked twice.
    let done = if file.is_remote() { None } else { file.write(offset, data).now() };
    let n = match done {
        Some(done) => done?,
        None => {
            let data = data.to_vec();
            file.write(offset, &data).await?
        }
    };
    Usage::add(&store.data().usage.written_bytes, n as u64);
    Ok(n as u64)
}

async fn read_via_stream(guest: &mut Guest, this: Handle, offset: u64) -> Result<Resource<DynInputStream>> {
    let descriptor = guest.descriptor(&this)?;
    let file = descriptor.open_for(DescriptorFlags::READ)?.clone();
    let stream: DynInputStream = Box::new(FileInput::new(guest, file, this.rep(), offset));
    Ok(guest.table.push(stream)?)
}

async fn write_via_stream(guest: &mut Guest, this: Handle, offset: u64) -> Result<Resource<DynOutputStream>> {
    output(guest, &this, Position::At(offset))
}

async fn append_via_stream(guest: &mut Guest, this: Handle) -> Result<Resource<DynOutputStream>> {
    output(guest, &this, Position::End)
}

fn output(guest: &mut Guest, this: &Handle, position: Position) -> Result<Resource<DynOutputStream>> {
    let descriptor = guest.descriptor(this)?;
    let file = descriptor.open_for(DescriptorFlags::WRITE)?.clone();
    let stream: DynOutputStream = Box::new(FileOutput::new(guest, file, this.rep(), position));
    Ok(guest.table.push(stream)?)
}

async fn set_size(guest: &mut Guest, this: Handle, size: u64) -> Result<()> {
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

async fn set_times(guest: &mut Guest, this: Handle, atime: NewTimestamp, mtime: NewTimestamp) -> Result<()> {
    let set = times(atime, mtime)?;
    let descriptor = guest.descriptor(&this)?;
    Ok(descriptor.place().setstat(&guest.who, set).await?)
}

async fn stat(guest: &mut Guest, this: Handle) -> Result<DescriptorStat> {
    let descriptor = guest.descriptor(&this)?;
    Ok(describe(&descriptor.node().stat().await?))
}

/// What a guest is told of a file. A time before the epoch cannot be said, and is left out.
pub(super) fn describe(stat: &Stat) -> DescriptorStat {
    let time = |time: Time| {
        u64::try_from(time.secs).ok().map(|seconds| Datetime { seconds, nanoseconds: time.nanos })
    };
    DescriptorStat {
        type_: shown_kind(stat.kind()),
        link_count: stat.nlink,
        size: stat.size,
        data_access_timestamp: time(stat.atime),
        data_modification_timestamp: time(stat.mtime),
        status_change_timestamp: time(stat.ctime),
    }
}

async fn sync(guest: &mut Guest, this: Handle) -> Result<()> {
    fsync(guest.descriptor(&this)?, false).await
}

async fn sync_data(guest: &mut Guest, this: Handle) -> Result<()> {
    fsync(guest.descriptor(&this)?, true).await
}

async fn fsync(descriptor: Descriptor, data_only: bool) -> Result<()> {
    match descriptor.file() {
        Some(file) => Ok(file.fsync(data_only).await?),
        None => Ok(()),
    }
}

/// Libraries make inode and device numbers of the two halves: they are the file's identity, and that of its tree.
pub(super) fn identity(seen: Qid, node: Qid) -> MetadataHashValue {
    MetadataHashValue { lower: seen.path, upper: node.path >> 48 }
}

async fn metadata_hash(guest: &mut Guest, this: Handle) -> Result<MetadataHashValue> {
    let descriptor = guest.descriptor(&this)?;
    Ok(identity(descriptor.place().qid(), descriptor.node().qid()))
}
