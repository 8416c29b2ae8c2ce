//! What has gone through a loopback, as its interface counts it (rtnetlink(7)).

use crate::netlink::{ask, attributes};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Packets and their bytes, with the heads that TCP, UDP and IP give them. What is sent is received: it is counted once.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Traffic {
    pub packets: u64,
    pub bytes: u64,
}

/// The loopback is the first interface of every network.
const LOOPBACK: i32 = 1;
/// `struct ifinfomsg`.
const INTERFACE: usize = 16;

/// Asks `socket`, which is rtnetlink's and of the network.
pub(crate) fn of(socket: OwnedFd) -> io::Result<Traffic> {
    let mut request = [0; INTERFACE];
    request[4..8].copy_from_slice(&LOOPBACK.to_ne_bytes());
    let mut traffic = None;
    ask(socket.as_fd(), libc::RTM_GETLINK, 0, &request, |body| {
        let all = attributes(body.get(INTERFACE..).unwrap_or_default());
        for (_, stats) in all.filter(|(kind, _)| *kind == libc::IFLA_STATS64) {
            // struct rtnl_link_stats64: received packets, sent packets, received bytes ...
            let count =
                |n: usize| stats.get(n * 8..).and_then(<[u8]>::first_chunk).map(|b| u64::from_ne_bytes(*b));
            if let (Some(packets), Some(bytes)) = (count(0), count(2)) {
                traffic = Some(Traffic { packets, bytes });
            }
        }
    })?;
    traffic.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "an interface without figures"))
}
