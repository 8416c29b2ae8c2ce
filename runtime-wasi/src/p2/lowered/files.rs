//! `wasi:filesystem`: the calls of `p2`, by the numbers in which components say them.

use super::Guest;
use super::abi::{
    Call, DONE, List, NOT_AT_ONCE, advice, descriptor_flags, handle, open_flags, own, path_flags, timestamp,
};
use super::calls::{AT_ONCE, Calls, Tries, WAITS, Word, full_name, give};
use crate::p2::call::{end, show};
use crate::p2::descriptor::{Descriptor, Handle, give_preopens};
use crate::p2::listing::Listing;
use crate::p2::{files, listing, names, quick};
use wasmtime::component::Resource;
use wasmtime::{Caller, Result};
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

const TYPES: &str = "wasi:filesystem/types";

/// Defines calls: each by its parameters as they come, what is made of them, and the function of `p2` that does it. The three kinds
/// are those of `p2`'s own tables: `now` never waits, `waits` may, and what stands behind `at once` is asked before.
macro_rules! files {
    (@ $calls:ident $name:literal [$($word:ident: $ty:ty)*] $call:ident [$($arg:ident $(= $made:expr)?)*] now $do:path) => {
        files!(@ at once $calls $name [$($word: $ty)*] $call [$($arg $(= $made)?)*] guest {
            Some($do(guest, $($arg),*))
        });
        $calls.between((TYPES, $name), &[$(<$ty as Word>::TYPE,)* "i32"], Tries::AtOnce);
    };
    (@ $calls:ident $name:literal [$($word:ident: $ty:ty)*] $call:ident [$($arg:ident $(= $made:expr)?)*] waits $do:path) => {
        files!(@ later $calls $name [$($word: $ty)*] $call [$($arg $(= $made)?)*] $do);
        $calls.between((TYPES, $name), &[$(<$ty as Word>::TYPE,)* "i32"], Tries::Waits);
    };
    (@ $calls:ident $name:literal [$($word:ident: $ty:ty)*] $call:ident [$($arg:ident $(= $made:expr)?)*]
     waits $do:path, at once $at_once:path) => {
        files!(@ at once $calls $name [$($word: $ty)*] $call [$($arg $(= $made)?)*] guest {
            $at_once(guest, &($($arg,)*)).transpose()
        });
        files!(@ later $calls $name [$($word: $ty)*] $call [$($arg $(= $made)?)*] $do);
        $calls.between((TYPES, $name), &[$(<$ty as Word>::TYPE,)* "i32"], Tries::Both);
    };
    (@ at once $calls:ident $name:literal [$($word:ident: $ty:ty)*] $call:ident [$($arg:ident $(= $made:expr)?)*]
     $guest:ident $done:block) => {
        $calls.linker.func_wrap(
            AT_ONCE,
            &full_name((TYPES, $name)),
            |mut caller: Caller<'_, Guest>, $($word: $ty,)* out: u32| -> Result<i64> {
                let mut $call = Call::of_files(&mut caller)?;
                $($(let $arg = $made;)?)*
                let shown = $call.guest.trace.is_on().then(|| show(&[$(&$arg),*]));
                let $guest = &mut *$call.guest;
                match $done {
                    Some(result) => {
                        let (answer,) = end($call.guest, $name, shown, result)?;
                        $call.give(out, answer)
                    }
                    None => Ok(NOT_AT_ONCE),
                }
            },
        )?;
    };
    (@ later $calls:ident $name:literal [$($word:ident: $ty:ty)*] $call:ident [$($arg:ident $(= $made:expr)?)*] $do:path) => {
        $calls.linker.func_wrap_async(
            WAITS,
            &full_name((TYPES, $name)),
            |mut caller: Caller<'_, Guest>, ($($word,)* out,): ($($ty,)* u32,)| Box::new(async move {
                let mut $call = Call::of_files(&mut caller)?;
                $($(let $arg = $made;)?)*
                let shown = $call.guest.trace.is_on().then(|| show(&[$(&$arg),*]));
                let result = $do(&mut *$call.guest, $($arg),*).await;
                let (answer,) = end($call.guest, $name, shown, result)?;
                $call.give(out, answer)
            }),
        )?;
    };
    ($calls:ident $(
        $name:literal ($($word:ident: $ty:ty),*) $call:ident: ($($arg:ident $(= $made:expr)?),*) $way:ident $do:path $(, at once $at_once:path)?;
    )*) => {$(
        files!(@ $calls $name [$($word: $ty)*] $call [$($arg $(= $made)?)*] $way $do $(, at once $at_once)?);
    )*};
}

