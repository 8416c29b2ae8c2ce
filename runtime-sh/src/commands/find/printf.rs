//! find's -printf and -ls.

use super::super::mode;
use super::super::reach::base_name;
use super::super::times;
use super::super::walk::Entry;
use super::Find;
use vfs::{Kind, Time};

/// The letter that a kind of file has in listings.
pub fn letter(kind: Kind) -> char {
    match kind {
        Kind::File => '-',
        Kind::Dir => 'd',
        Kind::Symlink => 'l',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
        Kind::CharDevice => 'c',
        Kind::BlockDevice => 'b',
    }
}

async fn target(entry: &Entry) -> Vec<u8> {
    match entry.stat.kind() {
        Kind::Symlink => entry.place.readlink().await.map(|to| to.to_vec()).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// `format` with what it says of the file.
pub(super) async fn format(find: &Find, entry: &Entry, format: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < format.len() {
        match format[at] {
            b'\\' => {
                let digits =
                    format[at + 1..].iter().take(3).take_while(|b| (b'0'..=b'7').contains(*b)).count();
                if digits > 0 {
                    out.push(
                        format[at + 1..at + 1 + digits].iter().fold(0u32, |v, b| v * 8 + u32::from(b - b'0'))
                            as u8,
                    );
                    at += 1 + digits;
                    continue;
                }
                match format.get(at + 1) {
                    Some(b'a') => out.push(7),
                    Some(b'b') => out.push(8),
                    Some(b'c') => return out,
                    Some(b'f') => out.push(12),
                    Some(b'n') => out.push(b'\n'),
                    Some(b'r') => out.push(b'\r'),
                    Some(b't') => out.push(b'\t'),
                    Some(b'v') => out.push(11),
                    Some(b'\\') => out.push(b'\\'),
                    Some(other) => out.extend_from_slice(&[b'\\', *other]),
                    None => out.push(b'\\'),
                }
                at += 2;
            }
            b'%' => {
                let start = at + 1;
                let flags = format[start..].iter().take_while(|b| b"-+ #0123456789.".contains(b)).count();
                let Some(letter) = format.get(start + flags).copied() else {
                    out.push(b'%');
                    break;
                };
                at = start + flags + 1;
                let clock = matches!(letter, b'A' | b'C' | b'T').then(|| format.get(at).copied()).flatten();
                at += usize::from(clock.is_some());
                let text = directive(find, entry, letter, clock).await;
                pad(&format[start..start + flags], &text, &mut out);
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

fn pad(flags: &[u8], text: &[u8], out: &mut Vec<u8>) {
    let left = flags.contains(&b'-');
    let digits: String = flags.iter().filter(|b| b.is_ascii_digit()).map(|b| char::from(*b)).collect();
    let zero = digits.starts_with('0');
    let fill = digits.parse::<usize>().unwrap_or(0).min(4096).saturating_sub(text.len());
    let by = if zero && !left { b'0' } else { b' ' };
    if !left {
        out.extend(std::iter::repeat_n(by, fill));
    }
    out.extend_from_slice(text);
    if left {
        out.extend(std::iter::repeat_n(b' ', fill));
    }
}

fn fraction(time: Time) -> String {
    format!("{}.{:09}0", time.secs, time.nanos)
}

async fn directive(find: &Find, entry: &Entry, directive: u8, clock: Option<u8>) -> Vec<u8> {
    let stat = &entry.stat;
    let text = match directive {
        b'%' => "%".into(),
        b'p' => return entry.path.clone(),
        b'f' => return base_name(&entry.path).to_vec(),
        b'h' => {
            let end = entry.path.iter().rposition(|b| *b == b'/');
            return end.map_or(b".".to_vec(), |end| entry.path[..end].to_vec());
        }
        b'H' => return find.given.clone(),
        b'P' => {
            let below = entry.path.strip_prefix(&find.given[..]).unwrap_or(&entry.path);
            return below.strip_prefix(b"/").unwrap_or(below).to_vec();
        }
        b'l' => return target(entry).await,
        b's' => stat.size.to_string(),
        b'k' => stat.blocks.div_ceil(2).to_string(),
        b'b' => stat.blocks.to_string(),
        b'm' => format!("{:o}", stat.mode.bits()),
        b'M' => format!("{}{}", letter(stat.kind()), mode::shown(stat.mode.bits())),
        b'y' | b'Y' => match letter(stat.kind()) {
            '-' => "f".into(),
            other => other.to_string(),
        },
        b'd' => entry.depth.to_string(),
        b'u' => find.people.user(stat.uid.0),
        b'g' => find.people.group(stat.gid.0),
        b'U' => stat.uid.0.to_string(),
        b'G' => stat.gid.0.to_string(),
        b'i' => stat.qid.path.to_string(),
        b'n' => stat.nlink.to_string(),
        b'a' | b'c' | b't' | b'A' | b'C' | b'T' => {
            let time = match directive.to_ascii_lowercase() {
                b'a' => stat.atime,
                b'c' => stat.ctime,
                _ => stat.mtime,
            };
            let zoned = times::zoned(time, &find.zone);
            let nanos = format!(".{:09}0", time.nanos);
            let (before, behind) = match clock {
                None => ("%a %b %e %H:%M:%S", " %Y"),
                Some(b'@') => return fraction(time).into_bytes(),
                Some(b'+') => ("%Y-%m-%d+%H:%M:%S", ""),
                Some(b'S') => ("%S", ""),
                Some(b'T' | b'X') => ("%H:%M:%S", ""),
                Some(letter) => return times::format(&zoned, &[b'%', letter]),
            };
            let mut text = times::format(&zoned, before.as_bytes());
            text.extend_from_slice(nanos.as_bytes());
            text.extend(times::format(&zoned, behind.as_bytes()));
            return text;
        }
        other => return vec![b'%', other],
    };
    text.into_bytes()
}

/// The line of -ls.
pub(super) async fn listing(find: &Find, entry: &Entry) -> Vec<u8> {
    let stat = &entry.stat;
    let zoned = times::zoned(stat.mtime, &find.zone);
    let recent = (0..=183 * 86400).contains(&(find.now.secs - stat.mtime.secs));
    let when = times::format(&zoned, if recent { b"%b %e %H:%M" } else { b"%b %e  %Y" });
    let size = match stat.kind() {
        Kind::CharDevice | Kind::BlockDevice => format!("{:>3}, {:>3}", stat.rdev.major, stat.rdev.minor),
        _ => format!("{:>8}", stat.size),
    };
    let mut line = format!(
        "{:>9} {:>6} {}{} {:>3} {:<8} {:<8} {size} {} ",
        stat.qid.path,
        stat.blocks.div_ceil(2),
        letter(stat.kind()),
        mode::shown(stat.mode.bits()),
        stat.nlink,
        find.people.user(stat.uid.0),
        find.people.group(stat.gid.0),
        String::from_utf8_lossy(&when),
    )
    .into_bytes();
    line.extend_from_slice(&entry.path);
    if stat.kind() == Kind::Symlink {
        line.extend_from_slice(b" -> ");
        line.extend(target(entry).await);
    }
    line.push(b'\n');
    line
}
