//! WASI preview 1 (`wasi_snapshot_preview1`) and preview 0 (`wasi_unstable`) over a task's namespace: the 46 calls.
//!
//! One module for each family of calls; [`abi`] knows the layouts, [`errno`] the numbers, [`memory`] the guest's pointers,
//! [`trace`] how a call is shown. Calls that may wait are asynchronous and run on the guest's fiber, where waiting holds no
//! thread; those that mostly need not are
//! tried at once before ([`quick`]), without a future where that can be had ([`shortcut`]); the others are plain functions. Guest memory is read and written in place.
//!
//! The namespace's files are the only files. Descriptor 3 is its root `/`, under which every path of the namespace can be
//! reached; paths and links that start with a slash start there, and `..` above it stays there.
//!
//! Of the 72 preview 1 programs of WebAssembly/wasi-testsuite 69 pass (`examples/wasi_run.rs` runs them). Three ask for
//! what this namespace is not: `interesting_paths` and `symlink_create` want paths and link targets that start with a slash
//! refused, which here are good names in the guest's own namespace, and `sock_shutdown-invalid_fd` wants descriptor 3 to be
//! closed, which here always is the root.

pub(crate) mod abi;
mod args;
mod clock;
mod dir;
pub(crate) mod errno;
mod fd;
mod io;
pub(crate) mod newer;
mod path;
mod poll;
mod process;
mod quick;
pub(crate) mod shortcut;
mod sock;
mod trace;

use crate::guest::Guest;
use crate::memory::GuestMemory;
use abi::Version;
pub(crate) use io::broken_pipe;
pub(crate) use process::ProcExit;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use vfs::{Error, Result};
use wasmtime::{Caller, Extern, Linker, Memory};

/// One call of a guest: its memory, and what the host keeps for it.
struct Call<'c> {
    memory: GuestMemory<'c>,
    guest: &'c mut Guest,
    version: Version,
}

impl<'c> Call<'c> {
    #[inline(always)]
    fn begin(caller: &'c mut Caller<'_, Guest>, version: Version) -> wasmtime::Result<Call<'c>> {
        let memory = match caller.data().memory {
            Some(memory) => memory,
            None => memory_of(caller)?,
        };
        Ok(Call::on(memory, caller, version))
    }

    /// One that may wait, or wake others.
    fn begin_waiting(caller: &'c mut Caller<'_, Guest>, version: Version) -> wasmtime::Result<Call<'c>> {
        let guest = caller.data_mut();
        guest.tell_tally();
        guest.heard = true;
        Call::begin(caller, version)
    }

    fn on(memory: Memory, caller: &'c mut Caller<'_, Guest>, version: Version) -> Call<'c> {
        let (bytes, guest) = memory.data_and_store_mut(caller);
        Call { memory: GuestMemory::new(bytes), guest, version }
    }

    /// Counts and shows the call, and gives the number that the guest gets.
    #[inline(always)]
    fn end<const N: usize>(
        &mut self,
        name: &'static str,
        args: impl FnOnce() -> [u64; N],
        result: Result<()>,
    ) -> u32 {
        self.guest.tally.calls += 1;
        if self.guest.trace.is_on() {
            trace::say(self, name, &args(), &result);
        }
        match result {
            Ok(()) => u32::from(errno::SUCCESS),
            Err(error) => failed(error),
        }
    }
}

/// The export `memory`, which is remembered.
#[cold]
fn memory_of(caller: &mut Caller<'_, Guest>) -> wasmtime::Result<Memory> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return Err(wasmtime::Error::msg("the module exports no memory named \"memory\""));
    };
    caller.data_mut().memory = Some(memory);
    Ok(memory)
}

#[cold]
fn failed(error: Error) -> u32 {
    u32::from(errno::code(error.errno()))
}

/// Defines calls that are done at once.
macro_rules! define {
    ($linker:ident $version:ident $($name:ident ($($arg:ident: $ty:ty),*) = $call:path;)*) => {$(
        $linker.func_wrap(
            $version.module(),
            stringify!($name),
            move |mut caller: Caller<'_, Guest>, $($arg: $ty),*| -> wasmtime::Result<u32> {
                let mut call = Call::begin(&mut caller, $version)?;
                let result = $call(&mut call, $($arg),*);
                Ok(call.end(stringify!($name), || [$($arg as u64),*], result))
            },
        )?;
    )*};
}

/// Defines calls that may wait.
macro_rules! define_async {
    ($linker:ident $version:ident $($name:ident ($($arg:ident: $ty:ty),*) = $call:path;)*) => {$(
        $linker.func_wrap_async(
            $version.module(),
            stringify!($name),
            move |mut caller: Caller<'_, Guest>, ($($arg,)*): ($($ty,)*)| Box::new(async move {
                let mut call = Call::begin_waiting(&mut caller, $version)?;
                let result = $call(&mut call, $($arg),*).await;
                wasmtime::Result::Ok(call.end(stringify!($name), || [$($arg as u64),*], result))
            }),
        )?;
    )*};
}

