//! The addresses of a name, for those who may connect to it.

use crate::link::Given;
use std::net::IpAddr;
use task::Reach;
use vfs::{Errno, Error, Result};

/// Names that one worker looks up at a time: each holds a thread until the system answers.
pub(crate) const AT_ONCE: usize = 4;

/// Answers `NAME`, `NAME 4` or `NAME 6`: an address a line.
pub(crate) async fn look_up(given: &Given, question: &[u8]) -> Result<String> {
    let bad = || Error::new(Errno::EINVAL, "dns: want NAME, NAME 4 or NAME 6");
    let text = std::str::from_utf8(question).map_err(|_| bad())?;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (name, wanted): (&str, fn(&IpAddr) -> bool) = match words[..] {
        [name] => (name, |_| true),
        [name, "4"] => (name, IpAddr::is_ipv4),
        [name, "6"] => (name, IpAddr::is_ipv6),
        _ => return Err(bad()),
    };
    let found = addresses(&given.reach, given, name).await?;
    let lines: String = found.iter().filter(|ip| wanted(ip)).map(|ip| format!("{ip}\n")).collect();
    if lines.is_empty() { Err(none(name)) } else { Ok(lines) }
}

fn none(name: &str) -> Error {
    Error::new(Errno::ENOENT, format!("dns: {name}: no such name"))
}

async fn addresses(reach: &Reach, given: &Given, name: &str) -> Result<Vec<IpAddr>> {
    if let Ok(ip) = name.parse() {
        return Ok(vec![ip]);
    }
    // Its own: there is no other that this could mean (RFC 6761).
    if name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost") {
        return Ok(vec![[127, 0, 0, 1].into(), std::net::Ipv6Addr::LOCALHOST.into()]);
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if name.len() > 253 || !name.bytes().all(plain) {
        return Err(none(name));
    }
    reach.say("resolve", name, reach.look_up(name))?;
    // Never closed.
    let _turn = given.lookups.acquire().await.map_err(|_| Errno::ECANCELED)?;
    let found = tokio::net::lookup_host((name, 0)).await.map_err(|error| {
        let text = format!("dns: {name}: {error}");
        // What the system's resolver says has no errno; that there is no such name is by far the most usual.
        match error.to_string().contains("emporary failure") {
            true => Error::new(Errno::EAGAIN, text),
            false => Error::new(Errno::ENOENT, text),
        }
    })?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ip in found.map(|address| address.ip()) {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    reach.found(name, &addresses);
    Ok(addresses)
}
