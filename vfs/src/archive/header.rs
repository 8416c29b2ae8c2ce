//! What an entry of an archive says of its file, and pax's records (pax(1), "pax Extended Header").

use crate::{Errno, Error, Result, Time};

/// An entry's header, with all that longer headers before it said.
#[derive(Debug)]
pub struct Entry {
    /// As it stands in the archive.
    pub path: Vec<u8>,
    pub what: What,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// What the numbers were called where the archive was made; empty where it does not say.
    pub user: Vec<u8>,
    pub group: Vec<u8>,
    pub mtime: Time,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug)]
pub enum What {
    /// So many bytes follow.
    File(u64),
    Dir,
    Fifo,
    Symlink(Vec<u8>),
    /// A further name for an entry that came before.
    Link(Vec<u8>),
}

/// A name, for messages.
pub(super) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).escape_debug().to_string()
}

/// The prefix of extended attributes among pax's keywords.
pub(super) const XATTR: &[u8] = b"SCHILY.xattr.";

/// The names in a path, of which `.` and empty ones are none. Refuses what would lead out.
pub(super) fn names(path: &[u8]) -> Result<Vec<&[u8]>> {
    if path.starts_with(b"/") {
        return Err(Error::new(Errno::EACCES, "absolute name"));
    }
    let names = path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    names
        .map(|name| match name {
            b".." => Err(Error::new(Errno::EACCES, "the name leads out by ..")),
            name => crate::Name::new(name).map(crate::Name::as_bytes),
        })
        .collect()
}

/// Fails where a symlink with this target, in a directory `depth` below the root of the archive, leads out of it.
pub(super) fn check_target(target: &[u8], depth: usize, absolute: bool) -> Result<()> {
    if target.starts_with(b"/") {
        let refused = Error::new(Errno::EACCES, "the link leads to an absolute name");
        return if absolute { Ok(()) } else { Err(refused) };
    }
    let mut depth = depth;
    for name in target.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => {
                let up = depth.checked_sub(1);
                depth = up.ok_or_else(|| Error::new(Errno::EACCES, "the link leads out by .."))?;
            }
            _ => depth += 1,
        }
    }
    Ok(())
}

/// Pax's records in a header's data: keyword and value.
pub(super) fn records(mut data: &[u8]) -> Result<Vec<(&[u8], &[u8])>> {
    let bad = || Error::new(Errno::EIO, "a pax header is damaged");
    let mut records = Vec::new();
    while !data.is_empty() {
        let space = data.iter().position(|byte| *byte == b' ').ok_or_else(bad)?;
        let len = number(&data[..space]).and_then(|len| usize::try_from(len).ok()).ok_or_else(bad)?;
        let record = data.get(space + 1..len).ok_or_else(bad)?;
        let record = record.strip_suffix(b"\n").ok_or_else(bad)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
        records.push((&record[..equals], &record[equals + 1..]));
        data = &data[len..];
    }
    Ok(records)
}

/// A record with its length, which counts itself.
pub(super) fn record(into: &mut Vec<u8>, keyword: &[u8], value: &[u8]) {
    let rest = keyword.len() + value.len() + 3;
    let mut len = rest + 1;
    while rest + len.to_string().len() != len {
        len = rest + len.to_string().len();
    }
    into.extend_from_slice(len.to_string().as_bytes());
    into.push(b' ');
    into.extend_from_slice(keyword);
    into.push(b'=');
    into.extend_from_slice(value);
    into.push(b'\n');
}

pub(super) fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Seconds since the epoch, before it too, with any number of digits behind the point.
pub(super) fn time(text: &[u8]) -> Option<Time> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let secs: i64 = whole.parse().ok()?;
    if !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nanos: u32 = format!("{part:0<9}")[..9].parse().ok()?;
    // -1.25 is three quarters of a second after -2.
    Some(match (text.starts_with('-'), nanos) {
        (true, 1..) => Time { secs: secs.checked_sub(1)?, nanos: 1_000_000_000 - nanos },
        _ => Time { secs, nanos },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_records_length_counts_its_own_digits() {
        for len in [1, 2, 90, 91, 92, 93, 990, 991, 992, 993, 994] {
            let mut data = Vec::new();
            record(&mut data, b"path", &vec![b'x'; len]);
            record(&mut data, b"SCHILY.xattr.user.a", b"two\nlines = fine");
            let records = records(&data).unwrap();
            assert_eq!(records[0], (&b"path"[..], &vec![b'x'; len][..]));
            assert_eq!(records[1].1, b"two\nlines = fine");
        }
    }

    #[test]
    fn damaged_records_are_no_records() {
        for bad in
            [&b"5 a=b"[..], b"6 a=b\nx", b"99999999999999999999 a=b\n", b"3 a", b"0 a=b\n", b"7 path\n\n"]
        {
            assert!(records(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn times_have_fractions_and_may_lie_before_the_epoch() {
        assert_eq!(time(b"12.5"), Some(Time { secs: 12, nanos: 500_000_000 }));
        assert_eq!(time(b"-1.25"), Some(Time { secs: -2, nanos: 750_000_000 }));
        assert_eq!(time(b"-3"), Some(Time { secs: -3, nanos: 0 }));
        assert_eq!(time(b"1.1234567899"), Some(Time { secs: 1, nanos: 123_456_789 }));
        assert_eq!((time(b"x"), time(b"1.x"), time(b"")), (None, None, None));
    }

    #[test]
    fn targets_may_climb_as_far_as_the_archive_goes() {
        assert!(check_target(b"../a/../../b", 2, false).is_ok());
        assert!(check_target(b"../a/../../b", 1, false).is_err());
        assert!(check_target(b"a/../..", 0, false).is_err());
        assert!(check_target(b"/etc/passwd", 5, false).is_err());
        assert!(check_target(b"/etc/passwd", 0, true).is_ok());
    }
}