/// A call that was done at once, as the future that wasmtime asks for: success, the common answer, takes no memory.
struct Succeeded;

impl Future for Succeeded {
    type Output = wasmtime::Result<u32>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(u32::from(errno::SUCCESS)))
    }
}

/// Defines calls that may wait, but mostly do not: the first function is asked before the second. Preview 1's can also be asked
/// for what they do at once, where `a & b` go in one word (`shortcut.rs`).
macro_rules! define_quick {
    ($($name:ident ($($arg:ident $(& $other:ident)?: $ty:ty),*) = $quick:path, $call:path;)*) => {
        const QUICK: &[shortcut::Shape] = &[$(shortcut::Shape {
            name: stringify!($name),
            words: &[$(shortcut::Word::new(stringify!($ty), &[$(stringify!($other))?])),*],
        }),*];

        fn add_quick(linker: &mut Linker<Guest>, version: Version) -> wasmtime::Result<()> {
            $(
                if version == Version::Preview1 {
                    linker.func_wrap(
                        shortcut::AT_ONCE,
                        stringify!($name),
                        move |mut caller: Caller<'_, Guest>, $($arg: word!($ty $(, $other)?)),*| -> u32 {
                            $($(let ($arg, $other) = shortcut::both($arg);)?)*
                            let Some(memory) = caller.data().memory else { return shortcut::NOT_AT_ONCE };
                            let mut call = Call::on(memory, &mut caller, version);
                            match $quick(&mut call, $($arg $(, $other)?),*) {
                                Some(result) => {
                                    let args = || [$($arg as u64 $(, $other as u64)?),*];
                                    call.end(stringify!($name), args, result)
                                }
                                None => shortcut::NOT_AT_ONCE,
                            }
                        },
                    )?;
                    linker.func_wrap_async(
                        shortcut::WAITS,
                        stringify!($name),
                        move |mut caller: Caller<'_, Guest>, ($($arg $(, $other)?,)*): ($($ty $(, both!($other $ty))?,)*)| Box::new(async move {
                            let mut call = Call::begin_waiting(&mut caller, version)?;
                            let result = $call(&mut call, $($arg $(, $other)?),*).await;
                            let args = || [$($arg as u64 $(, $other as u64)?),*];
                            wasmtime::Result::Ok(call.end(stringify!($name), args, result))
                        }),
                    )?;
                }
                linker.func_wrap_async(
                    version.module(),
                    stringify!($name),
                    move |mut caller: Caller<'_, Guest>, ($($arg $(, $other)?,)*): ($($ty $(, both!($other $ty))?,)*)| {
                        let args = move || [$($arg as u64 $(, $other as u64)?),*];
                        let begun = Call::begin(&mut caller, version).map(|mut call| {
                            let result = $quick(&mut call, $($arg $(, $other)?),*)?;
                            Some(call.end(stringify!($name), args, result))
                        });
                        match begun {
                            Ok(Some(0)) => Box::new(Succeeded),
                            Ok(Some(errno)) => Box::new(std::future::ready(Ok(errno))),
                            Err(error) => Box::new(std::future::ready(Err(error))),
                            Ok(None) => Box::new(async move {
                                let mut call = Call::begin_waiting(&mut caller, version)?;
                                let result = $call(&mut call, $($arg $(, $other)?),*).await;
                                wasmtime::Result::Ok(call.end(stringify!($name), args, result))
                            }),
                        }
                    },
                )?;
            )*
            Ok(())
        }
    };
}

/// The type of a word of one parameter, or of two.
macro_rules! word {
    ($ty:ty) => {
        $ty
    };
    ($ty:ty, $other:ident) => {
        u64
    };
}

/// The type of the second of two parameters in a word, which is that of the first.
macro_rules! both {
    ($other:ident $ty:ty) => {
        $ty
    };
}

define_quick! {
    fd_close(fd: u32) = quick::fd_close, fd::fd_close;
    fd_filestat_get(fd: u32, out: u32) = quick::fd_filestat_get, fd::fd_filestat_get;
    fd_pread(fd & iovs: u32, count: u32, offset: u64, out: u32) = quick::fd_pread, io::fd_pread;
    fd_pwrite(fd & iovs: u32, count: u32, offset: u64, out: u32) = quick::fd_pwrite, io::fd_pwrite;
    fd_read(fd: u32, iovs: u32, count: u32, out: u32) = quick::fd_read, io::fd_read;
    fd_readdir(fd & buf: u32, len: u32, cookie: u64, out: u32) = quick::fd_readdir, dir::fd_readdir;
    fd_seek(fd: u32, offset: i64, whence: u32, out: u32) = quick::fd_seek, fd::fd_seek;
    fd_write(fd: u32, iovs: u32, count: u32, out: u32) = quick::fd_write, io::fd_write;
    path_filestat_get(fd & lookup: u32, path: u32, len: u32, out: u32) = quick::path_filestat_get, path::path_filestat_get;
    path_open(
        fd & lookup: u32, path & len: u32, oflags: u32, base: u64, inheriting: u64, flags & out: u32
    ) = quick::path_open, path::path_open;
    path_unlink_file(fd: u32, path: u32, len: u32) = quick::path_unlink_file, path::path_unlink_file;
}

