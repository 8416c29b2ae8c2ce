//! A component's descriptors: open files and directories, and the directories that it is given at its start.

use super::Guest;
use super::fault::Result;
use std::sync::Arc;
use vfs::{Caller, Errno, FileRef, Nature, NodeRef, OpenFlags, Place};
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource};
use wasmtime_wasi::p2::bindings::filesystem::types::DescriptorFlags;

/// An open file or directory. Streams and listings hold what they need of it, so that it may be closed before them.
#[derive(Clone)]
pub(super) struct Descriptor(Arc<Inner>);

struct Inner {
    place: Place,
    /// None for a directory that was given, not opened.
    file: Option<FileRef>,
    node: NodeRef,
    flags: DescriptorFlags,
}

impl Descriptor {
    pub fn opened(place: Place, file: FileRef, flags: DescriptorFlags) -> Descriptor {
        let node = file.node().clone();
        Descriptor(Arc::new(Inner { place, file: Some(file), node, flags }))
    }

    /// A directory that the guest finds open at its start.
    pub fn given(place: Place) -> Descriptor {
        let node = place.node().clone();
        let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
        Descriptor(Arc::new(Inner { place, file: None, node, flags }))
    }

    pub fn place(&self) -> &Place {
        &self.0.place
    }
    pub fn node(&self) -> &NodeRef {
        &self.0.node
    }
    pub fn file(&self) -> Option<&FileRef> {
        self.0.file.as_ref()
    }
    pub fn flags(&self) -> DescriptorFlags {
        self.0.flags
    }
    pub fn is_stream(&self) -> bool {
        self.0.node.nature() == Nature::Stream
    }

    /// The file, where it was opened for `mode` (EBADF, as POSIX has it for the wrong access mode).
    pub fn open_for(&self, mode: DescriptorFlags) -> Result<&FileRef, vfs::Error> {
        match &self.0.file {
            _ if self.0.node.kind().is_dir() => Errno::EISDIR.into(),
            Some(file) if self.0.flags.contains(mode) => Ok(file),
            _ => Errno::EBADF.into(),
        }
    }

    /// The directory that paths start from.
    pub fn dir(&self) -> Result<&Place, vfs::Error> {
        if self.0.node.kind().is_dir() { Ok(&self.0.place) } else { Errno::ENOTDIR.into() }
    }

    /// The open directory: one that was given is opened when it is listed.
    pub async fn listed(&self, who: &Caller) -> Result<FileRef, vfs::Error> {
        let place = self.dir()?;
        match &self.0.file {
            Some(file) => Ok(file.clone()),
            None => place.open(who, OpenFlags::READ | OpenFlags::DIRECTORY).await,
        }
    }
}

pub(super) fn define_preopens(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("get-directories", |mut store: StoreContextMut<'_, Guest>, (): ()| {
        let guest = store.data_mut();
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
        Ok((directories,))
    })
}

/// What a parameter that names a descriptor is.
pub(super) type Handle = Resource<Descriptor>;
