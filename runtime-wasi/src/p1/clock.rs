//! The clocks: real time, time since the start, and the guest's own time on a cpu.

use super::Call;
use super::abi::Clock;
use vfs::{Errno, Result, Time};

/// The clock numbered `id`, in nanoseconds.
pub(super) fn now(call: &Call<'_>, id: u32) -> Result<u64> {
    Ok(match Clock::decode(id).ok_or(Errno::EINVAL)? {
        Clock::Realtime => Time::now().as_nanos(),
        Clock::Monotonic => u64::try_from(call.guest.began.elapsed().as_nanos()).unwrap_or(u64::MAX),
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