/// Every call, under the names of both snapshots.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    newer::define(linker)?;
    for version in Version::ALL {
        define! { linker version
            args_get(argv: u32, buf: u32) = args::args_get;
            args_sizes_get(count: u32, size: u32) = args::args_sizes_get;
            environ_get(environ: u32, buf: u32) = args::environ_get;
            environ_sizes_get(count: u32, size: u32) = args::environ_sizes_get;
            clock_res_get(id: u32, out: u32) = clock::clock_res_get;
            clock_time_get(id: u32, precision: u64, out: u32) = clock::clock_time_get;
            fd_advise(fd: u32, offset: u64, len: u64, advice: u32) = fd::fd_advise;
            fd_fdstat_get(fd: u32, out: u32) = fd::fd_fdstat_get;
            fd_fdstat_set_flags(fd: u32, flags: u32) = fd::fd_fdstat_set_flags;
            fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) = fd::fd_fdstat_set_rights;
            fd_prestat_get(fd: u32, out: u32) = fd::fd_prestat_get;
            fd_prestat_dir_name(fd: u32, name: u32, len: u32) = fd::fd_prestat_dir_name;
            fd_tell(fd: u32, out: u32) = fd::fd_tell;
            sock_accept(fd: u32, flags: u32, out: u32) = sock::sock_accept;
            sock_recv(fd: u32, data: u32, count: u32, flags: u32, len: u32, out: u32) = sock::sock_recv;
            sock_send(fd: u32, data: u32, count: u32, flags: u32, out: u32) = sock::sock_send;
            sock_shutdown(fd: u32, how: u32) = sock::sock_shutdown;
        }
        add_quick(linker, version)?;
        define_async! { linker version
            fd_allocate(fd: u32, offset: u64, len: u64) = fd::fd_allocate;
            fd_datasync(fd: u32) = fd::fd_datasync;
            fd_filestat_set_size(fd: u32, size: u64) = fd::fd_filestat_set_size;
            fd_filestat_set_times(fd: u32, atime: u64, mtime: u64, which: u32) = fd::fd_filestat_set_times;
            fd_renumber(from: u32, to: u32) = fd::fd_renumber;
            fd_sync(fd: u32) = fd::fd_sync;
            path_create_directory(fd: u32, path: u32, len: u32) = dir::path_create_directory;
            path_filestat_set_times(
                fd: u32, lookup: u32, path: u32, len: u32, atime: u64, mtime: u64, which: u32
            ) = path::path_filestat_set_times;
            path_link(
                from_fd: u32, lookup: u32, from: u32, from_len: u32, to_fd: u32, to: u32, to_len: u32
            ) = path::path_link;
            path_readlink(fd: u32, path: u32, len: u32, buf: u32, buf_len: u32, out: u32) = path::path_readlink;
            path_remove_directory(fd: u32, path: u32, len: u32) = dir::path_remove_directory;
            path_rename(from_fd: u32, from: u32, from_len: u32, to_fd: u32, to: u32, to_len: u32) = path::path_rename;
            path_symlink(target: u32, target_len: u32, fd: u32, path: u32, len: u32) = path::path_symlink;
            poll_oneoff(subscriptions: u32, events: u32, count: u32, out: u32) = poll::poll_oneoff;
            random_get(buf: u32, len: u32) = process::random_get;
            sched_yield() = process::sched_yield;
        }
        process::define_exits(linker, version)?;
    }
    Ok(())
}

/// What the import `name` of `module` means: the module and the name under which it is defined; none where it is unknown.
///
/// Of preview 2's interfaces all versions of 0.2 are alike. And a module that imports a call several times gets numbered names
/// where a component is made of it: `fd_write [v2]`.
pub(crate) fn meant<'a>(module: &'a str, name: &'a str) -> Option<(&'a str, &'a str)> {
    let call = name.split_once(" [v").map_or(name, |(call, _)| call);
    if let Some((interface, _)) = module.split_once("@0.2.") {
        return newer::is_call(interface, call).then_some((interface, call));
    }
    let is_known = Version::ALL.iter().any(|version| version.module() == module)
        && trace::CALLS.iter().any(|known| known.name == call);
    is_known.then_some((module, call))
}
