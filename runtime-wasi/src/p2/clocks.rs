//! `wasi:clocks`: real time, and time since the start, to be read and to be waited for.

use super::{Guest, instance};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use vfs::Time;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

/// A moment that is waited for; none is further than the clock can count.
struct Alarm(Option<Instant>);

#[async_trait]
impl Pollable for Alarm {
    async fn ready(&mut self) {
        match self.0 {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

type Store<'s> = StoreContextMut<'s, Guest>;

/// Nanoseconds since the guest's start.
pub(super) fn monotonic(guest: &Guest) -> u64 {
    u64::try_from(guest.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn alarm(guest: &mut Guest, nanos: u64) -> wasmtime::Result<Resource<DynPollable>> {
    let alarm = guest.table.push(Alarm(Instant::now().checked_add(Duration::from_nanos(nanos))))?;
    subscribe(&mut guest.table, alarm)
}

pub(super) fn wall() -> Datetime {
    let now = Time::now();
    Datetime { seconds: u64::try_from(now.secs).unwrap_or(0), nanoseconds: now.nanos }
}

pub(super) const WALL_RESOLUTION: Datetime = Datetime { seconds: 0, nanoseconds: 1 };

pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut clock = instance(linker, "clocks/monotonic-clock")?;
    clock.func_wrap("now", |store: Store<'_>, (): ()| Ok((monotonic(store.data()),)))?;
    clock.func_wrap("resolution", |_: Store<'_>, (): ()| Ok((1_u64,)))?;
    clock.func_wrap("subscribe-duration", |mut store: Store<'_>, (nanos,): (u64,)| {
        Ok((alarm(store.data_mut(), nanos)?,))
    })?;
    clock.func_wrap("subscribe-instant", |mut store: Store<'_>, (at,): (u64,)| {
        let guest = store.data_mut();
        Ok((alarm(guest, at.saturating_sub(monotonic(guest)))?,))
    })?;

    let mut clock = instance(linker, "clocks/wall-clock")?;
    clock.func_wrap("now", |_: Store<'_>, (): ()| Ok((wall(),)))?;
    clock.func_wrap("resolution", |_: Store<'_>, (): ()| Ok((WALL_RESOLUTION,)))
}
