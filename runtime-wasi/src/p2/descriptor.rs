//! A component's descriptors: open files and directories, and the directories that it is given at its start.

use super::Guest;
use super::fault::Result;
use crate::open::{Found, Open};
use std::sync::Arc;
use vfs::{Caller, Errno, FileRef, NodeRef, OpenFlags, Place};
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource};
use wasmtime_wasi::p2::bindings::filesystem::types::DescriptorFlags;

/// An open file or directory. Streams and listings hold what they need of it, so that it may be closed before them.
#[derive(Clone)]
pub(super) struct Descriptor(Arc<Inner>);

struct Inner {
    open: Open,
    flags: DescriptorFlags,
}

impl Descriptor {
    pub fn new(open: Open, flags: DescriptorFlags) -> Descriptor {
        Descriptor(Arc::new(Inner { open, flags }))
    }

    /// A directory that the guest finds open at its start.
    pub fn given(place: Place) -> Descriptor {
        Descriptor::new(Open::given(place), DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY)
    }

    pub fn open(&self) -> &Open {
        &self.0.open
    }
    pub fn found(&self) -> &Found {
        &self.0.open.found
    }
    pub fn node(&self) -> &NodeRef {
        self.0.open.node()
    }
    pub fn file(&self) -> Option<&FileRef> {
        self.0.open.file.as_ref()
    }
    pub fn flags(&self) -> DescriptorFlags {
        self.0.flags
    }
    pub fn is_dir(&self) -> bool {
        self.0.open.kind.is_dir()
    }

    /// The file, where it was opened for `mode` (EBADF, as POSIX has it for the wrong access mode).
    pub fn open_for(&self, mode: DescriptorFlags) -> Result<&FileRef, vfs::Error> {
        match &self.0.open.file {
            _ if self.is_dir() => Errno::EISDIR.into(),
            Some(file) if self.0.flags.contains(mode) => Ok(file),
            _ => Errno::EBADF.into(),
        }
    }

    /// The directory that paths start from.
    pub fn dir(&self) -> Result<&Place, vfs::Error> {
        match self.0.open.place() {
            Some(place) if self.is_dir() => Ok(place),
            _ => Errno::ENOTDIR.into(),
        }
    }

    /// The open directory: one that was given is opened when it is listed.
    pub async fn listed(&self, who: &Caller) -> Result<FileRef, vfs::Error> {
        let place = self.dir()?;
        match self.file() {
            Some(file) => Ok(file.clone()),
            None => place.open(who, OpenFlags::READ | OpenFlags::DIRECTORY).await,
        }
    }
}

pub(super) fn define_preopens(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("get-directories", |mut store: StoreContextMut<'_, Guest>, (): ()| {
        Ok((give_preopens(store.data_mut())?,))
    })
}

/// Opens the directories that the guest is given.
pub(super) fn give_preopens(guest: &mut Guest) -> wasmtime::Result<Vec<(Handle, String)>> {
    let given = guest.given.clone();
    let mut directories = Vec::with_capacity(given.len());
    for (place, name) in given.iter() {
        guest.room().map_err(wasmtime::Error::new)?;
        directories.push((guest.open(Descriptor::given(place.clone()))?, name.clone()));
    }
    if guest.trace.is_on() {
        let names: Vec<&str> = given.iter().map(|(_, name)| name.as_str()).collect();
        guest.trace.say(format_args!("get-directories() = {}", names.join(" ")));
    }
    Ok(directories)
}

/// What a parameter that names a descriptor is.
pub(super) type Handle = Resource<Descriptor>;