pub(super) fn define(calls: &mut Calls) -> Result<()> {
    files! { calls
        "[method]descriptor.advise"(this: u32, offset: u64, length: u64, kind: u32)
            call: (this = handle(this)?, offset, length, kind = advice(kind)?) now files::advise;
        "[method]descriptor.append-via-stream"(this: u32) call: (this = handle(this)?) now files::append_via_stream;
        "[method]descriptor.get-flags"(this: u32) call: (this = handle(this)?) now files::get_flags;
        "[method]descriptor.get-type"(this: u32) call: (this = handle(this)?) now files::get_type;
        "[method]descriptor.metadata-hash"(this: u32) call: (this = handle(this)?) now files::metadata_hash;
        "[method]descriptor.read-via-stream"(this: u32, offset: u64)
            call: (this = handle(this)?, offset) now files::read_via_stream;
        "[method]descriptor.write-via-stream"(this: u32, offset: u64)
            call: (this = handle(this)?, offset) now files::write_via_stream;
        "[method]descriptor.read"(this: u32, length: u64, offset: u64)
            call: (this = handle(this)?, length, offset) waits files::read, at once quick::read;
        "[method]descriptor.set-size"(this: u32, size: u64)
            call: (this = handle(this)?, size) waits files::set_size;
        "[method]descriptor.set-times"(this: u32, a: u32, a_secs: u64, a_nanos: u32, m: u32, m_secs: u64, m_nanos: u32)
            call: (
                this = handle(this)?, atime = timestamp(a, a_secs, a_nanos)?, mtime = timestamp(m, m_secs, m_nanos)?
            ) waits files::set_times;
        "[method]descriptor.stat"(this: u32) call: (this = handle(this)?) waits files::stat, at once quick::stat;
        "[method]descriptor.sync"(this: u32) call: (this = handle(this)?) waits files::sync;
        "[method]descriptor.sync-data"(this: u32) call: (this = handle(this)?) waits files::sync_data;
        "[method]descriptor.create-directory-at"(this: u32, path: u32, len: u32)
            call: (this = handle(this)?, path = call.text(path, len)?) waits names::create_directory_at;
        "[method]descriptor.link-at"(
            this: u32, flags: u32, old: u32, old_len: u32, to: u32, new: u32, new_len: u32
        )
            call: (
                this = handle(this)?, flags = path_flags(flags), old = call.text(old, old_len)?,
                to = handle(to)?, new = call.text(new, new_len)?
            ) waits names::link_at;
        "[method]descriptor.metadata-hash-at"(this: u32, flags: u32, path: u32, len: u32)
            call: (this = handle(this)?, flags = path_flags(flags), path = call.text(path, len)?)
            waits names::metadata_hash_at, at once quick::metadata_hash_at;
        "[method]descriptor.open-at"(this: u32, lookup: u32, path: u32, len: u32, how: u32, flags: u32)
            call: (
                this = handle(this)?, lookup = path_flags(lookup), path = call.text(path, len)?,
                how = open_flags(how), flags = descriptor_flags(flags)
            ) waits names::open_at, at once quick::open_at;
        "[method]descriptor.readlink-at"(this: u32, path: u32, len: u32)
            call: (this = handle(this)?, path = call.text(path, len)?) waits names::readlink_at;
        "[method]descriptor.remove-directory-at"(this: u32, path: u32, len: u32)
            call: (this = handle(this)?, path = call.text(path, len)?) waits names::remove_directory_at;
        "[method]descriptor.rename-at"(this: u32, old: u32, old_len: u32, to: u32, new: u32, new_len: u32)
            call: (
                this = handle(this)?, old = call.text(old, old_len)?, to = handle(to)?, new = call.text(new, new_len)?
            ) waits names::rename_at;
        "[method]descriptor.set-times-at"(
            this: u32, flags: u32, path: u32, len: u32,
            a: u32, a_secs: u64, a_nanos: u32, m: u32, m_secs: u64, m_nanos: u32
        )
            call: (
                this = handle(this)?, flags = path_flags(flags), path = call.text(path, len)?,
                atime = timestamp(a, a_secs, a_nanos)?, mtime = timestamp(m, m_secs, m_nanos)?
            ) waits names::set_times_at;
        "[method]descriptor.stat-at"(this: u32, flags: u32, path: u32, len: u32)
            call: (this = handle(this)?, flags = path_flags(flags), path = call.text(path, len)?)
            waits names::stat_at, at once quick::stat_at;
        "[method]descriptor.symlink-at"(this: u32, target: u32, target_len: u32, path: u32, len: u32)
            call: (this = handle(this)?, target = call.text(target, target_len)?, path = call.text(path, len)?)
            waits names::symlink_at;
        "[method]descriptor.unlink-file-at"(this: u32, path: u32, len: u32)
            call: (this = handle(this)?, path = call.text(path, len)?)
            waits names::unlink_file_at, at once quick::unlink_file_at;
        "[method]descriptor.read-directory"(this: u32) call: (this = handle(this)?) waits listing::read_directory;
        "[method]directory-entry-stream.read-directory-entry"(this: u32)
            call: (this = handle(this)?) waits listing::read_directory_entry, at once listing::entry_at_once;
    }
    write(calls)?;
    drops(calls)?;
    calls.host(
        TYPES,
        "[method]descriptor.is-same-object",
        |caller: Caller<'_, Guest>, this: u32, other: u32| {
            files::is_same_object(caller.data(), &handle(this)?, &handle(other)?).map(u32::from)
        },
    )?;
    give! { calls "wasi:filesystem/types"
        "filesystem-error-code"(error: u32) now error_code;
    }
    give! { calls "wasi:filesystem/preopens"
        "get-directories"() now get_directories;
    }
    Ok(())
}

