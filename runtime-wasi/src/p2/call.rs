//! The way into a call and out of it: every call of `wasi:filesystem` is counted, shown in the task's trace as strace(1)
//! does it, `open-at(4, "etc/x", symlink-follow, create, write) = 7`, and its error becomes the code that the guest gets.

use super::Guest;
use super::fault::{self, Fault, Result};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use vfs::Errno;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};

/// Defines calls of `wasi:filesystem`, each an async function of the guest and its parameters. One that is named behind `at once`
/// is asked before: it has the parameters as a tuple, answers what can be done at once, and has changed nothing where it
/// answers None.
macro_rules! define {
    ($instance:ident $(
        $name:literal ($($arg:ident: $ty:ty),*) -> $answer:ty = $call:path $(, at once $at_once:path)?;
    )*) => {$(
        $instance.func_wrap_async(
            $name,
            move |mut store: wasmtime::StoreContextMut<'_, Guest>, args: ($($ty,)*)| {
                let guest = store.data_mut();
                let ($($arg,)*) = &args;
                let shown = guest.trace.is_on().then(|| $crate::p2::call::show(&[$($arg),*]));
                $(if let Some(result) = $at_once(guest, &args).transpose() {
                    let answer = $crate::p2::call::end(guest, $name, shown, result);
                    return Box::new(std::future::ready(answer));
                })?
                Box::new(async move {
                    let guest = store.data_mut();
                    let ($($arg,)*) = args;
                    let result: $crate::p2::fault::Result<$answer> = $call(guest, $($arg),*).await;
                    $crate::p2::call::end(guest, $name, shown, result)
                })
            },
        )?;
    )*};
}
pub(super) use define;

/// The same for calls that never wait: each a function of the guest and its parameters.
macro_rules! define_at_once {
    ($instance:ident $($name:literal ($($arg:ident: $ty:ty),*) -> $answer:ty = $call:path;)*) => {$(
        $instance.func_wrap(
            $name,
            move |mut store: wasmtime::StoreContextMut<'_, Guest>, ($($arg,)*): ($($ty,)*)| {
                let guest = store.data_mut();
                let shown = guest.trace.is_on().then(|| $crate::p2::call::show(&[$(&$arg),*]));
                let result: $crate::p2::fault::Result<$answer> = $call(guest, $($arg),*);
                $crate::p2::call::end(guest, $name, shown, result)
            },
        )?;
    )*};
}
pub(super) use define_at_once;

/// How a parameter or an answer is shown.
pub(super) trait Shown {
    fn show(&self, out: &mut String);
}

/// Strings are shown up to this many bytes.
const MAX_SHOWN: usize = 256;

impl Shown for String {
    fn show(&self, out: &mut String) {
        let shown = self.as_bytes().get(..MAX_SHOWN);
        let more = if shown.is_some() { "…" } else { "" };
        // Writing to a string cannot fail, here and below.
        let _ = write!(out, "\"{}\"{more}", shown.unwrap_or(self.as_bytes()).escape_ascii());
    }
}
impl Shown for u64 {
    fn show(&self, out: &mut String) {
        let _ = write!(out, "{self}");
    }
}
impl Shown for () {
    fn show(&self, out: &mut String) {
        out.push('0');
    }
}
/// A handle, by the number that it has in the guest's table.
impl<T> Shown for Resource<T> {
    fn show(&self, out: &mut String) {
        let _ = write!(out, "{}", self.rep());
    }
}
/// What was read, and whether that was the end.
impl Shown for (Arc<Vec<u8>>, bool) {
    fn show(&self, out: &mut String) {
        let _ = write!(out, "{}{}", self.0.len(), if self.1 { ", end" } else { "" });
    }
}
impl Shown for Option<DirectoryEntry> {
    fn show(&self, out: &mut String) {
        match self {
            Some(entry) => entry.name.show(out),
            None => out.push_str("end"),
        }
    }
}
impl Shown for DescriptorStat {
    fn show(&self, out: &mut String) {
        let _ = write!(out, "{:?}, {} bytes", self.type_, self.size);
    }
}
impl Shown for MetadataHashValue {
    fn show(&self, out: &mut String) {
        let _ = write!(out, "{:x}", self.lower);
    }
}
impl Shown for NewTimestamp {
    fn show(&self, out: &mut String) {
        let _ = match self {
            NewTimestamp::NoChange => write!(out, "no-change"),
            NewTimestamp::Now => write!(out, "now"),
            NewTimestamp::Timestamp(t) => write!(out, "{}.{:09}", t.seconds, t.nanoseconds),
        };
    }
}

/// Flags and enumerations, by their names in the standard.
macro_rules! named {
    ($($flags:ty: $($flag:ident = $name:literal)*;)*) => {$(
        impl Shown for $flags {
            fn show(&self, out: &mut String) {
                let before = out.len();
                $(if self.contains(<$flags>::$flag) {
                    if out.len() > before {
                        out.push('|');
                    }
                    out.push_str($name);
                })*
                if out.len() == before {
                    out.push('0');
                }
            }
        }
    )*};
}

named! {
    PathFlags: SYMLINK_FOLLOW = "symlink-follow";
    OpenFlags: CREATE = "create" DIRECTORY = "directory" EXCLUSIVE = "exclusive" TRUNCATE = "truncate";
    DescriptorFlags: READ = "read" WRITE = "write" FILE_INTEGRITY_SYNC = "sync" DATA_INTEGRITY_SYNC = "datasync"
        REQUESTED_WRITE_SYNC = "rsync" MUTATE_DIRECTORY = "mutate";
}

impl Shown for DescriptorType {
    fn show(&self, out: &mut String) {
        let _ = write!(out, "{self:?}");
    }
}
impl Shown for Advice {
    fn show(&self, out: &mut String) {
        let _ = write!(out, "{self:?}");
    }
}

/// A call's parameters, as its line has them.
pub(super) fn show(args: &[&dyn Shown]) -> String {
    let mut out = String::new();
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        arg.show(&mut out);
    }
    out
}

/// Counts the call, says its line where anyone listens, and gives what the guest gets.
pub(super) fn end<T: Shown>(
    guest: &Guest,
    name: &str,
    shown: Option<String>,
    result: Result<T>,
) -> wasmtime::Result<(Result<T, ErrorCode>,)> {
    // Only the guest's own calls write this counter: no need for the price of an addition that others might race.
    let calls = &guest.usage.calls;
    calls.store(calls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    if let Some(args) = shown {
        let name = name.rsplit('.').next().unwrap_or(name);
        match &result {
            Ok(answer) => {
                let mut value = String::new();
                answer.show(&mut value);
                guest.trace.say(format_args!("{name}({args}) = {value}"));
            }
            Err(Fault::Guest(error)) => {
                let code = fault::code(error.errno());
                guest.trace.say(format_args!("{name}({args}) = {} ({error})", code.name()));
            }
            Err(Fault::Host(error)) => guest.trace.say(format_args!("{name}({args}) = trap ({error})")),
        }
    }
    match result {
        Ok(answer) => Ok((Ok(answer),)),
        Err(Fault::Guest(error)) if error.is(Errno::EMFILE) => {
            tracing::debug!(task = ?guest.who.task, call = name, %error, "limit on open files");
            Ok((Err(fault::code(error.errno())),))
        }
        Err(Fault::Guest(error)) => Ok((Err(fault::code(error.errno())),)),
        Err(Fault::Host(error)) => Err(error),
    }
}
