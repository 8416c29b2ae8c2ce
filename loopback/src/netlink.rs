//! Just enough of netlink(7): a request goes out, the messages of its answer come in.

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io;
use std::os::fd::BorrowedFd;

/// What the kernel puts into one datagram of a dump at most.
const MOST: usize = 32 << 10;
/// Length, type, flags, sequence number, port: what every message begins with.
const HEAD: usize = 16;

/// Asks `kind` with `body`, and calls `each` with every message of the answer, without its head. `flags` beside NLM_F_REQUEST.
pub(crate) fn ask(
    socket: BorrowedFd<'_>,
    kind: u16,
    flags: i32,
    body: &[u8],
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut request = Vec::with_capacity(HEAD + body.len());
    request.extend(((HEAD + body.len()) as u32).to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend(((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
    request.extend([0; 8]);
    request.extend(body);
    send(socket, &request, SendFlags::empty())?;
    let mut bytes = vec![0; MOST];
    loop {
        // The kernel answers as it is asked; a socket that does not block shows all of it.
        let (count, _) = recv(socket, &mut bytes[..], RecvFlags::empty())?;
        let mut rest = &bytes[..count];
        let mut parts = false;
        while let Some((kind, flags, body)) = next(&mut rest) {
            parts = i32::from(flags) & libc::NLM_F_MULTI != 0;
            match i32::from(kind) {
                libc::NLMSG_DONE => return Ok(()),
                libc::NLMSG_ERROR => return refused(body),
                _ => each(body),
            }
        }
        if !parts {
            return Ok(());
        }
    }
}

/// The next message of a datagram: its type, its flags, what comes after its head.
fn next<'b>(rest: &mut &'b [u8]) -> Option<(u16, u16, &'b [u8])> {
    let length = number(rest, 0)? as usize;
    let body = rest.get(HEAD..length)?;
    let (kind, flags) = (half(rest, 4)?, half(rest, 6)?);
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, flags, body))
}

/// The messages of a datagram, without their heads.
pub(crate) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || next(&mut datagram).map(|(_, _, body)| body))
}

/// An error's number is negative; none is an acknowledgement.
fn refused(body: &[u8]) -> io::Result<()> {
    match number(body, 0).map_or(libc::EBADMSG, |n| (n as i32).wrapping_neg()) {
        0 => Ok(()),
        errno => Err(Errno::from_raw_os_error(errno).into()),
    }
}

pub(crate) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}
fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The attributes that follow a message's own struct: type and value.
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(half(rest, 0)?);
        let (kind, value) = (half(rest, 2)?, rest.get(4..length)?);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_taken_apart_and_a_torn_one_ends_it() {
        let message = |length: u32, kind: u16, body: &[u8]| {
            let mut bytes = length.to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(body);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let mut bytes = message(18, 7, b"ab");
        bytes.extend(message(20, 8, b"cdef"));
        bytes.extend(message(400, 9, b"torn"));
        let mut rest = &bytes[..];
        assert_eq!(next(&mut rest), Some((7, 0, &b"ab"[..])));
        assert_eq!(next(&mut rest), Some((8, 0, &b"cdef"[..])));
        assert_eq!(next(&mut rest), None);
        for short in [&[][..], &[3, 0, 0, 0], &[0; 16], &[255; 16]] {
            assert_eq!(next(&mut { short }), None, "{short:?}");
        }
    }

    #[test]
    fn attributes_are_padded_to_four_bytes() {
        let bytes = [5, 0, 1, 0, 42, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4, 3, 0];
        let all: Vec<_> = attributes(&bytes).collect();
        assert_eq!(all, [(1, &[42][..]), (2, &[1, 2, 3, 4][..])]);
    }
}