/// A call writes at most this many bytes: others want the thread too. It may write less than it was given (`write`).
const MAX_WRITE: usize = 16 << 20;

/// What is written is taken from where it lies, unless it has to wait.
fn write(calls: &mut Calls) -> Result<()> {
    const WRITE: &str = "[method]descriptor.write";
    let shown = |guest: &Guest, this: &Resource<Descriptor>, len: u32, offset| {
        guest.trace.is_on().then(|| show(&[this, &u64::from(len), &offset]))
    };
    calls.linker.func_wrap(
        AT_ONCE,
        &full_name((TYPES, WRITE)),
        move |mut caller: Caller<'_, Guest>,
              this: u32,
              at: u32,
              len: u32,
              offset: u64,
              out: u32|
              -> Result<i64> {
            let mut call = Call::of_files(&mut caller)?;
            let this = handle(this)?;
            let Some(result) = quick::write(call.guest, &this, call.bytes(at, len)?, offset).transpose()
            else {
                return Ok(NOT_AT_ONCE);
            };
            let shown = shown(call.guest, &this, len, offset);
            let (answer,) = end(call.guest, WRITE, shown, result)?;
            call.give(out, answer)
        },
    )?;
    calls.linker.func_wrap_async(
        WAITS,
        &full_name((TYPES, WRITE)),
        move |mut caller: Caller<'_, Guest>, (this, at, len, offset, out): (u32, u32, u32, u64, u32)| {
            Box::new(async move {
                let mut call = Call::of_files(&mut caller)?;
                let this = handle(this)?;
                let data = call.bytes(at, len)?;
                let (data, shown) =
                    (data[..data.len().min(MAX_WRITE)].to_vec(), shown(call.guest, &this, len, offset));
                let result = files::write(call.guest, this, data, offset).await;
                let (answer,) = end(call.guest, WRITE, shown, result)?;
                call.give(out, answer)
            })
        },
    )?;
    calls.between((TYPES, WRITE), &["i32", "i32", "i32", "i64", "i32"], Tries::Both);
    Ok(())
}

fn drops(calls: &mut Calls) -> Result<()> {
    const DROP: &str = "[resource-drop]descriptor";
    calls.linker.func_wrap(
        AT_ONCE,
        &full_name((TYPES, DROP)),
        |mut caller: Caller<'_, Guest>, this: u32| -> Result<i64> {
            let dropped = quick::drop_descriptor(caller.data_mut(), own(this)?)?;
            Ok(dropped.map_or(NOT_AT_ONCE, |()| DONE))
        },
    )?;
    calls.linker.func_wrap_async(
        WAITS,
        &full_name((TYPES, DROP)),
        |mut caller: Caller<'_, Guest>, (this,): (u32,)| {
            Box::new(async move {
                files::drop_descriptor(caller.data_mut(), own(this)?).await?;
                Ok(DONE)
            })
        },
    )?;
    calls.between((TYPES, DROP), &["i32"], Tries::Both);
    calls.host(TYPES, "[resource-drop]directory-entry-stream", |mut caller: Caller<'_, Guest>, this: u32| {
        caller.data_mut().table.delete(own::<Listing>(this)?)?;
        Ok(())
    })
}

fn error_code(call: &mut Call<'_>, error: u32) -> Result<Option<ErrorCode>> {
    files::error_code(call.guest, &handle(error)?)
}

fn get_directories(call: &mut Call<'_>) -> Result<List<(Handle, String)>> {
    give_preopens(call.guest).map(List)
}
