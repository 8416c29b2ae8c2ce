//! The time that goes into inodes.

use crate::Time;
use rustix::time::{ClockId, clock_gettime};

/// Now, as of the kernel's last tick: what its own file systems stamp files with, at a fifth of the exact clock's price.
pub(crate) fn now() -> Time {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    Time { secs: now.tv_sec, nanos: now.tv_nsec as u32 }
}

/// [`now`], but never the same twice for one inode that was last changed at `before`: who kept a listing sees by a directory's
/// time that it is another, also where both changes came within one tick.
pub(crate) fn after(before: Time) -> Time {
    /// Ten ticks of the slowest kernel.
    const TICKS: i64 = 100_000_000;
    let now = now();
    let ahead = before
        .secs
        .saturating_sub(now.secs)
        .saturating_mul(1_000_000_000)
        .saturating_add(i64::from(before.nanos) - i64::from(now.nanos));
    // A time that someone has set lies elsewhere.
    if !(0..TICKS).contains(&ahead) {
        return now;
    }
    match before.nanos {
        999_999_999 => Time { secs: before.secs + 1, nanos: 0 },
        nanos => Time { secs: before.secs, nanos: nanos + 1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_times_within_a_tick_the_later_is_later() {
        let mut last = now();
        for _ in 0..1000 {
            let next = after(last);
            assert!((next.secs, next.nanos) > (last.secs, last.nanos));
            last = next;
        }
        for secs in [now().secs + 5, i64::MAX, 0, i64::MIN] {
            let set = Time { secs, nanos: 999_999_999 };
            assert!(
                (now().secs - 1..now().secs + 5).contains(&after(set).secs),
                "it was set by someone: {secs}"
            );
        }
    }
}
