//! The guest's own process: its end, its place on the cpu, its randomness.

use super::abi::Version;
use super::{Call, Guest};
use std::fmt;
use task::{Exit, Usage};
use vfs::{Errno, Error, Result};
use wasmtime::{Caller, Linker};

/// Not an error of the guest but its end, carried through its frames as one.
#[derive(Debug)]
pub(crate) struct ProcExit(pub Exit);

impl fmt::Display for ProcExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit with {}", self.0.code)
    }
}

impl std::error::Error for ProcExit {}

/// proc_exit and proc_raise, which may not come back.
pub(super) fn define_exits(linker: &mut Linker<Guest>, version: Version) -> wasmtime::Result<()> {
    linker.func_wrap(
        version.module(),
        "proc_exit",
        |caller: Caller<'_, Guest>, code: u32| -> wasmtime::Result<()> {
            let guest = caller.data();
            if guest.trace.is_on() {
                guest.trace.say(format_args!("proc_exit({code})"));
            }
            Err(wasmtime::Error::new(ProcExit(Exit::with_code(code as i32))))
        },
    )?;
    linker.func_wrap(
        version.module(),
        "proc_raise",
        |caller: Caller<'_, Guest>, signal: u32| -> wasmtime::Result<u32> {
            let guest = caller.data();
            Usage::add(&guest.usage.calls, 1);
            if guest.trace.is_on() {
                guest.trace.say(format_args!("proc_raise({signal})"));
            }
            match Signal::decode(signal) {
                Some(Signal::Ignored) => Ok(0),
                Some(Signal::Fatal(number, name)) => {
                    Err(wasmtime::Error::new(ProcExit(Exit::killed(128 + number, name))))
                }
                None => Ok(u32::from(super::errno::code(Errno::EINVAL))),
            }
        },
    )?;
    Ok(())
}

/// What a signal of WASI (`signal` in the witx) does by default: the number that Linux has for it.
enum Signal {
    Ignored,
    Fatal(i32, &'static str),
}

impl Signal {
    fn decode(signal: u32) -> Option<Signal> {
        Some(match signal {
            1 => Signal::Fatal(libc::SIGHUP, "SIGHUP"),
            2 => Signal::Fatal(libc::SIGINT, "SIGINT"),
            3 => Signal::Fatal(libc::SIGQUIT, "SIGQUIT"),
            4 => Signal::Fatal(libc::SIGILL, "SIGILL"),
            5 => Signal::Fatal(libc::SIGTRAP, "SIGTRAP"),
            6 => Signal::Fatal(libc::SIGABRT, "SIGABRT"),
            7 => Signal::Fatal(libc::SIGBUS, "SIGBUS"),
            8 => Signal::Fatal(libc::SIGFPE, "SIGFPE"),
            9 => Signal::Fatal(libc::SIGKILL, "SIGKILL"),
            10 => Signal::Fatal(libc::SIGUSR1, "SIGUSR1"),
            11 => Signal::Fatal(libc::SIGSEGV, "SIGSEGV"),
            12 => Signal::Fatal(libc::SIGUSR2, "SIGUSR2"),
            13 => Signal::Fatal(libc::SIGPIPE, "SIGPIPE"),
            14 => Signal::Fatal(libc::SIGALRM, "SIGALRM"),
            15 => Signal::Fatal(libc::SIGTERM, "SIGTERM"),
            // none, chld, cont, and those of a terminal's job control that a task has no terminal for.
            0 | 16..=30 => Signal::Ignored,
            _ => return None,
        })
    }
}

/// Random bytes are made so many at a time: a guest that asks for gigabytes lets others run in between.
const RANDOM_CHUNK: usize = 1 << 20;

pub(super) async fn random_get(call: &mut Call<'_>, buf: u32, len: u32) -> Result<()> {
    let buf = call.memory.bytes_mut(buf, len as usize)?;
    for (index, chunk) in buf.chunks_mut(RANDOM_CHUNK).enumerate() {
        if index > 0 {
            tokio::task::yield_now().await;
        }
        getrandom::fill(chunk).map_err(|error| Error::new(Errno::EIO, error.to_string()))?;
    }
    Ok(())
}

pub(super) async fn sched_yield(_call: &mut Call<'_>) -> Result<()> {
    tokio::task::yield_now().await;
    Ok(())
}
