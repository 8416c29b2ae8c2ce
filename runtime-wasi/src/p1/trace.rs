//! How a call is shown in a task's trace: as strace(1) does it, `path_open(3, "etc/x", 0, O_CREAT, …) = 4`.
//!
//! Lines are made after the call, from its raw arguments and what they point to.

use super::{Call, errno};
use vfs::Result;

/// What an argument is, and so how it is shown.
#[derive(Clone, Copy)]
pub(super) enum Arg {
    Number,
    Signed,
    /// The pointer of a path; the next argument is its length.
    Path,
    /// A length that was shown with its pointer, or a pointer that says nothing to a reader.
    Hidden,
    Oflags,
    FdFlags,
    /// A pointer to the result, a 32-bit or 64-bit number.
    Out32,
    Out64,
}

/// A call's name, and its arguments.
pub(super) struct Shape {
    pub name: &'static str,
    args: &'static [Arg],
}

macro_rules! shapes {
    ($($name:ident: $($arg:ident)*;)*) => {
        pub(super) const CALLS: &[Shape] =
            &[$(Shape { name: stringify!($name), args: &[$(Arg::$arg),*] }),*];
    };
}

shapes! {
    args_get: Hidden Hidden;
    args_sizes_get: Out32 Hidden;
    environ_get: Hidden Hidden;
    environ_sizes_get: Out32 Hidden;
    clock_res_get: Number Out64;
    clock_time_get: Number Number Out64;
    fd_advise: Number Number Number Number;
    fd_allocate: Number Number Number;
    fd_close: Number;
    fd_datasync: Number;
    fd_fdstat_get: Number Hidden;
    fd_fdstat_set_flags: Number FdFlags;
    fd_fdstat_set_rights: Number Number Number;
    fd_filestat_get: Number Hidden;
    fd_filestat_set_size: Number Number;
    fd_filestat_set_times: Number Number Number Number;
    fd_pread: Number Hidden Number Number Out32;
    fd_prestat_get: Number Hidden;
    fd_prestat_dir_name: Number Hidden Number;
    fd_pwrite: Number Hidden Number Number Out32;
    fd_read: Number Hidden Number Out32;
    fd_readdir: Number Hidden Number Number Out32;
    fd_renumber: Number Number;
    fd_seek: Number Signed Number Out64;
    fd_sync: Number;
    fd_tell: Number Out64;
    fd_write: Number Hidden Number Out32;
    path_create_directory: Number Path Hidden;
    path_filestat_get: Number Number Path Hidden Hidden;
    path_filestat_set_times: Number Number Path Hidden Number Number Number;
    path_link: Number Number Path Hidden Number Path Hidden;
    path_open: Number Number Path Hidden Oflags Hidden Hidden FdFlags Out32;
    path_readlink: Number Path Hidden Hidden Number Out32;
    path_remove_directory: Number Path Hidden;
    path_rename: Number Path Hidden Number Path Hidden;
    path_symlink: Path Hidden Number Path Hidden;
    path_unlink_file: Number Path Hidden;
    poll_oneoff: Hidden Hidden Number Out32;
    proc_exit: Number;
    proc_raise: Number;
    random_get: Hidden Number;
    sched_yield: ;
    sock_accept: Number FdFlags Out32;
    sock_recv: Number Hidden Number Number Out32 Hidden;
    sock_send: Number Hidden Number Number Out32;
    sock_shutdown: Number Number;
}

/// Paths are shown up to this many bytes.
const MAX_SHOWN: usize = 256;

fn flags(value: u64, names: &[&str]) -> String {
    let set: Vec<&str> =
        names.iter().enumerate().filter(|(bit, _)| value >> bit & 1 != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "0".into() } else { set.join("|") }
}

fn path(call: &Call<'_>, at: u64, len: u64) -> String {
    match call.memory.bytes(at as u32, len as usize) {
        Ok(bytes) if bytes.len() > MAX_SHOWN => format!("\"{}\"…", bytes[..MAX_SHOWN].escape_ascii()),
        Ok(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Err(_) => format!("{at:#x}"),
    }
}

/// Says the line of one call.
pub(super) fn say(call: &Call<'_>, name: &str, args: &[u64], result: &Result<()>) {
    let shape = CALLS.iter().find(|shape| shape.name == name).map_or(&[][..], |shape| shape.args);
    let mut shown = Vec::new();
    let mut value = String::from("0");
    for (index, (arg, raw)) in shape.iter().zip(args).enumerate() {
        match arg {
            Arg::Number => shown.push(raw.to_string()),
            Arg::Signed => shown.push((*raw as i64).to_string()),
            Arg::Path => shown.push(path(call, *raw, args.get(index + 1).copied().unwrap_or(0))),
            Arg::Hidden => {}
            Arg::Oflags => shown.push(flags(*raw, &["O_CREAT", "O_DIRECTORY", "O_EXCL", "O_TRUNC"])),
            Arg::FdFlags => {
                shown.push(flags(*raw, &["APPEND", "DSYNC", "NONBLOCK", "RSYNC", "SYNC"]));
            }
            Arg::Out32 => {
                value = call.memory.u32_at(*raw as u32).map_or_else(|_| "?".into(), |n| n.to_string())
            }
            Arg::Out64 => {
                value = call.memory.u64_at(*raw as u32).map_or_else(|_| "?".into(), |n| n.to_string())
            }
        }
    }
    let args = shown.join(", ");
    match result {
        Ok(()) => call.guest.trace.say(format_args!("{name}({args}) = {value}")),
        Err(error) => {
            let errno = errno::name(error.errno());
            call.guest.trace.say(format_args!("{name}({args}) = {errno} ({error})"));
        }
    }
}
