//! Sockets. Preview 1 cannot make any, only use those it is given, and a task is given none: its network is files.

use super::Call;
use super::errno::NOTSOCK;
use vfs::Result;

fn not_a_socket(call: &Call<'_>, fd: u32) -> Result<()> {
    call.guest.fds.get(fd)?;
    NOTSOCK.into()
}

pub(super) fn sock_accept(call: &mut Call<'_>, fd: u32, _flags: u32, _out: u32) -> Result<()> {
    not_a_socket(call, fd)
}

pub(super) fn sock_recv(
    call: &mut Call<'_>,
    fd: u32,
    _data: u32,
    _count: u32,
    _flags: u32,
    _len: u32,
    _out: u32,
) -> Result<()> {
    not_a_socket(call, fd)
}

pub(super) fn sock_send(
    call: &mut Call<'_>,
    fd: u32,
    _data: u32,
    _count: u32,
    _flags: u32,
    _out: u32,
) -> Result<()> {
    not_a_socket(call, fd)
}

pub(super) fn sock_shutdown(call: &mut Call<'_>, fd: u32, _how: u32) -> Result<()> {
    not_a_socket(call, fd)
}
