//! The options of a TCP socket as wasi:sockets has them: zero is refused, what is too large is cut to what the system takes, and
//! buffers are as long as was asked for, not as the kernel counts them.

use rustix::net::sockopt;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;
use wasmtime_wasi::p2::SocketResult;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};

/// tcp(7): what Linux takes.
const MOST_SECONDS: u64 = 32_767;
const MOST_PROBES: u32 = 127;

fn not_zero<T: PartialEq + Default>(value: T) -> SocketResult<T> {
    if value == T::default() { Err(ErrorCode::InvalidArgument.into()) } else { Ok(value) }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Whole seconds, and one at least.
fn time(nanoseconds: u64) -> SocketResult<Duration> {
    let time = Duration::from_nanos(not_zero(nanoseconds)?);
    Ok(time.clamp(Duration::from_secs(1), Duration::from_secs(MOST_SECONDS)))
}

pub(super) fn keep_alive(fd: BorrowedFd<'_>) -> SocketResult<bool> {
    Ok(sockopt::socket_keepalive(fd)?)
}
pub(super) fn set_keep_alive(fd: BorrowedFd<'_>, value: bool) -> SocketResult<()> {
    Ok(sockopt::set_socket_keepalive(fd, value)?)
}
pub(super) fn idle_time(fd: BorrowedFd<'_>) -> SocketResult<u64> {
    Ok(nanoseconds(sockopt::tcp_keepidle(fd)?))
}
pub(super) fn set_idle_time(fd: BorrowedFd<'_>, value: u64) -> SocketResult<()> {
    Ok(sockopt::set_tcp_keepidle(fd, time(value)?)?)
}
pub(super) fn interval(fd: BorrowedFd<'_>) -> SocketResult<u64> {
    Ok(nanoseconds(sockopt::tcp_keepintvl(fd)?))
}
pub(super) fn set_interval(fd: BorrowedFd<'_>, value: u64) -> SocketResult<()> {
    Ok(sockopt::set_tcp_keepintvl(fd, time(value)?)?)
}
pub(super) fn count(fd: BorrowedFd<'_>) -> SocketResult<u32> {
    Ok(sockopt::tcp_keepcnt(fd)?)
}
pub(super) fn set_count(fd: BorrowedFd<'_>, value: u32) -> SocketResult<()> {
    Ok(sockopt::set_tcp_keepcnt(fd, not_zero(value)?.min(MOST_PROBES))?)
}

pub(super) fn hops(fd: BorrowedFd<'_>, family: IpAddressFamily) -> SocketResult<u8> {
    Ok(match family {
        IpAddressFamily::Ipv4 => u8::try_from(sockopt::ip_ttl(fd)?).unwrap_or(u8::MAX),
        IpAddressFamily::Ipv6 => sockopt::ipv6_unicast_hops(fd)?,
    })
}
pub(super) fn set_hops(fd: BorrowedFd<'_>, family: IpAddressFamily, value: u8) -> SocketResult<()> {
    let value = not_zero(value)?;
    match family {
        IpAddressFamily::Ipv4 => sockopt::set_ip_ttl(fd, value.into())?,
        IpAddressFamily::Ipv6 => sockopt::set_ipv6_unicast_hops(fd, Some(value))?,
    }
    Ok(())
}

/// The kernel says the double of what it was asked for (socket(7)).
pub(super) fn receive_buffer(fd: BorrowedFd<'_>) -> SocketResult<u64> {
    Ok(sockopt::socket_recv_buffer_size(fd)? as u64 / 2)
}
pub(super) fn set_receive_buffer(fd: BorrowedFd<'_>, value: u64) -> SocketResult<()> {
    Ok(sockopt::set_socket_recv_buffer_size(fd, size(value)?)?)
}
pub(super) fn send_buffer(fd: BorrowedFd<'_>) -> SocketResult<u64> {
    Ok(sockopt::socket_send_buffer_size(fd)? as u64 / 2)
}
pub(super) fn set_send_buffer(fd: BorrowedFd<'_>, value: u64) -> SocketResult<()> {
    Ok(sockopt::set_socket_send_buffer_size(fd, size(value)?)?)
}
fn size(value: u64) -> SocketResult<usize> {
    // The system has its own bounds, which are C's ints at most.
    Ok(usize::try_from(not_zero(value)?).unwrap_or(usize::MAX).min(i32::MAX as usize / 2))
}

/// Gives `new` what was set of `old`.
pub(super) fn copy(old: BorrowedFd<'_>, new: &impl AsFd, family: IpAddressFamily) -> SocketResult<()> {
    let new = new.as_fd();
    set_keep_alive(new, keep_alive(old)?)?;
    set_idle_time(new, idle_time(old)?)?;
    set_interval(new, interval(old)?)?;
    set_count(new, count(old)?)?;
    set_hops(new, family, hops(old, family)?)?;
    // A size that was set is no longer the system's to change; one that was not must stay so.
    for (get, set) in [
        (receive_buffer as fn(_) -> _, set_receive_buffer as fn(_, _) -> _),
        (send_buffer as fn(_) -> _, set_send_buffer as fn(_, _) -> _),
    ] {
        let (before, now): (SocketResult<u64>, SocketResult<u64>) = (get(old), get(new));
        let (before, now) = (before?, now?);
        if before != now {
            let _done: SocketResult<()> = set(new, before);
        }
    }
    Ok(())
}
