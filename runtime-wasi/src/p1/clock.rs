//! The clocks: real time, time since the start, and the guest's own time on a cpu.

use super::Call;
use super::abi::Clock;
use crate::guest::Guest;
use std::time::Duration;
use tokio::time::Instant;
use vfs::{Errno, Result, Time};

/// Nanoseconds since the guest's start.
pub(super) fn monotonic(guest: &Guest) -> u64 {
    u64::try_from(guest.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The moment in so many nanoseconds. u64::MAX of them are 584 years; where the host cannot count that far, a century is as good.
pub(super) fn after(nanos: u64) -> Instant {
    let now = Instant::now();
    now.checked_add(Duration::from_nanos(nanos)).unwrap_or(now + Duration::from_secs(3_155_760_000))
}

/// The clock numbered `id`, in nanoseconds.
pub(super) fn now(call: &Call<'_>, id: u32) -> Result<u64> {
    Ok(match Clock::decode(id).ok_or(Errno::EINVAL)? {
        Clock::Realtime => Time::now().as_nanos(),
        Clock::Monotonic => monotonic(call.guest),
        // A guest has one thread.
        Clock::ProcessCpu | Clock::ThreadCpu => call.guest.control.cpu_ns(),
    })
}

pub(super) fn clock_res_get(call: &mut Call<'_>, id: u32, out: u32) -> Result<()> {
    Clock::decode(id).ok_or(Errno::EINVAL)?;
    call.memory.put_u64(out, 1)
}

pub(super) fn clock_time_get(call: &mut Call<'_>, id: u32, _precision: u64, out: u32) -> Result<()> {
    let now = now(call, id)?;
    call.memory.put_u64(out, now)
}
