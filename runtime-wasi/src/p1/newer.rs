//! What programs for wasm32-wasip2 call besides preview 1: Rust's std asks preview 2's own interfaces for the time, to sleep, and
//! for the seed of its hash maps. All of these are numbers, as those of preview 1 are (the component model's canonical ABI), but that
//! what is wrong is a trap and not an errno. Together with [`crate::inner`] they run such a program as a module.

use super::abi::Version;
use super::{Call, clock};
use crate::guest::Guest;
use tokio::time::{Instant, sleep_until};
use vfs::Time;
use wasmtime::{Caller, Error, Linker, Result};

const MONOTONIC: &str = "wasi:clocks/monotonic-clock";
const WALL: &str = "wasi:clocks/wall-clock";
const POLL: &str = "wasi:io/poll";
const RANDOM: &str = "wasi:random/random";
const INSECURE: &str = "wasi:random/insecure";
const SEED: &str = "wasi:random/insecure-seed";

const CALLS: [(&str, &[&str]); 6] = [
    (MONOTONIC, &["now", "resolution", "subscribe-duration", "subscribe-instant"]),
    (WALL, &["now", "resolution"]),
    (POLL, &["[method]pollable.ready", "[method]pollable.block", "[resource-drop]pollable"]),
    (RANDOM, &["get-random-u64"]),
    (INSECURE, &["get-insecure-random-u64"]),
    (SEED, &["insecure-seed"]),
];

/// Whether `name` is one of these, of the interface `interface` of any version.
pub(super) fn is_call(interface: &str, name: &str) -> bool {
    CALLS.iter().any(|(known, calls)| *known == interface && calls.contains(&name))
}

/// The moments that a guest can wait for, by their handles: a place in the list and one.
#[derive(Default)]
pub(crate) struct Alarms(Vec<Option<Instant>>);

/// More than a program has any use for: each has 16 bytes.
const MOST: usize = 4096;

impl Alarms {
    fn add(&mut self, at: Instant) -> Result<u32> {
        let free = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        if free == MOST {
            return Err(Error::msg(format!("more than {MOST} pollables")));
        }
        if free == self.0.len() {
            self.0.push(None);
        }
        self.0[free] = Some(at);
        Ok(free as u32 + 1)
    }

    fn place(&mut self, handle: u32) -> Result<&mut Option<Instant>> {
        let place = (handle as usize).checked_sub(1).and_then(|place| self.0.get_mut(place));
        place.filter(|at| at.is_some()).ok_or_else(|| Error::msg(format!("unknown handle index {handle}")))
    }

    fn at(&mut self, handle: u32) -> Result<Instant> {
        self.place(handle).map(|at| at.expect("looked for"))
    }

    fn drop(&mut self, handle: u32) -> Result<()> {
        *self.place(handle)? = None;
        Ok(())
    }
}

fn number() -> Result<u64> {
    getrandom::u64().map_err(|error| Error::msg(error.to_string()))
}

/// Writes what a call gives to where the guest wants it.
fn put<const N: usize>(mut caller: Caller<'_, Guest>, to: u32, words: [u64; N]) -> Result<()> {
    let mut call = Call::begin(&mut caller, Version::Preview1)?;
    if !to.is_multiple_of(8) {
        return Err(Error::msg("pointer not aligned"));
    }
    call.memory.put_words(to, words).map_err(|_| Error::msg("pointer out of bounds"))
}

/// `datetime`: seconds, and nanoseconds in four bytes of eight.
fn datetime(time: Time) -> [u64; 2] {
    [u64::try_from(time.secs).unwrap_or(0), u64::from(time.nanos)]
}

pub(super) fn define(linker: &mut Linker<Guest>) -> Result<()> {
    linker.func_wrap(MONOTONIC, "now", |caller: Caller<'_, Guest>| clock::monotonic(caller.data()))?;
    linker.func_wrap(MONOTONIC, "resolution", || 1_u64)?;
    linker.func_wrap(MONOTONIC, "subscribe-duration", |mut caller: Caller<'_, Guest>, nanos: u64| {
        caller.data_mut().alarms.add(clock::after(nanos))
    })?;
    linker.func_wrap(MONOTONIC, "subscribe-instant", |mut caller: Caller<'_, Guest>, at: u64| {
        let guest = caller.data_mut();
        guest.alarms.add(clock::after(at.saturating_sub(clock::monotonic(guest))))
    })?;
    linker.func_wrap(WALL, "now", |caller: Caller<'_, Guest>, to: u32| {
        put(caller, to, datetime(Time::now()))
    })?;
    linker.func_wrap(WALL, "resolution", |caller: Caller<'_, Guest>, to: u32| {
        put(caller, to, datetime(Time { secs: 0, nanos: 1 }))
    })?;
    linker.func_wrap(POLL, "[method]pollable.ready", |mut caller: Caller<'_, Guest>, handle: u32| {
        caller.data_mut().alarms.at(handle).map(|at| u32::from(at <= Instant::now()))
    })?;
    linker.func_wrap_async(
        POLL,
        "[method]pollable.block",
        |mut caller: Caller<'_, Guest>, (handle,): (u32,)| {
            Box::new(async move {
                let guest = caller.data_mut();
                let at = guest.alarms.at(handle)?;
                guest.tell_tally();
                sleep_until(at).await;
                Ok(())
            })
        },
    )?;
    linker.func_wrap(POLL, "[resource-drop]pollable", |mut caller: Caller<'_, Guest>, handle: u32| {
        caller.data_mut().alarms.drop(handle)
    })?;
    linker.func_wrap(RANDOM, "get-random-u64", number)?;
    linker.func_wrap(INSECURE, "get-insecure-random-u64", number)?;
    linker.func_wrap(SEED, "insecure-seed", |caller: Caller<'_, Guest>, to: u32| {
        put(caller, to, [number()?, number()?])
    })?;
    Ok(())
}
