//! Socket addresses as a program hands them to the kernel (ip(7), ipv6(7)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The longest that any is.
pub(super) const MOST: usize = 128;

/// What a program named as a peer, or as its own address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Address {
    Inet(SocketAddr),
    /// AF_UNSPEC: no peer any more (connect(2)).
    None,
}

/// The errno that the kernel gives where this is no address of a socket that a worker may have.
pub(super) fn parse(bytes: &[u8]) -> Result<Address, i32> {
    let family = bytes.first_chunk::<2>().map(|family| i32::from(u16::from_ne_bytes(*family)));
    let port = |bytes: &[u8]| u16::from_be_bytes([bytes[2], bytes[3]]);
    match family.ok_or(libc::EINVAL)? {
        libc::AF_UNSPEC => Ok(Address::None),
        libc::AF_INET => {
            let ip: [u8; 4] = *bytes.get(4..).and_then(<[u8]>::first_chunk).ok_or(libc::EINVAL)?;
            Ok(Address::Inet(SocketAddr::new(Ipv4Addr::from(ip).into(), port(bytes))))
        }
        libc::AF_INET6 => {
            // Without the scope this is an address of RFC 2133, which Linux takes.
            let ip: [u8; 16] = *bytes.get(8..).and_then(<[u8]>::first_chunk).ok_or(libc::EINVAL)?;
            let scope = bytes.get(24..).and_then(<[u8]>::first_chunk).map_or(0, |b| u32::from_ne_bytes(*b));
            let flow = u32::from_be_bytes(*bytes[4..].first_chunk().ok_or(libc::EINVAL)?);
            Ok(Address::Inet(SocketAddrV6::new(Ipv6Addr::from(ip), port(bytes), flow, scope).into()))
        }
        _ => Err(libc::EAFNOSUPPORT),
    }
}

/// An address of the machine that asks: loopback, and "any", which as a peer means the same.
pub(super) fn is_own(peer: &SocketAddr) -> bool {
    match peer.ip().to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families_are_read_as_the_kernel_does() {
        let mut v4 = (libc::AF_INET as u16).to_ne_bytes().to_vec();
        v4.extend([0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(parse(&v4), Ok(Address::Inet("127.0.0.1:8080".parse().expect("an address"))));
        let mut v6 = (libc::AF_INET6 as u16).to_ne_bytes().to_vec();
        v6.extend([0, 80, 0, 0, 0, 0]);
        v6.extend(Ipv6Addr::LOCALHOST.octets());
        v6.extend([0; 4]);
        assert_eq!(parse(&v6), Ok(Address::Inet("[::1]:80".parse().expect("an address"))));
        assert_eq!(parse(&[0, 0]), Ok(Address::None));
    }

    #[test]
    fn what_is_no_inet_address_is_refused() {
        assert_eq!(parse(b""), Err(libc::EINVAL));
        assert_eq!(parse(&v(libc::AF_INET, 5)), Err(libc::EINVAL));
        assert_eq!(parse(&v(libc::AF_INET6, 20)), Err(libc::EINVAL));
        for family in [libc::AF_UNIX, libc::AF_NETLINK, libc::AF_PACKET, libc::AF_VSOCK] {
            assert_eq!(parse(&v(family, 64)), Err(libc::EAFNOSUPPORT));
        }
    }

    fn v(family: i32, length: usize) -> Vec<u8> {
        let mut bytes = (family as u16).to_ne_bytes().to_vec();
        bytes.resize(length, 0);
        bytes
    }

    #[test]
    fn loopback_has_many_names() {
        for own in ["127.0.0.1:1", "127.9.9.9:1", "0.0.0.0:1", "[::]:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(is_own(&own.parse().expect("an address")), "{own}");
        }
        for other in ["10.0.0.1:1", "[::ffff:10.0.0.1]:1", "[fe80::1]:1", "255.255.255.255:1"] {
            assert!(!is_own(&other.parse().expect("an address")), "{other}");
        }
    }
}
